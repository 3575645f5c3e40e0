"""What a reward prediction hangs on: its gradient to what came before.

  |d r_t / d e_(t-k)|,   |d r_t / d a_(t-k)|

with r_t the mean of the world model's reward prediction at a rewarded step t,
e the embedding of an observation and a the encoded action that came before it.
The gradient goes through the latents as in training, straight through their
draws. It shows where the model looks, to first order; what a probe finds may be
there and not be used.
"""

from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from r2i_tf import draws
from r2i_tf.agents import r2i_agent
from r2i_tf.analysis import episodes as episodes_lib
from r2i_tf.analysis import states
from r2i_tf.world_model import Experience

_BATCH_STEPS = 2**14  # Steps that a gradient goes back through, about.
_POINTS = 40  # Of a curve over the lags.


class Sensitivity(NamedTuple):
  """Means over episodes, each of one rewarded step: its last.

  Attributes:
    lags: k, int [K].
    embedding: Norms of the gradients to e_(t-k), float64 [K].
    action: The same to the action before o_(t-k).
    episodes: How many there are.
  """

  lags: np.ndarray
  embedding: np.ndarray
  action: np.ndarray
  episodes: int


def of_rewards(
    agent: r2i_agent.R2IAgent, episodes: episodes_lib.Episodes, seed: int
) -> Optional[Sensitivity]:
  """Returns how reward predictions hang on what came before.

  Args:
    agent: Whose world model predicts.
    episodes: As many of them as one batch can hold are looked at.
    seed: Of the draws of the latents.

  Returns:
    The means; None where no step has a reward.
  """
  experience = states.of_trajectory(agent, episodes)
  rewards = experience.reward.numpy()
  longest = rewards.shape[1]
  within = np.arange(longest) < episodes.lengths[:, np.newaxis]
  rewarded = within & (rewards != 0)
  chosen = np.flatnonzero(rewarded.any(1))[: max(1, _BATCH_STEPS // longest)]
  if not len(chosen):
    return None
  at = longest - 1 - np.argmax(rewarded[chosen, ::-1], 1)
  experience = tf.nest.map_structure(lambda x: tf.gather(x, chosen), experience)
  of_embedding, of_action = _norms(agent, experience, at, seed)
  lags = np.unique(np.geomspace(1, longest, _POINTS).round().astype(int)) - 1
  lags = lags[lags <= at.max()]
  return Sensitivity(
      lags,
      _by_lag(of_embedding.numpy(), at, lags),
      _by_lag(of_action.numpy(), at, lags),
      len(chosen),
  )


def _by_lag(norms: np.ndarray, at: np.ndarray, lags: np.ndarray) -> np.ndarray:
  """Returns the means of norms [B, T] so many steps before those of `at`."""
  means = []
  for lag in lags:
    rows = np.flatnonzero(at >= lag)
    means.append(norms[rows, at[rows] - lag].mean(dtype=np.float64))
  return np.array(means)


@tf.function(autograph=False)
def _norms(
    agent: r2i_agent.R2IAgent, experience: Experience, at: np.ndarray, seed: int
) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns norms [B, T] of the gradients of one step of each sequence."""
  model = agent.world_model
  embedding = model.embed(experience.observation)
  action = experience.previous_action
  with tf.GradientTape() as tape:
    tape.watch([embedding, action])
    observed = model.observe_embedded(
        embedding,
        experience._replace(previous_action=action),
        draws.Seed(tf.constant([seed, 0]), tf.constant(0)),
    )
    reward = model.reward(model.features.of(observed.state)).mean()
    # Sequences know nothing of each other, so a sum keeps them apart.
    predicted = tf.reduce_sum(tf.gather(reward, at, batch_dims=1))
  gradients = tape.gradient(
      predicted,
      [embedding, action],
      unconnected_gradients=tf.UnconnectedGradients.ZERO,
  )
  return tuple(tf.norm(gradient, axis=-1) for gradient in gradients)
