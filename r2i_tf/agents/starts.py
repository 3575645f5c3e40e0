"""Which steps of a batch imagination starts from."""

from typing import Any, Optional

import tensorflow as tf

from r2i_tf import draws


def draw(
    is_valid: tf.Tensor, count: Optional[int], seed: draws.Seed
) -> Optional[tf.Tensor]:
  """Returns the places in time of the starts, int32 [B, K].

  Args:
    is_valid: bool [B, T].
    count: K, or None for all.
    seed: Of the draw.

  Returns:
    For each sequence different places; None if they are all, in order.
  """
  if count is None or count >= is_valid.shape[1]:
    return None
  # At random: any pattern in time could fall in step with the episodes.
  return tf.math.top_k(draws.uniform(tf.shape(is_valid), seed), count).indices


def pick(steps: Any, places: Optional[tf.Tensor]) -> Any:
  """Returns the steps at the starts.

  Args:
    steps: A nest of tensors [B, T, ...].
    places: Of `draw`.

  Returns:
    The same nest, [B * K, ...], without gradient.
  """
  picked = tf.nest.map_structure(tf.stop_gradient, steps)
  if places is not None:
    picked = tf.nest.map_structure(
        lambda x: tf.gather(x, places, batch_dims=1), picked
    )
  return tf.nest.map_structure(
      lambda x: tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0)), picked
  )


def put_back(
    values: tf.Tensor, places: Optional[tf.Tensor], shape: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns what belongs to starts at their places in the batch.

  Args:
    values: float32 [B * K].
    places: Of `draw`.
    shape: [B, T], int32.

  Returns:
    float32 [B, T], zero elsewhere; and bool [B, T], where there is a start.
  """
  if places is None:
    return tf.reshape(values, shape), tf.ones(shape, tf.bool)
  rows = tf.range(shape[0])[:, tf.newaxis] + tf.zeros_like(places)
  index = tf.stack([rows, places], -1)
  each = tf.reshape(values, tf.shape(places))
  return (
      tf.scatter_nd(index, each, shape),
      tf.scatter_nd(index, tf.ones_like(each), shape) > 0,
  )
