"""Masked steps: no loss sees them, and no gradient."""

from typing import Optional

import tensorflow as tf

from r2i_tf.world_model import structures


def count(mask: tf.Tensor) -> tf.Tensor:
  """Returns how often `mask` holds, as a float32 scalar.

  Args:
    mask: bool, any shape.
  """
  return tf.reduce_sum(tf.cast(mask, tf.float32))


def masked_mean(
    x: tf.Tensor,
    mask: tf.Tensor,
    total: tf.Tensor,
    weights: Optional[tf.Tensor] = None,
) -> tf.Tensor:
  """Returns the sum of `x` where `mask` holds, over how many there are in all.

  Args:
    x: float32 [B, T]. Masked terms may be anything, infinities included.
    mask: bool [B, T].
    total: How many terms the mean is over, float32 scalar: `count` of the mask,
      or of those of all parts of a batch. 0 counts as 1.
    weights: float32, broadcast to [B, T], on each term; None for 1.
  """
  x = tf.where(mask, x, tf.zeros_like(x))
  x = x if weights is None else x * weights
  return tf.reduce_sum(x) / tf.maximum(total, 1.0)


def blanked(experience: structures.Experience) -> structures.Experience:
  """Returns the experience with zeros where masked steps hold numbers.

  Masking the losses alone is not enough: a NaN would pass it in the gradient,
  as 0 * NaN.
  """
  valid = experience.is_valid
  known = valid & experience.outcome_known

  def blank(x: tf.Tensor) -> tf.Tensor:
    if not x.dtype.is_floating:
      return x
    keep = valid[(...,) + (tf.newaxis,) * (x.shape.rank - 2)]
    return tf.where(keep, x, tf.zeros_like(x))

  return experience._replace(
      observation=tf.nest.map_structure(blank, experience.observation),
      previous_action=blank(experience.previous_action),
      reward=tf.where(known, experience.reward, 0.0),
  )
