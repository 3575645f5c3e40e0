"""The stages of behaviour learning, as one replica goes through them."""

from typing import NamedTuple

import tensorflow as tf


class Losses(NamedTuple):
  """Of a whole batch.

  Attributes:
    actor: The actor's loss; its gradient, where actions are continuous, is
      complete.
    critic: The critic's loss.
    percentiles: The new ones.
    actor_value: The actor's loss as it is reported.
    error: Mean error of the critic.
  """

  actor: tf.Tensor
  critic: tf.Tensor
  percentiles: tf.Tensor
  actor_value: tf.Tensor
  error: tf.Tensor


def losses(behavior, outcome):
  """Returns both losses of a whole batch, and the new percentiles."""
  starts = tf.reduce_sum(tf.cast(outcome.is_valid, tf.float32))
  critique = behavior.criticize(outcome, starts)
  percentiles = behavior.normalizer.updated(
      critique.returns,
      tf.broadcast_to(outcome.is_valid, tf.shape(critique.returns)),
  )
  _, scale = behavior.normalizer.scale(percentiles)
  actor, _ = behavior.actor_loss(outcome, critique, scale, starts)
  to_learn = actor
  if behavior.actions.differentiable:
    to_learn -= critique.ascent / scale
  return Losses(
      to_learn,
      critique.loss,
      percentiles,
      actor,
      critique.metrics['critic/error'],
  )
