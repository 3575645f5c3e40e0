"""Tests of the check of an environment against its specs."""

import dm_env
from dm_env import specs
import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf.environments import checks
from tests.environments import fakes

ZEROS = np.zeros(2, np.float32)
INFINITE = np.float16(np.inf)
FIRST = dm_env.restart(ZEROS)


@pytest.mark.parametrize(
    'step,reason',
    [
        (ZeroDivisionError('oh'), 'step() raised ZeroDivisionError: oh'),
        (dm_env.transition(np.nan, ZEROS), 'the reward is nan.'),
        (dm_env.transition(np.inf, ZEROS), 'the reward is inf.'),
        (dm_env.transition(INFINITE, ZEROS), 'the reward is inf.'),
        (
            dm_env.transition(np.zeros(3), ZEROS),
            'the reward has the shape [3], but its spec has [].',
        ),
        (
            dm_env.transition(1e39, ZEROS),
            'the reward is 1e+39, which float32 cannot hold.',
        ),
        (
            dm_env.transition(None, ZEROS),
            'the reward is None, but it must be a real number.',
        ),
        (
            dm_env.transition('x', ZEROS),
            "the reward is 'x', but it must be a real number.",
        ),
        (
            dm_env.transition(1j, ZEROS),
            'the reward is 1j, but it must be a real number.',
        ),
        (
            dm_env.transition(True, ZEROS),
            'the reward is True, but it must be a number, such as 1.0.',
        ),
        (
            dm_env.transition(np.ones(1), ZEROS),
            'the reward has the shape [1], but its spec has [].',
        ),
        (
            dm_env.transition(1.0, ZEROS, discount=None),
            'the discount is None, but it must be a real number.',
        ),
        (
            dm_env.transition(1.0, ZEROS, discount='1'),
            "the discount is '1', but it must be a real number.",
        ),
        (
            dm_env.transition(1.0, ZEROS, discount=np.nan),
            'the discount is nan.',
        ),
        (
            dm_env.transition(1.0, ZEROS, discount=np.ones(2)),
            'the discount has the shape [2], but its spec has [].',
        ),
        (
            dm_env.transition(1.0, ZEROS, discount=1.5),
            'the discount is 1.5, but it must lie in [0, 1].',
        ),
        (
            dm_env.transition(1.0, np.zeros(3, np.float32)),
            'the observation is float32 [3], but its spec is float32 [2].',
        ),
        (
            dm_env.transition(1.0, np.zeros(2)),
            'the observation is float64 [2], but its spec is float32 [2].',
        ),
        (
            dm_env.transition(1.0, np.array([0, np.inf], np.float32)),
            'the observation holds inf.',
        ),
        (
            dm_env.transition(1.0, {'a': ZEROS}),
            "the observation has the parts 'a', but its spec has one array.",
        ),
        (
            dm_env.transition(1.0, None),
            'the observation is object [], but its spec is float32 [2].',
        ),
        (
            dm_env.transition(1.0, [[1], [1, 2]]),
            "the observation has the parts '0/0', '1/0', '1/1', but its spec"
            ' has one array.',
        ),
        (None, 'step() gave a NoneType, but it must be a dm_env.TimeStep.'),
        (FIRST, 'step() gave a FIRST step, with no LAST step before it.'),
    ],
)
def test_fault_is_one_sentence_with_a_name(step, reason):
  """Each way to break the contract is told, and in which environment."""
  env = checks.CheckedEnvironment(fakes.Scripted(FIRST, step), 'it')
  env.reset()
  with pytest.raises(environments.FaultyEnvironmentError) as caught:
    env.step(0)
  assert str(caught.value) == f'it: {reason}'


@pytest.mark.parametrize(
    'reward', [3, np.float16(60000), np.array(2.0), np.int64(-1), np.float64(1)]
)
def test_any_real_number_is_a_reward(reward):
  """Integers, every size of float and arrays of rank 0."""
  step = dm_env.transition(reward, ZEROS, discount=np.array(1))
  env = checks.CheckedEnvironment(fakes.Scripted(FIRST, step), 'it')
  env.reset()
  assert env.step(0).reward == reward


def test_numbers_that_overflow_later_are_found_here():
  """A float64 observation becomes float32, where 1e39 is infinite."""
  large = np.array([0, -1e39])
  env = fakes.Scripted(dm_env.restart(large))
  env.observation_spec = lambda: specs.Array([2], np.float64)
  with pytest.raises(environments.FaultyEnvironmentError) as caught:
    checks.CheckedEnvironment(env, 'it').reset()
  assert str(caught.value) == (
      'it: the observation holds -1e+39, which float32 cannot hold.'
  )


def test_reset_must_give_a_first_step():
  """An environment that goes on at a reset is found out."""
  step = dm_env.transition(0.0, ZEROS)
  env = checks.CheckedEnvironment(fakes.Scripted(step), 'it')
  with pytest.raises(environments.FaultyEnvironmentError, match='not FIRST'):
    env.reset()


def test_next_episode_begins_by_a_step():
  """After a LAST step, and before any, a step starts an episode."""
  last = dm_env.termination(1.0, ZEROS)
  env = checks.CheckedEnvironment(fakes.Scripted(FIRST, last, FIRST), 'it')
  kinds = [env.step(0).step_type for _ in range(3)]
  assert kinds == [
      dm_env.StepType.FIRST,
      dm_env.StepType.LAST,
      dm_env.StepType.FIRST,
  ]


class Thermometer(fakes.Corridor):
  """Gives a number of Python's own."""

  def observation(self, action):
    del action
    return 0.5

  def observation_spec(self):
    return specs.Array([], np.float64)


def test_a_number_is_an_observation():
  """As it is in a process of its own."""
  env = environments.load(Thermometer(), 0)
  observation = env.reset().observation
  assert observation.dtype == np.float32 and observation == 0.5
