"""The values that go into the world model, through it, and out of it."""

from typing import Any, NamedTuple

import tensorflow as tf


class Experience(NamedTuple):
  """A batch of sequences as the world model wants them, all [B, T, ...].

  Everything at index t arrived together with o_t.

  Attributes:
    observation: A nest; o_t.
    previous_action: float32 [B, T, A], encoded a_(t-1); zeros where is_first.
    reward: float32 [B, T], r_t; 0 where is_first.
    terminal: bool [B, T], whether the episode ended here for good.
    is_first: bool [B, T], where memory starts anew; True at t = 0.
    is_valid: bool [B, T], False at padding.
    outcome_known: bool [B, T], False where reward and terminal are unknown.
  """

  observation: Any
  previous_action: tf.Tensor
  reward: tf.Tensor
  terminal: tf.Tensor
  is_first: tf.Tensor
  is_valid: tf.Tensor
  outcome_known: tf.Tensor


class Carry(NamedTuple):
  """The values that go from step to step; [...] stands for the batch axes.

  Attributes:
    memory: m_t of the sequence model, a nest of its own, leaves [..., any].
    latent: z_t, float32 [..., G * K], one-hot groups laid end to end.
  """

  memory: Any
  latent: tf.Tensor


class State(NamedTuple):
  """The part of a step that networks may see; `features` has each one's share.

  Attributes:
    output: h_t, float32 [..., D].
    latent: z_t, float32 [..., G * K], as it is carried.
    hidden: x_t, float32 [..., S], the visible part of the memory.
  """

  output: tf.Tensor
  latent: tf.Tensor
  hidden: tf.Tensor


class Imagined(NamedTuple):
  """Trajectories of the model alone, time-major.

  The last step stands apart: no action was taken in it, and the others can be
  used as one array, without a slice of the largest array of a train step.

  Attributes:
    features: float32 [H, N, F], of s_0 to s_(H-1), as the policy saw them.
    last_features: float32 [N, F], the same of s_H.
    action: float32 [H, N, A], a_0 to a_(H-1), encoded.
    reward: float32 [H, N], the mean of p(r_t | s_t) for s_1 to s_H.
    continuation: float32 [H, N], the probability that the episode goes on from
      s_t, for s_1 to s_H.
  """

  features: tf.Tensor
  last_features: tf.Tensor
  action: tf.Tensor
  reward: tf.Tensor
  continuation: tf.Tensor
