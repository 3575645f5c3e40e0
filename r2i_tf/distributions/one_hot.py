"""One-hot categorical variables with straight-through samples.

The latents of the world model and the discrete actions of the actor. A sample
is one-hot in the forward pass and passes its gradient to the probabilities in
the backward pass (DreamerV2, arXiv 2010.02193, algorithm 1). A share of the
uniform distribution is mixed in, so that no class ever has probability zero
and the KL between two such distributions stays bounded.
"""

from typing import Any, Optional

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd
from tensorflow_probability.python.internal import samplers

# The log probability of an impossible class. Not -inf: in an entropy or a
# gradient, 0 * -inf would be NaN.
_IMPOSSIBLE = -1e9


def unimix_log_probabilities(
    logits: tf.Tensor, unimix: float, possible: Optional[np.ndarray] = None
) -> tf.Tensor:
  """Log probabilities of a softmax with a share of the uniform distribution.

    p = (1 - unimix) softmax(logits) + unimix / K

  Args:
    logits: float32 or float64 [..., K], unnormalised.
    unimix: The share of the uniform distribution, in [0, 1).
    possible: bool [..., K], which classes there are, at least one in each
      group; broadcast against `logits`. Softmax and uniform distribution are
      over those alone, and K is their number. None: every class is possible.

  Returns:
    log p, of the shape and dtype of `logits`; -1e9 for an impossible class,
    whose logit gets no gradient.

  Raises:
    ValueError: A shape, the dtype or `unimix` is not as above.
  """
  logits = _checked_logits(logits, unimix)
  classes = logits.shape[-1]
  if possible is not None:
    classes = _count(possible, logits)
    logits = tf.where(possible, logits, _IMPOSSIBLE)
  if unimix:
    # An impossible class gets a share as well, which the last line discards:
    # the logarithm and its gradient stay finite.
    share = tf.constant(unimix / classes, logits.dtype)
    log_probabilities = tf.math.log(
        (1 - unimix) * tf.nn.softmax(logits) + share
    )
  else:
    log_probabilities = tf.nn.log_softmax(logits)
  if possible is None:
    return log_probabilities
  return tf.where(possible, log_probabilities, _IMPOSSIBLE)


class UnimixOneHotCategorical(tfd.OneHotCategorical):
  """(1 - unimix) softmax(logits) + unimix / K, straight-through samples."""

  def __init__(
      self,
      logits: tf.Tensor,
      unimix: float = 0.01,
      name: str = 'UnimixOneHotCategorical',
  ):
    """Builds the distribution.

    Args:
      logits: float32 or float64 [..., K], unnormalised.
      unimix: The share of the uniform distribution, in [0, 1).
      name: A name for the operations.

    Raises:
      ValueError: A shape, the dtype or `unimix` is not as above.
    """
    parameters = dict(locals())
    logits = unimix_log_probabilities(logits, unimix)
    self._unimix = unimix
    super().__init__(logits=logits, dtype=logits.dtype, name=name)
    # Copies and slices are made from these: the mixed logits, not mixed again.
    self._parameters = dict(parameters, logits=logits, unimix=0.0)

  @classmethod
  def _parameter_properties(
      cls, dtype: tf.DType, num_classes: Optional[int] = None
  ) -> dict[str, tfp.util.ParameterProperties]:
    return dict(
        logits=tfp.util.ParameterProperties(event_ndims=1),
        unimix=tfp.util.ParameterProperties(event_ndims=None),
    )

  @property
  def unimix(self) -> float:
    """The share of the uniform distribution."""
    return self._unimix

  def sample_at(self, threshold: tf.Tensor) -> tf.Tensor:
    """Returns the sample that belongs to a uniform random number.

    By the inverse of the cumulative distribution: one number a variable instead
    of one a class, and no logarithms.

    Args:
      threshold: [..., *batch_shape, 1], of the distribution's dtype, in [0, 1).

    Returns:
      [..., *batch_shape, K], one-hot, straight-through.
    """
    probabilities = self.probs_parameter()
    classes = probabilities.shape[-1]
    below = tf.linalg.matmul(
        tf.stop_gradient(probabilities),
        tf.constant(np.triu(np.ones((classes, classes)), 1), self.dtype),
    )
    # The last class whose lower edge is at most the threshold. One without
    # probability is none, though rounding may leave its edge below 1.
    reached = (below <= threshold) & (probabilities > 0)
    index = tf.reduce_max(tf.where(reached, tf.range(classes), 0), -1)
    hard = tf.one_hot(index, classes, dtype=self.dtype)
    return hard + (probabilities - tf.stop_gradient(probabilities))

  def _sample_n(self, n: tf.Tensor, seed: Any = None) -> tf.Tensor:
    shape = tf.concat([[n], tf.shape(self.probs_parameter())[:-1], [1]], 0)
    return self.sample_at(samplers.uniform(shape, dtype=self.dtype, seed=seed))


def one_hot_groups(logits: tf.Tensor, unimix: float) -> tfd.Independent:
  """Independent one-hot variables as one event of shape [G, K].

  Args:
    logits: float32 or float64 [..., G, K].
    unimix: The share of the uniform distribution, in [0, 1).

  Returns:
    A distribution with event shape [G, K]; `log_prob`, `entropy` and KL are
    summed over the groups.

  Raises:
    ValueError: A shape, the dtype or `unimix` is not as above.
  """
  logits = tf.convert_to_tensor(logits)
  if logits.shape.rank is None or logits.shape.rank < 2:
    raise ValueError(
        f'logits has shape {logits.shape}; it must be [..., G, K].'
    )
  return tfd.Independent(
      UnimixOneHotCategorical(logits, unimix), reinterpreted_batch_ndims=1
  )


def _checked_logits(logits: tf.Tensor, unimix: float) -> tf.Tensor:
  """Returns the logits as a tensor, shape, dtype and `unimix` checked."""
  logits = tf.convert_to_tensor(logits)
  if logits.dtype not in (tf.float32, tf.float64):
    raise ValueError(
        f'logits has dtype {logits.dtype.name}; it must be float32 or float64.'
    )
  if not logits.shape.rank or not logits.shape[-1]:
    raise ValueError(
        f'logits has shape {logits.shape}; it must be [..., K], with K known'
        ' when traced and at least 1.'
    )
  if not 0.0 <= unimix < 1.0:
    raise ValueError(f'unimix is {unimix}; it must lie in [0, 1).')
  return logits


def _count(possible: np.ndarray, logits: tf.Tensor) -> np.ndarray:
  """Returns how many classes of a group are possible, [..., 1]."""
  axes = np.ndim(possible)
  if np.asarray(possible).dtype != bool or not axes:
    raise ValueError(
        f'possible is {possible!r}; it must be an array of bool, [..., K].'
    )
  if not logits.shape[-axes:].is_compatible_with(np.shape(possible)):
    raise ValueError(
        f'possible has shape {np.shape(possible)}; its axes must be the last'
        f' ones of logits, which has shape {logits.shape}.'
    )
  count = np.sum(possible, -1, keepdims=True)
  if not np.all(count):
    raise ValueError('possible has a group in which no class is possible.')
  return count
