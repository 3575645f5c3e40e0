"""Between the actions of an environment and the actions of the model.

The model sees one float32 vector an action: one-hot groups end to end for
discrete actions, numbers in [-1, 1] for continuous ones.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tf_agents.distributions import shifted_categorical

from r2i_tf import config as agent_config
from r2i_tf import distributions
from r2i_tf import networks

tfd = tfp.distributions

_UNIMIX = 0.01
_MIN_STDDEV, _MAX_STDDEV = 0.1, 1.0


class DiscreteActions:
  """Scalars or vectors of bounded integers.

  Attributes:
    size: A, the size of an encoded action: dimensions times classes, classes
      being those of the dimension that has most.
    parameters: Size of what the actor network puts out.
    differentiable: False; the actor learns by REINFORCE.
  """

  differentiable = False

  def __init__(self, spec):
    """Reads a bounded integer spec of rank 0 or 1."""
    self._spec = spec
    minimum = np.broadcast_to(spec.minimum, spec.shape).reshape(-1)
    maximum = np.broadcast_to(spec.maximum, spec.shape).reshape(-1)
    self._minimum = minimum.astype(np.int64)
    counts = (maximum.astype(np.int64) - self._minimum) + 1
    self._dimensions, self._classes = len(counts), int(counts.max())
    self._possible = np.arange(self._classes) < counts[:, np.newaxis]
    self.size = self._dimensions * self._classes
    self.parameters = self.size

  def encode(self, action: tf.Tensor) -> tf.Tensor:
    """Returns [..., *spec.shape] integers as float32 [..., A]."""
    rank = action.shape.rank - self._spec.shape.rank
    batch = action.shape[:rank]
    index = tf.cast(action, tf.int64)
    if self._spec.shape.rank:
      index -= self._minimum
    else:
      index = (index - self._minimum[0])[..., tf.newaxis]
    one_hot = tf.one_hot(index, self._classes)
    flat = tf.reshape(
        one_hot, tf.concat([tf.shape(action)[:rank], [self.size]], 0)
    )
    flat.set_shape([*batch, self.size])
    return flat

  def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
    """Returns the model's distribution, event [dimensions, classes]."""
    return distributions.one_hot_groups(self._logits(parameters), unimix=0.0)

  def environment_distribution(self, parameters: tf.Tensor):
    """Returns the same distribution over the environment's own actions."""
    logits = self._logits(parameters)
    if not self._spec.shape.rank:
      return self._categorical(logits[..., 0, :], self._minimum[0])
    return tfd.Independent(self._categorical(logits, self._minimum), 1)

  def _categorical(self, logits: tf.Tensor, minimum: np.ndarray):
    dtype = self._spec.dtype
    if not minimum.any():
      return tfd.Categorical(logits=logits, dtype=dtype)
    return shifted_categorical.ShiftedCategorical(
        logits=logits, dtype=dtype, shift=tf.constant(minimum, dtype)
    )

  def flatten(self, sample: tf.Tensor) -> tf.Tensor:
    """Returns a sample of `distribution` as an encoded action [..., A]."""
    rank = sample.shape.rank - 2
    flat = tf.reshape(
        sample, tf.concat([tf.shape(sample)[:rank], [self.size]], 0)
    )
    flat.set_shape([*sample.shape[:rank], self.size])
    return flat

  def unflatten(self, action: tf.Tensor) -> tf.Tensor:
    """Inverse of `flatten`."""
    shape = [self._dimensions, self._classes]
    return tf.reshape(action, tf.concat([tf.shape(action)[:-1], shape], 0))

  def _logits(self, parameters: tf.Tensor) -> tf.Tensor:
    """Returns log probabilities, [..., dimensions, classes]."""
    shape = [self._dimensions, self._classes]
    logits = tf.reshape(
        parameters, tf.concat([tf.shape(parameters)[:-1], shape], 0)
    )
    logits.set_shape([*parameters.shape[:-1], *shape])
    return distributions.unimix_log_probabilities(
        logits, _UNIMIX, self._possible
    )


class ContinuousActions:
  """Bounded real vectors, scaled to [-1, 1].

  Attributes:
    size: A, the number of elements.
    parameters: Size of what the actor network puts out.
    differentiable: True; the actor learns by backpropagation through the model.
  """

  differentiable = True

  def __init__(self, spec):
    """Reads a bounded floating spec of any rank."""
    self._spec = spec
    minimum = np.broadcast_to(spec.minimum, spec.shape).reshape(-1)
    maximum = np.broadcast_to(spec.maximum, spec.shape).reshape(-1)
    self._center = ((maximum + minimum) / 2).astype(np.float32)
    self._scale = ((maximum - minimum) / 2).astype(np.float32)
    self.size = len(minimum)
    self.parameters = 2 * self.size

  def encode(self, action: tf.Tensor) -> tf.Tensor:
    """Returns [..., *spec.shape] numbers, clipped, as float32 [..., A]."""
    rank = action.shape.rank - self._spec.shape.rank
    flat = tf.reshape(
        tf.cast(action, tf.float32),
        tf.concat([tf.shape(action)[:rank], [self.size]], 0),
    )
    flat.set_shape([*action.shape[:rank], self.size])
    return tf.clip_by_value((flat - self._center) / self._scale, -1.0, 1.0)

  def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
    """Returns a normal with mean in (-1, 1), event [A]."""
    mean, stddev = tf.split(parameters, 2, -1)
    stddev = _MIN_STDDEV + (_MAX_STDDEV - _MIN_STDDEV) * tf.sigmoid(stddev + 2)
    return tfd.Independent(tfd.Normal(tf.tanh(mean), stddev), 1)

  def environment_distribution(self, parameters: tf.Tensor):
    """Returns the same distribution in the environment's units.

    The normal reaches beyond the bounds; what is sampled must be clipped.
    """
    normal = self.distribution(parameters).distribution
    mean = normal.loc * self._scale + self._center
    stddev = normal.scale * self._scale
    shape = tf.concat([tf.shape(mean)[:-1], self._spec.shape], 0)
    mean, stddev = tf.reshape(mean, shape), tf.reshape(stddev, shape)
    batch = parameters.shape[:-1]
    mean.set_shape([*batch, *self._spec.shape])
    stddev.set_shape([*batch, *self._spec.shape])
    mean = tf.cast(mean, self._spec.dtype)
    stddev = tf.cast(stddev, self._spec.dtype)
    return tfd.Independent(tfd.Normal(mean, stddev), self._spec.shape.rank)

  def flatten(self, sample: tf.Tensor) -> tf.Tensor:
    """Returns a sample of `distribution` as an encoded action [..., A].

    Clipped as `encode` clips: the normal reaches beyond the bounds, and of
    actions there the world model has seen none.
    """
    return tf.clip_by_value(sample, -1.0, 1.0)

  def unflatten(self, action: tf.Tensor) -> tf.Tensor:
    """Inverse of `flatten` within the bounds."""
    return action


def create(action_spec):
  """Returns the codec of one bounded action spec.

  Args:
    action_spec: A `BoundedTensorSpec`: integers of rank 0 or 1, or floating.
  """
  if action_spec.dtype.is_integer:
    return DiscreteActions(action_spec)
  return ContinuousActions(action_spec)


class Actor(tf.keras.layers.Layer):
  """pi(a_t | features): float32 [..., F] -> parameters of a distribution."""

  def __init__(
      self,
      actions,
      config: agent_config.MLPConfig,
      dtype: networks.DType,
  ):
    """Creates the actor for the codec `actions`."""
    super().__init__(name='actor', dtype=dtype)
    self.actions = actions
    self._head = networks.Head(config, actions.parameters, dtype)

  def call(self, features: tf.Tensor) -> tf.Tensor:
    """Returns the raw parameters, float32 [..., parameters]."""
    return self._head(features)
