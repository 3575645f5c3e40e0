"""From TF-Agents trajectories to the experience of the world model.

A `Trajectory` at index t holds o_t, a_t and the consequences of a_t: the reward
and discount of step t + 1. The world model wants those that came with o_t, so
rewards, discounts and actions move one step back in time:

  is_first_t = step_type_t is FIRST, or t = 0 (memory starts anew there)
  reward_t   = reward of index t - 1, 0 where step_type_t is FIRST
  terminal_t = step_type_t is LAST and the discount of index t - 1 is 0
  action     = action of index t - 1, 0 where is_first

A sequence may hold several episodes and may start within one; of its first
step, unless that is FIRST, the reward and the terminal flag are unknown.
Padding is written by TF-Agents' observers after an episode: boundary steps
(LAST, followed by FIRST) that follow a boundary step. A sequence that starts
on a boundary step may be padding from its first step on, so that step counts
as padding too.
"""

from collections.abc import Callable

import tensorflow as tf
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib

from r2i_tf.world_model import Experience


def from_trajectory(
    trajectory: trajectory_lib.Trajectory,
    encode_action: Callable[[tf.Tensor], tf.Tensor],
) -> Experience:
  """Converts a batch of trajectories.

  Args:
    trajectory: Leaves [B, T, ...].
    encode_action: Environment actions [B, T, ...] -> float32 [B, T, A].

  Returns:
    The same steps as `Experience`, [B, T, ...].
  """
  step_type = trajectory.step_type
  begins = tf.equal(step_type, ts.StepType.FIRST)
  last = tf.equal(step_type, ts.StepType.LAST)
  at_start = tf.range(tf.shape(step_type)[1])[tf.newaxis] == 0
  is_first = begins | at_start
  reward = tf.cast(_previous(trajectory.reward), tf.float32)
  discount = _previous(trajectory.discount)
  action = _previous(encode_action(trajectory.action))
  after_last = last & _previous(last)
  return Experience(
      observation=trajectory.observation,
      previous_action=tf.where(is_first[..., tf.newaxis], 0.0, action),
      reward=tf.where(is_first, 0.0, reward),
      terminal=last & tf.equal(discount, 0) & ~at_start,
      is_first=is_first,
      is_valid=~(after_last | (last & at_start)),
      outcome_known=begins | ~at_start,
  )


def _previous(x: tf.Tensor) -> tf.Tensor:
  """Shifts [B, T, ...] one step later, with zeros at t = 0."""
  return tf.concat([tf.zeros_like(x[:, :1]), x[:, :-1]], 1)
