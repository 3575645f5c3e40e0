"""What a run is looked at with."""

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib

from r2i_tf import run_config
from r2i_tf.agents import experience
from r2i_tf.training import sequences

_F, _M, _L = ts.StepType.FIRST, ts.StepType.MID, ts.StepType.LAST


def _trajectory(*rows):
  types = np.array(rows, np.int32)
  numbers = np.arange(types.size, dtype=np.float32).reshape(types.shape)
  following = np.concatenate([types[:, 1:], types[:, :1]], 1)
  return trajectory_lib.Trajectory(
      step_type=tf.constant(types),
      observation={'x': tf.constant(numbers)},
      action=tf.constant(numbers),
      policy_info=(),
      next_step_type=tf.constant(following),
      reward=tf.constant(numbers),
      discount=tf.ones_like(numbers),
  )


def test_what_comes_before_the_first_start_counts_for_no_loss():
  """It is padding to the world model; a sequence without a start is whole."""
  rows = [[_M, _L, _F, _M, _L], [_F, _M, _L, _F, _M], [_M] * 5]
  found = sequences.from_first_start(_trajectory(*rows))
  seen = experience.from_trajectory(found, lambda x: x[..., tf.newaxis])
  np.testing.assert_array_equal(
      seen.is_valid, [[0, 0, 1, 1, 1], [1] * 5, [1] * 5]
  )
  np.testing.assert_array_equal(seen.observation['x'][0], np.arange(5))


def test_what_is_trained_on_is_not_held_out():
  """Where nothing is, or not yet, that is said of what is drawn."""
  none = run_config.ReplayConfig(sequence_length=5, held_out=False)
  assert not sequences.from_replay(_Replay(), none, 0)().held_out
  early = _Replay()
  early.has_sequence = lambda *_: False
  config = run_config.ReplayConfig(sequence_length=5)
  assert not sequences.from_replay(early, config, 0)().held_out


class _Replay:
  """Has one sequence, which begins within an episode."""

  def sample(self, *_):
    return iter([_trajectory([_M, _L, _F, _M, _M])])

  def has_sequence(self, *_):
    return True


@pytest.mark.parametrize(
    'fields,first',
    [
        ({}, True),
        ({'episode_starts': 0.5}, True),
        ({'episode_starts': 1.0}, False),
        ({'whole_episodes': True}, False),
    ],
)
def test_a_run_is_looked_at_with_what_it_could_have_trained_on(fields, first):
  """One that knows each start is not asked about what follows none."""
  config = run_config.ReplayConfig(sequence_length=5, batch_size=1, **fields)
  drawn = sequences.from_replay(_Replay(), config, 0)()
  assert drawn.held_out
  seen = experience.from_trajectory(
      drawn.trajectory, lambda x: x[..., tf.newaxis]
  )
  assert bool(seen.is_valid[0, 0]) == first
