"""How rewards of episodes are predicted."""

import math

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf.analysis import episodes
from r2i_tf.analysis import rewards
from tests.agents import small

_REWARDS = [[0, 0, 1, -1], [0, 0, 0, 1], [0, 2, 0, 0]]  # That come with o_t.
_LENGTHS = [4, 4, 2]


def _episodes():
  steps = small.trajectories(batch=3, length=4)
  of_action = np.zeros([3, 4], np.float32)
  of_action[:, :-1] = np.array(_REWARDS, np.float32)[:, 1:]
  # Behind the end of the third is anything.
  of_action[2, 2] = 7.0
  steps = steps._replace(
      step_type=np.array([[0, 1, 1, 2]] * 2 + [[0, 2, 2, 2]], np.int32),
      next_step_type=np.array([[1, 1, 2, 0]] * 2 + [[2, 0, 2, 2]], np.int32),
      reward=of_action,
      discount=np.ones([3, 4], np.float32),
  )
  steps = tf.nest.map_structure(np.asarray, steps)
  return episodes.Episodes(steps, np.array(_LENGTHS), {}, True)


def test_a_head_that_knows_nothing_has_the_loss_of_its_bins():
  """Counted are the steps with a reward, and none behind an end."""
  agent = small.agent()
  found = rewards.of_episodes(agent, _episodes(), seed=0)
  bins = agent.world_model.heads['reward'].trainable_variables[-1].shape[-1]
  assert found.steps == 4
  assert found.loss == pytest.approx(math.log(bins), rel=1e-5)


def test_the_sign_is_that_of_the_expectation():
  """A head that always expects something good is right in three of four."""
  agent = small.agent()
  bias = agent.world_model.heads['reward'].trainable_variables[-1]
  bias.assign(tf.linspace(0.0, 5.0, bias.shape[-1]))
  assert rewards.of_episodes(agent, _episodes(), seed=0).sign == 0.75


def test_second_halves_begin_later_and_end_where_they_did():
  """Of their first step the reward is unknown, and is not counted."""
  whole = _episodes()
  halves = rewards.second_halves(whole)
  np.testing.assert_array_equal(halves.lengths, [2, 2])
  np.testing.assert_array_equal(
      halves.trajectory.observation, whole.trajectory.observation[:2, 2:]
  )
  assert rewards.of_episodes(small.agent(), halves, seed=0).steps == 2


def test_episodes_without_rewards_say_so():
  """None, where a mean of nothing would be NaN."""
  none = _episodes()
  none.trajectory.reward[:] = 0
  found = rewards.of_episodes(small.agent(), none, seed=0)
  assert found == rewards.Predicted(0, None, None)
