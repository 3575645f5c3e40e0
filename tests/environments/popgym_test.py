"""Tests of POPGym."""

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf.agents import spec_checks
from r2i_tf.environments.suites import registry as suites

envs = pytest.importorskip('popgym.envs')

NAMES = [cls.__name__ for cls in envs.ALL]


def play(task, seed, steps=150, options=None):
  """Returns observations and rewards under random actions, and the ends."""
  env = environments.load(f'popgym/{task}', seed, options)
  spec_checks.check_specs(env.time_step_spec(), env.action_spec())
  spec = env.action_spec()
  random = np.random.default_rng(0)
  time_step, rows, ends = env.reset(), [], set()
  for _ in range(steps):
    rows.append(np.append(time_step.observation, time_step.reward))
    if time_step.is_last():
      ends.add(float(time_step.discount))
    if spec.dtype.kind == 'f':
      action = random.uniform(-1, 1, spec.shape)
    else:
      action = random.integers(spec.minimum, spec.maximum, endpoint=True)
    time_step = env.step(np.asarray(action, spec.dtype))
    assert time_step.observation.dtype == env.observation_spec().dtype
  return np.stack(rows), ends


@pytest.mark.parametrize('name', NAMES)
def test_every_variant_is_played_and_repeats_by_its_seed(name):
  """All variants keep to their specs, and a seed gives the same episodes."""
  assert len(NAMES) >= 42
  rows, _ = play(name, 3)
  np.testing.assert_array_equal(rows, play(name, 3)[0])
  assert np.any(rows != play(name, 4)[0])


def test_time_limit_is_no_termination():
  """The bandit's episode is cut; an episode of cards comes to its end."""
  assert play('MultiarmedBanditEasy', 0, 210)[1] == {1.0}
  assert play('RepeatPreviousEasy', 0)[1] == {0.0}
  assert play('PositionOnlyCartPoleEasy', 0)[1] == {0.0}


def test_what_is_one_of_n_is_written_as_n_numbers():
  """Discrete parts stand end to end, each with a single 1."""
  rows, _ = play('RepeatPreviousEasy', 0)
  assert np.all(rows[:, :-1].sum(-1) == 1) and rows.shape[1] == 4 + 1
  rows, _ = play('AutoencodeEasy', 0)
  assert rows.shape[1] == 2 + 4 + 1
  assert np.all(rows[:, :2].sum(-1) == 1) and np.all(rows[:, 2:6].sum(-1) == 1)
  rows, _ = play('ConcentrationMedium', 0)
  assert rows.shape[1] == 104 * 3 + 1
  assert np.all(rows[:, :-1].reshape(-1, 104, 3).sum(-1) == 1)


@pytest.mark.parametrize('joined', [True, False])
def test_field_is_one_choice_or_two(joined):
  """Joined, action 8 row + column shoots at that field of the board."""
  env = suites.make(
      'popgym/BattleshipEasy', 0, environments.PopgymOptions(joined)
  )
  env.reset()
  inner = env._environment._environment
  shots = []
  step = inner.step
  inner.step = lambda action: (shots.append(action), step(action))[1]
  env.step(np.int32(19) if joined else np.array([2, 3], np.int32))
  np.testing.assert_array_equal(shots, [[2, 3]])
  assert env.action_spec().shape == (() if joined else (2,))


def test_actions_of_the_pendulum_are_scaled():
  """The torque is from -2 to 2, the action from -1 to 1."""
  spec = suites.make('popgym/PositionOnlyPendulumEasy', 0).action_spec()
  assert (spec.minimum.min(), spec.maximum.max()) == (-1.0, 1.0)
