"""Returns of imagined trajectories, and their normalisation.

Time-major pure functions after DreamerV3 (arXiv 2301.04104, equations 5 to 8),
and the moving percentiles that scale the returns.
"""

from collections.abc import Sequence

import tensorflow as tf

_MOST_RETURNS = 2**18


def lambda_returns(
    reward: tf.Tensor,
    discount: tf.Tensor,
    value: tf.Tensor,
    lambda_: float,
) -> tf.Tensor:
  """Lambda-returns of trajectories s_0, ..., s_H.

    R_t = r_(t+1) + d_(t+1) ((1 - lambda) v_(t+1) + lambda R_(t+1)),
    R_H = v_H

  Args:
    reward: float32 [H, N], r_1 to r_H: r_t arrives with s_t.
    discount: float32 [H, N], d_1 to d_H, the discount factor times the
      probability that the episode goes on from s_t.
    value: float32 [H, N], v_1 to v_H, the values of s_1 to s_H.
    lambda_: The mixture of bootstrap (0) and Monte Carlo (1).

  Returns:
    float32 [H, N], R_0 to R_(H-1).

  Raises:
    ValueError: The three have no common shape [H, N], with H known when traced
      and at least 1.
  """
  reward, discount, value = _time_major(
      reward=reward, discount=discount, value=value
  )
  horizon = reward.shape[0]
  returns, following = [], value[-1]
  for t in reversed(range(horizon)):
    following = reward[t] + discount[t] * (
        (1 - lambda_) * value[t] + lambda_ * following
    )
    returns.append(following)
  return tf.stack(returns[::-1])


def trajectory_weights(continuation: tf.Tensor, discount: float) -> tf.Tensor:
  """How much each imagined step counts: the chance to get there, discounted.

    w_0 = c_0,   w_t = w_(t-1) d c_t

  Args:
    continuation: float32 [H + 1, N], the probability c_t that the episode goes
      on from s_t; c_0 is known.
    discount: d, the discount factor.

  Returns:
    float32 [H + 1, N].

  Raises:
    ValueError: `continuation` is not of rank 2.
  """
  (continuation,) = _time_major(continuation=continuation)
  return tf.math.cumprod(continuation * discount, axis=0) / discount


def masked_percentiles(
    x: tf.Tensor, mask: tf.Tensor, percentages: Sequence[float]
) -> tf.Tensor:
  """Percentiles of the elements of `x` where `mask` holds.

  Args:
    x: float32, any shape.
    mask: bool, the shape of `x`.
    percentages: Numbers in [0, 100].

  Returns:
    float32 [len(percentages)], linearly interpolated; 0 where nothing is left.

  Raises:
    ValueError: `mask` is not of the shape of `x`, or not bool.
  """
  x, mask = _masked(x, mask)
  x, mask = tf.reshape(x, [-1]), tf.reshape(mask, [-1])
  count = tf.reduce_sum(tf.cast(mask, tf.int32))
  ordered = tf.sort(tf.where(mask, x, x.dtype.max))
  last = tf.maximum(count - 1, 0)
  position = tf.cast(last, tf.float32) * tf.constant(percentages) / 100
  below = tf.cast(tf.floor(position), tf.int32)
  above = tf.minimum(below + 1, last)
  share = position - tf.floor(position)
  result = (1 - share) * tf.gather(ordered, below) + share * tf.gather(
      ordered, above
  )
  return tf.where(count > 0, result, tf.zeros_like(result))


def thinned(
    returns: tf.Tensor, is_valid: tf.Tensor, each: int, parts: int
) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns as many of a batch's returns as percentiles need, about 2^18.

  Every replica sorts those of all. Where a batch has more, it is every k-th
  start of each sequence that gives its returns, with the smallest k that is
  enough; which starts these are does not depend on how the batch is split.

  Args:
    returns: float32 [H, N], of this part of the batch.
    is_valid: bool [N], which starts count.
    each: Starts of a sequence, which lie one after the other.
    parts: How many parts of this size the batch has.

  Returns:
    float32 [M], and bool [M], which of them count.
  """
  (returns,) = _time_major(returns=returns)
  horizon, starts = returns.shape
  if starts is None:
    starts = tf.shape(returns)[1]
  step = (horizon * starts * parts - 1) // _MOST_RETURNS + 1

  def flat(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tf.reshape(x, [horizon, -1, each])[..., ::step], [-1])

  return flat(returns), flat(tf.broadcast_to(is_valid, tf.shape(returns)))


class ReturnNormalizer(tf.Module):
  """Moving 5th and 95th percentile of the returns.

  Dividing by their distance, but never by less than 1, makes one entropy scale
  serve for dense and sparse rewards.
  """

  def __init__(self, decay: float):
    """Creates the two averages, both from 0, with a decay a step."""
    super().__init__(name='return_normalizer')
    self._decay = decay
    self._percentiles = tf.Variable(
        tf.zeros([2]), trainable=False, name='percentiles'
    )

  def updated(self, returns: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns the percentiles after a batch of returns, without keeping them.

    Args:
      returns: float32, any shape.
      mask: bool, the same shape; which returns count.

    Returns:
      float32 [2], for `scale` and `assign`.

    Raises:
      ValueError: `mask` is not of the shape of `returns`, or not bool.
    """
    batch = masked_percentiles(returns, mask, [5.0, 95.0])
    return self._decay * self._percentiles + (1 - self._decay) * batch

  def scale(self, percentiles: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns (offset, scale): normalised is (return - offset) / scale."""
    low, high = percentiles[0], percentiles[1]
    return low, tf.maximum(1.0, high - low)

  def assign(self, percentiles: tf.Tensor, condition: tf.Tensor) -> None:
    """Keeps the result of `updated`, where `condition` holds."""
    self._percentiles.assign(
        tf.where(condition, percentiles, self._percentiles)
    )


def _time_major(**values: tf.Tensor) -> list[tf.Tensor]:
  """Returns arguments as tensors, all of one shape [H, N]."""
  tensors = {name: tf.convert_to_tensor(x) for name, x in values.items()}
  first, *_ = tensors.values()
  for name, tensor in tensors.items():
    if tensor.shape.rank != 2 or not tensor.shape[0]:
      raise ValueError(
          f'{name} has shape {tensor.shape}; it must be [H, N], time first,'
          ' with H known when traced and at least 1.'
      )
    if not tensor.shape.is_compatible_with(first.shape):
      raise ValueError(
          f'{name} has shape {tensor.shape}, but {next(iter(tensors))} has'
          f' shape {first.shape}; both must have the same.'
      )
  return list(tensors.values())


def _masked(x: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns an array and its mask as tensors, of one shape, the mask bool."""
  x, mask = tf.convert_to_tensor(x), tf.convert_to_tensor(mask)
  if mask.dtype != tf.bool:
    raise ValueError(f'the mask has dtype {mask.dtype.name}; it must be bool.')
  if not mask.shape.is_compatible_with(x.shape):
    raise ValueError(
        f'the mask has shape {mask.shape}; it must be that of the masked array,'
        f' {x.shape}.'
    )
  return x, mask
