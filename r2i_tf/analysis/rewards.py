"""Whether rewards are understood, or known by heart.

A world model may know the episodes of its replay by what was done in them, and
tell their rewards without a reason. The losses of training do not show it; two
comparisons do: the same episodes without their beginnings, from which nothing
but their actions tells a reward that hangs on what was shown there, and
episodes that it has not learned from.
"""

from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from r2i_tf import draws
from r2i_tf.agents import r2i_agent
from r2i_tf.analysis import episodes as episodes_lib
from r2i_tf.analysis import states
from r2i_tf.world_model import Experience


class Predicted(NamedTuple):
  """How rewards other than zero are predicted.

  Attributes:
    steps: How many there are.
    loss: Mean of -ln p(r_t given z_t, h_t), nats; None where there are none.
    sign: Share of these whose expectation has the sign of the reward; None
      where there are none.
  """

  steps: int
  loss: Optional[float]
  sign: Optional[float]


def of_episodes(
    agent: r2i_agent.R2IAgent, episodes: episodes_lib.Episodes, seed: int
) -> Predicted:
  """Returns how the rewards of episodes are predicted, where these came.

  Args:
    agent: Whose world model predicts.
    episodes: Those.
    seed: Of the draws of the latents.
  """
  model = agent.world_model

  def predict(
      experience: Experience, seed: draws.Seed
  ) -> tuple[tf.Tensor, ...]:
    observed = model.observe(experience, seed)
    reward = model.reward(model.features.of(observed.state))
    known = experience.outcome_known & experience.is_valid
    return (
        -reward.log_prob(experience.reward),
        reward.mean() * experience.reward > 0,
        known & (experience.reward != 0),
    )

  loss, right, counted = (
      np.concatenate(parts)[: len(episodes.lengths)]
      for parts in zip(*states.in_batches(agent, episodes, predict, seed))
  )
  counted &= np.arange(counted.shape[1]) < episodes.lengths[:, np.newaxis]
  if not counted.any():
    return Predicted(0, None, None)
  return Predicted(
      int(counted.sum()),
      float(loss[counted].mean(dtype=np.float64)),
      float(right[counted].mean()),
  )


def second_halves(episodes: episodes_lib.Episodes) -> episodes_lib.Episodes:
  """Returns the same episodes without the first half of the longest.

  Args:
    episodes: Those; any that are over by then are left out.
  """
  begin = episodes.trajectory.step_type.shape[1] // 2
  lengths = episodes.lengths - begin
  cut = tf.nest.map_structure(lambda x: x[:, begin:], episodes.trajectory)
  truths = {key: x[:, begin:] for key, x in episodes.truths.items()}
  return episodes_lib.Episodes(cut, lengths, truths, episodes.is_new).some(
      lengths > 1
  )
