"""Replayed sequences for the critic: returns along what was lived.

Newer versions of DreamerV3 (arXiv 2301.04104) teach the critic not in
imagination alone, but on the sequences of the batch as well, by the rewards
that were paid and what imagination expects from each of its starts.
"""

from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp


class Replayed(NamedTuple):
  """A batch of sequences as the critic sees them, all [B, T, ...].

  Attributes:
    features: float32 [B, T, F], of s_t, as actor and critic see them.
    reward: float32 [B, T], r_t, which arrived with s_t.
    terminal: bool [B, T], whether the episode ended for good with s_t.
    continues: bool [B, T - 1], whether s_(t+1) is known and of the same
      episode; the other s_t have no return.
    imagined: float32 [B, T], the return that imagination expects from s_t.
    started: bool [B, T], whether it has started there.
  """

  features: tf.Tensor
  reward: tf.Tensor
  terminal: tf.Tensor
  continues: tf.Tensor
  imagined: tf.Tensor
  started: tf.Tensor


def continues(is_valid: tf.Tensor, is_first: tf.Tensor) -> tf.Tensor:
  """Returns which steps are followed by one of their episode, bool [B, T - 1].

  Padding has none, the last step of an episode has none, and of the last of a
  sequence none is known.

  Args:
    is_valid: bool [B, T], False at padding.
    is_first: bool [B, T], where an episode begins.
  """
  return is_valid[:, :-1] & is_valid[:, 1:] & ~is_first[:, 1:]


def returns(
    replayed: Replayed, bootstrap: tf.Tensor, discount: float, lambda_: float
) -> tf.Tensor:
  """Lambda-returns of sequences that may hold several episodes.

    R_t = r_(t+1) + d_(t+1) ((1 - l_(t+1)) v_(t+1) + l_(t+1) R_(t+1))

  with d_t = `discount`, but 0 where the episode ended for good, and l_t =
  `lambda_`, but 0 where s_t is the last that is known of its episode.

  Args:
    replayed: The sequences.
    bootstrap: float32 [B, T], v_t.
    discount: The discount factor.
    lambda_: The mixture of bootstrap (0) and Monte Carlo (1).

  Returns:
    float32 [B, T - 1], R_0 to R_(T-2); 0 where there is none.
  """
  follows = replayed.continues

  # Selections, not products: NaN may stand where nothing counts.
  def known(x: tf.Tensor) -> tf.Tensor:
    return tf.where(follows, x, 0.0)

  ends = replayed.terminal[:, 1:]
  value = tf.where(ends, 0.0, bootstrap[:, 1:])
  d = known(tf.where(ends, 0.0, discount))
  goes_on = tf.concat([follows[:, 1:], tf.zeros_like(follows[:, :1])], 1)
  mixture = lambda_ * tf.cast(goes_on, tf.float32)
  here = known(replayed.reward[:, 1:] + d * (1 - mixture) * value)
  # From the end: each R is an affine map of the one behind it, and maps are
  # composed in a tree, not one after another.
  factor, offset = (
      tf.reverse(tf.transpose(x), [0]) for x in (d * mixture, here)
  )
  _, result = tfp.math.scan_associative(
      lambda later, sooner: (
          later[0] * sooner[0],
          sooner[0] * later[1] + sooner[1],
      ),
      (factor, offset),
  )
  return tf.transpose(tf.reverse(result, [0]))
