"""Masked steps: no loss sees them, and no gradient."""

from typing import Optional

import tensorflow as tf

from r2i_tf.world_model import structures


def masked_mean(
    x: tf.Tensor, mask: tf.Tensor, weights: Optional[tf.Tensor] = None
) -> tf.Tensor:
  """Returns the mean of `x` where `mask` holds, each term times its weight.

  Args:
    x: float32 [B, T]. Masked terms may be anything, infinities included.
    mask: bool [B, T].
    weights: float32, broadcast to [B, T]; None for 1.
  """
  counted = tf.cast(mask, tf.float32)
  weighted = counted if weights is None else counted * weights
  x = tf.where(mask, x, tf.zeros_like(x))
  return tf.reduce_sum(x * weighted) / tf.maximum(tf.reduce_sum(counted), 1.0)


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
