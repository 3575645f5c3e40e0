"""Between the actions of an environment and the actions of the model.

The model sees one float32 vector an action: one-hot groups end to end for
discrete actions, numbers in [-1, 1] for continuous ones.
"""

import abc
from typing import Any, Optional

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from r2i_tf import config as agent_config
from r2i_tf import distributions
from r2i_tf import draws
from r2i_tf import networks

_UNIMIX = 0.01
_MIN_STDDEV, _MAX_STDDEV = 0.1, 1.0


class ActionCodec(abc.ABC):
  """One kind of action: how it is encoded, and how it is drawn.

  Attributes:
    size: A, the size of an encoded action.
    parameters: Size of the actor network's output.
    differentiable: Whether an action has a gradient to the parameters: if so
      the actor learns by backpropagation through the model, else by REINFORCE.
  """

  size: int
  parameters: int
  differentiable: bool

  @abc.abstractmethod
  def encode(self, action: tf.Tensor) -> tf.Tensor:
    """Returns actions of the environment, [..., *shape], as float32 [..., A].

    Args:
      action: As the action spec has them, with any batch axes.
    """

  @abc.abstractmethod
  def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
    """Returns the policy over the model's own actions, batch [...].

    Args:
      parameters: float32 [..., parameters].
    """

  @abc.abstractmethod
  def draw(self, distribution: tfd.Independent, seed: draws.Seed) -> tf.Tensor:
    """Returns a sample with numbers that belong to its place in a batch.

    Args:
      distribution: Of the method `distribution`.
      seed: Of the draw.
    """

  @abc.abstractmethod
  def environment_distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
    """Returns the same policy over the environment's actions, batch [...].

    Args:
      parameters: float32 [..., parameters].
    """

  @abc.abstractmethod
  def noise(self, batch_size: Any, seed: Optional[int] = None) -> tf.Tensor:
    """Returns numbers for `environment_action`, of TensorFlow's generator.

    Args:
      batch_size: B, an int or an int32 scalar.
      seed: Of the operation, beside the global one.

    Returns:
      float32 [B, ...].
    """

  @abc.abstractmethod
  def environment_action(
      self, parameters: tf.Tensor, noise: Optional[tf.Tensor]
  ) -> tf.Tensor:
    """Returns an action of `environment_distribution`, [B, *shape].

    Args:
      parameters: float32 [B, parameters].
      noise: Of the method `noise`; None takes the most likely action.
    """

  @abc.abstractmethod
  def flatten(self, sample: tf.Tensor) -> tf.Tensor:
    """Returns a sample of `distribution` as an encoded action [..., A].

    Args:
      sample: With any batch axes.
    """

  @abc.abstractmethod
  def unflatten(self, action: tf.Tensor) -> tf.Tensor:
    """Returns an encoded action as `distribution` has it.

    Args:
      action: float32 [..., A].
    """


class _CategoricalFrom(tfd.Categorical):
  """A categorical over the integers that begin with a minimum.

  TF-Agents has a `ShiftedCategorical`, for each of which TensorFlow Probability
  writes a warning of 30 lines.
  """

  def __init__(
      self,
      minimum: tf.Tensor,
      logits: tf.Tensor,
      name: str = 'CategoricalFrom',
  ):
    """Creates the distribution.

    Args:
      minimum: Integers, the dtype of the samples; its shape is the end of the
        batch's, or none.
      logits: float32 [..., classes].
      name: Of the operations.
    """
    parameters = dict(locals())
    super().__init__(logits=logits, dtype=minimum.dtype, name=name)
    self._minimum = minimum
    self._parameters = parameters

  @classmethod
  def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> Any:
    properties = super()._parameter_properties(dtype, num_classes)
    return {
        'minimum': tfp.util.ParameterProperties(),
        'logits': properties['logits'],
    }

  def _sample_n(self, n: Any, seed: Any = None) -> tf.Tensor:
    return super()._sample_n(n, seed) + self._minimum

  def _mode(self) -> tf.Tensor:
    return super()._mode() + self._minimum

  def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
    return super()._log_prob(value - self._minimum)


class DiscreteActions(ActionCodec):
  """Scalars or vectors of bounded integers.

  An encoded action has dimensions times classes numbers, the classes being
  those of the dimension that has most.
  """

  differentiable = False

  def __init__(self, spec: Any):
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
    index = tf.cast(action, tf.int64)
    if self._spec.shape.rank:
      index -= self._minimum
    else:
      index = (index - self._minimum[0])[..., tf.newaxis]
    return self.flatten(tf.one_hot(index, self._classes))

  def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
    """Returns one-hot variables, event [dimensions, classes]."""
    return distributions.one_hot_groups(self._logits(parameters), unimix=0.0)

  def draw(self, distribution: tfd.Independent, seed: draws.Seed) -> tf.Tensor:
    """Returns one-hot variables [..., dimensions, classes]."""
    groups = distribution.distribution
    shape = tf.concat([tf.shape(groups.logits)[:-1], [1]], 0)
    return groups.sample_at(draws.uniform(shape, seed))

  def environment_distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
    """Returns integers within the bounds, event as the spec's shape."""
    logits = self._logits(parameters)
    if not self._spec.shape.rank:
      return self._categorical(logits[..., 0, :], self._minimum[0])
    return tfd.Independent(self._categorical(logits, self._minimum), 1)

  def noise(self, batch_size: Any, seed: Optional[int] = None) -> tf.Tensor:
    """Returns float32 [B, dimensions, 1], from [0, 1)."""
    return tf.random.uniform([batch_size, self._dimensions, 1], seed=seed)

  def environment_action(
      self, parameters: tf.Tensor, noise: Optional[tf.Tensor]
  ) -> tf.Tensor:
    """Returns integers within the bounds, [B, *shape]."""
    groups = self.distribution(parameters)
    if noise is None:
      chosen = groups.mode()
    else:
      chosen = groups.distribution.sample_at(noise)
    index = tf.cast(tf.argmax(chosen, -1), self._spec.dtype)
    action = index + tf.constant(self._minimum, self._spec.dtype)
    return action if self._spec.shape.rank else action[:, 0]

  def _categorical(
      self, logits: tf.Tensor, minimum: np.ndarray
  ) -> tfd.Distribution:
    dtype = self._spec.dtype
    if not minimum.any():
      return tfd.Categorical(logits=logits, dtype=dtype)
    return _CategoricalFrom(tf.constant(minimum, dtype), logits)

  def flatten(self, sample: tf.Tensor) -> tf.Tensor:
    """Returns [..., dimensions, classes] as an encoded action [..., A]."""
    return networks.with_batch_of(sample, 2, sample, [self.size])

  def unflatten(self, action: tf.Tensor) -> tf.Tensor:
    """Returns [..., A] as [..., dimensions, classes]."""
    shape = [self._dimensions, self._classes]
    return networks.with_batch_of(action, 1, action, shape)

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


class ContinuousActions(ActionCodec):
  """Bounded real vectors, scaled to [-1, 1]."""

  differentiable = True

  def __init__(self, spec: Any):
    """Reads a bounded floating spec of any rank."""
    self._spec = spec
    minimum = np.broadcast_to(spec.minimum, spec.shape).reshape(-1)
    maximum = np.broadcast_to(spec.maximum, spec.shape).reshape(-1)
    # Halved first: the sum of two large bounds may be infinite.
    self._center = (maximum / 2 + minimum / 2).astype(np.float32)
    self._scale = (maximum / 2 - minimum / 2).astype(np.float32)
    # A component with equal bounds has nothing to choose, and is encoded as 0.
    self._divisor = np.where(self._scale > 0, self._scale, np.float32(1))
    self.size = len(minimum)
    self.parameters = 2 * self.size

  def encode(self, action: tf.Tensor) -> tf.Tensor:
    """Returns [..., *spec.shape] numbers, clipped, as float32 [..., A]."""
    shape = self._spec.shape
    # Reshaped last: on its way into a reshape that is computed with, TensorFlow
    # Lite may overwrite the action, which others read.
    number = tf.cast(action, tf.float32) - self._center.reshape(shape)
    number /= self._divisor.reshape(shape)
    flat = networks.with_batch_of(number, shape.rank, number, [self.size])
    return self.flatten(flat)

  def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
    """Returns a normal with mean in (-1, 1), event [A]."""
    mean, stddev = tf.split(parameters, 2, -1)
    stddev = _MIN_STDDEV + (_MAX_STDDEV - _MIN_STDDEV) * tf.sigmoid(stddev + 2)
    return tfd.Independent(tfd.Normal(tf.tanh(mean), stddev), 1)

  def draw(self, distribution: tfd.Independent, seed: draws.Seed) -> tf.Tensor:
    """Returns numbers [..., A], with a gradient to mean and deviation."""
    numbers = distribution.distribution
    noise = draws.normal(tf.shape(numbers.loc), seed)
    return numbers.loc + numbers.scale * noise

  def environment_distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
    """Returns the same normal in the environment's units.

    It reaches beyond the bounds; a sample must be clipped.

    Args:
      parameters: float32 [..., parameters].
    """
    normal = self.distribution(parameters).distribution

    def shaped(x: tf.Tensor) -> tf.Tensor:
      x = networks.with_batch_of(x, 1, x, self._spec.shape.as_list())
      return tf.cast(x, self._spec.dtype)

    mean = shaped(normal.loc * self._scale + self._center)
    stddev = shaped(normal.scale * self._scale)
    return tfd.Independent(tfd.Normal(mean, stddev), self._spec.shape.rank)

  def noise(self, batch_size: Any, seed: Optional[int] = None) -> tf.Tensor:
    """Returns float32 [B, *shape] from the standard normal distribution."""
    return tf.random.normal([batch_size, *self._spec.shape], seed=seed)

  def environment_action(
      self, parameters: tf.Tensor, noise: Optional[tf.Tensor]
  ) -> tf.Tensor:
    """Returns numbers [B, *shape]; a draw must be clipped."""
    normal = self.environment_distribution(parameters).distribution
    if noise is None:
      return normal.loc
    return normal.loc + normal.scale * tf.cast(noise, normal.dtype)

  def flatten(self, sample: tf.Tensor) -> tf.Tensor:
    """Returns a sample of `distribution` as an encoded action [..., A].

    Clipped: the normal reaches beyond the bounds, and of actions there the
    world model has seen none. The gradient of what is clipped is not zero, but
    smaller the farther away it is: it is that of a / max(1, |a|), the
    denominator held.

    Args:
      sample: float32 [..., A].
    """
    return sample / tf.stop_gradient(tf.maximum(1.0, tf.abs(sample)))

  def unflatten(self, action: tf.Tensor) -> tf.Tensor:
    """Returns the action: within the bounds it is a sample as it is."""
    return action


def create(action_spec: Any) -> ActionCodec:
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
      actions: ActionCodec,
      config: agent_config.MLPConfig,
      options: networks.LayerOptions,
  ):
    """Creates the actor for the codec `actions`."""
    super().__init__(name='actor', dtype=options.dtype)
    self.actions = actions
    self._head = networks.Head(config, actions.parameters, options)

  def call(self, features: tf.Tensor) -> tf.Tensor:
    """Returns the raw parameters, float32 [..., parameters]."""
    return self._head(features)
