"""A categorical distribution over bins in symlog space, for scalars.

The reward and value heads: a classification instead of a regression, so that
the size of the gradient does not hang on the size of the target (DreamerV3,
arXiv 2301.04104, section "Critic learning").
"""

from typing import Any, Optional

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from r2i_tf import devices
from r2i_tf.distributions.symlog import symexp
from r2i_tf.distributions.symlog import symlog


class SymlogTwoHot(tfd.Distribution):
  """Scalars as a softmax over K bins, evenly spaced in symlog space.

  A target y is spread over the two bins next to symlog(y), with weights
  inversely to the distances ("two-hot"); `log_prob` is minus the cross entropy
  with that target. Targets outside of the range fall on the last bin.
  """

  def __init__(
      self,
      logits: tf.Tensor,
      low: float = -20.0,
      high: float = 20.0,
      name: str = 'SymlogTwoHot',
  ):
    """Builds the distribution.

    Args:
      logits: float32 [..., K], unnormalised.
      low: The first bin, in symlog space.
      high: The last bin, in symlog space.
      name: A name for the operations.

    Raises:
      ValueError: `logits` is not floating, or there are fewer than two bins, or
        no range between `low` and `high`.
    """
    parameters = dict(locals())
    with tf.name_scope(name):
      self._logits = _checked(logits)
      if not low < high:
        raise ValueError(
            f'low is {low} and high is {high}; low must be less than high.'
        )
      self._low, self._high = low, high
      self._bins = self._logits.shape[-1]
      self._cached_sums: Optional[tuple[tf.Tensor, tf.Tensor]] = None
      super().__init__(
          dtype=self._logits.dtype,
          reparameterization_type=tfd.NOT_REPARAMETERIZED,
          validate_args=False,
          allow_nan_stats=True,
          parameters=parameters,
          name=name,
      )

  @classmethod
  def _parameter_properties(
      cls, dtype: tf.DType, num_classes: Optional[int] = None
  ) -> dict[str, tfp.util.ParameterProperties]:
    return dict(
        logits=tfp.util.ParameterProperties(event_ndims=1),
        low=tfp.util.ParameterProperties(event_ndims=None),
        high=tfp.util.ParameterProperties(event_ndims=None),
    )

  @property
  def logits(self) -> tf.Tensor:
    """The unnormalised logits, [..., K]."""
    return self._logits

  def _event_shape(self) -> tf.TensorShape:
    return tf.TensorShape([])

  def _event_shape_tensor(self) -> tf.Tensor:
    return tf.constant([], tf.int32)

  def _sums(self) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the softmax's log normaliser and its mean in symlog space, [...].

    Both from one pass over the exponentials, the largest array of a train step.
    On CPUs that takes a matrix product: two reductions would compute them
    twice. Elsewhere a product would round them to bfloat16 or to TF32.
    """
    if self._cached_sums is None:
      greatest = tf.stop_gradient(
          tf.reduce_max(self._logits, -1, keepdims=True)
      )
      bins = tf.cast(tf.linspace(self._low, self._high, self._bins), self.dtype)
      exponentials = tf.exp(self._logits - greatest)
      if devices.target() is devices.Device.CPU:
        weights = tf.stack([tf.ones_like(bins), bins], -1)
        sums = tf.tensordot(exponentials, weights, axes=1)
        normalizer, weighted = sums[..., 0], sums[..., 1]
      else:
        normalizer = tf.reduce_sum(exponentials, -1)
        weighted = tf.reduce_sum(exponentials * bins, -1)
      self._cached_sums = (
          tf.math.log(normalizer) + greatest[..., 0],
          weighted / normalizer,
      )
    return self._cached_sums

  def _mean(self) -> tf.Tensor:
    return symexp(self._sums()[1])

  def _mode(self) -> tf.Tensor:
    return self._mean()

  def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
    normalizer, weights = self._sums()[0], self._two_hot(value)
    logits = self._logits
    if not weights.shape.is_fully_defined() or logits.shape != weights.shape:
      shape = tf.broadcast_dynamic_shape(tf.shape(logits), tf.shape(weights))
      logits = tf.broadcast_to(logits, shape)
      weights = tf.broadcast_to(weights, shape)
      normalizer = tf.broadcast_to(normalizer, shape[:-1])
    return _cross_entropy(logits, tf.stop_gradient(normalizer), weights)

  def _two_hot(self, value: tf.Tensor) -> tf.Tensor:
    """Returns the target's weights on the bins, [...] -> [..., K].

    The weight of a bin is the height, at the target, of the triangle that
    stands on the bin and reaches to its two neighbours.
    """
    spacing = (self._high - self._low) / (self._bins - 1)
    position = (symlog(value) - self._low) / spacing
    position = tf.clip_by_value(position, 0.0, float(self._bins - 1))
    bins = tf.range(self._bins, dtype=self.dtype)
    weights = tf.nn.relu(1 - tf.abs(position[..., tf.newaxis] - bins))
    # Compiled, the clipping would make a number of a NaN, and hide it.
    unknown = tf.math.is_nan(value)[..., tf.newaxis]
    return tf.where(unknown, tf.constant(float('nan'), self.dtype), weights)


@tf.custom_gradient
def _cross_entropy(
    logits: tf.Tensor, normalizer: tf.Tensor, weights: tf.Tensor
) -> tuple[tf.Tensor, Any]:
  """Returns the sum of weights times log softmax, [...].

  Its gradient to the logits, weights - softmax, is one loop over them. Left to
  the parts it is made of, it is several, each over an array that is the largest
  of a train step.

  Args:
    logits: [..., K].
    normalizer: [...], of their softmax; its own gradient is within that of the
      logits.
    weights: [..., K], which sum to one.
  """

  def gradient(upstream: tf.Tensor) -> tuple[Any, ...]:
    upstream = upstream[..., tf.newaxis]
    softmax = tf.exp(logits - normalizer[..., tf.newaxis])
    return upstream * (weights - softmax), None, upstream * logits

  return tf.reduce_sum(weights * logits, -1) - normalizer, gradient


def _checked(logits: tf.Tensor) -> tf.Tensor:
  """Returns the logits as a tensor, their shape and dtype checked."""
  logits = tf.convert_to_tensor(logits)
  if not logits.dtype.is_floating:
    raise ValueError(
        f'logits has dtype {logits.dtype.name}; it must be floating.'
    )
  if not logits.shape.rank or (logits.shape[-1] or 0) < 2:
    raise ValueError(
        f'logits has shape {logits.shape}; it must be [..., K], with K known'
        ' when traced and at least 2.'
    )
  return logits
