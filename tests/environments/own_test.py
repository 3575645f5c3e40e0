"""Tests of environments of one's own, of Gymnasium and of TF-Agents."""

import functools

from dm_env import specs
import numpy as np
import pytest
from tf_agents.environments import py_environment
from tf_agents.environments import random_py_environment
from tf_agents.environments import wrappers as tf_wrappers
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from r2i_tf import environments
from r2i_tf import schema
from tests.environments import fakes

gymnasium = pytest.importorskip('gymnasium')
gymnasium_fakes = pytest.importorskip('tests.environments.gymnasium_fakes')
spaces = gymnasium.spaces
Fake = gymnasium_fakes.Fake


def box(low, high, shape, dtype):
  return spaces.Box(low, high, shape, dtype)


@pytest.mark.parametrize(
    'given',
    [
        Fake(),
        Fake,
        functools.partial(gymnasium.make, 'CartPole-v1'),
        lambda seed: gymnasium.wrappers.TimeLimit(Fake(), 2),
    ],
)
def test_an_environment_of_gymnasium_is_a_task(given):
  """Itself, its class or a function that makes one, wrapped or not."""
  env = environments.load(given, seed=3)
  first = env.reset()
  assert first.is_first() and first.observation.dtype == np.float32
  assert env.step(np.int32(1)).reward == 1.0
  env.close()


def test_gymnasium_gets_the_seed_and_is_closed():
  """The seed reaches the first reset, since nothing else could take it."""
  given = Fake()
  env = environments.load(given, seed=3)
  env.reset()
  env.reset()
  env.close()
  assert (given.seeds, given.closed) == ([3, None], 1)


def test_gymnasium_environments_are_a_batch():
  """A function makes as many as are wanted; one alone is no batch."""
  env = environments.load_batch(Fake, seed=0, count=2)
  assert env.reset().observation.shape == (2, 3)
  with pytest.raises(environments.InvalidTaskError, match='one Fake cannot'):
    environments.load_batch(Fake(), seed=0, count=2)
  with pytest.raises(environments.InvalidTaskError, match='found a Fake'):
    environments.EnvironmentPool(Fake(), [0])


def test_gymnasium_takes_the_options_of_its_suite():
  """As of the suite, and in whatever form; no others."""
  wanted = environments.GymnasiumOptions(action_repeat=2)
  all_suites = environments.SuiteOptions(gymnasium=wanted)
  for options in ({'action_repeat': 2}, wanted, all_suites):
    env = environments.load(Fake(), 0, options)
    env.reset()
    assert env.step(np.int32(0)).reward == 2.0
  given = Fake()
  with pytest.raises(schema.ConfigError, match='take GymnasiumOptions'):
    environments.load(given, 0, environments.AtariOptions())
  assert given.closed == 1


@pytest.mark.parametrize(
    'space,observation,reason',
    [
        (
            box(0, 100, (2,), np.int32),
            np.array([0.7, 99.9]),
            'holds 0.7, which',
        ),
        (box(0, 255, (2,), np.uint8), np.array([300, -1]), 'holds 300, which'),
        (box(0, 255, (2,), np.uint8), np.array([3, -1]), 'holds -1, which'),
        (
            box(0, 255, (9, 9, 3), np.uint8),
            np.full((9, 9, 3), 0.5),
            'holds 0.5',
        ),
        (box(-1, 1, (2,), np.float64), np.array([0, 1e39]), 'float32 cannot'),
        (box(-1, 1, (2,), np.float32), np.array([0, np.nan]), 'holds nan.'),
        (box(-1, 1, (2,), np.float16), np.float16([0, np.inf]), 'holds inf.'),
        (box(-1, 1, (2,), np.float32), np.zeros(3), 'has the shape [3]'),
        (box(-1, 1, (2,), np.float32), [[1], [1, 2]], 'an array of real'),
        (box(-1, 1, (), np.float32), 'x', "is 'x', but it must be a real"),
        (spaces.Discrete(3), -1, 'is -1, but its space is from 0 to 2'),
        (spaces.Discrete(3), 3, 'is 3, but its space is from 0 to 2'),
        (spaces.Discrete(3, start=-1), -2, 'is from -1 to 1'),
        (spaces.Discrete(3), 0.5, 'is 0.5, which int64 cannot hold'),
        (spaces.Discrete(3), 'x', "is 'x', but it must be"),
        (spaces.Discrete(3), None, 'is None, but it must be'),
        (spaces.MultiDiscrete([3, 2]), np.array([0, -1]), 'holds -1, but'),
        (spaces.MultiDiscrete([3, 2]), np.array([0, 2]), 'is from 0 to 1'),
        (spaces.MultiBinary(2), np.array([0, 2]), 'holds 2, but'),
        (spaces.Dict(a=spaces.Discrete(2)), {}, "lacks 'a', which its space"),
        (spaces.Dict(a=spaces.Discrete(2)), 3, 'is 3, but its space is a Dict'),
        (
            spaces.Dict(a=spaces.Dict(b=spaces.Discrete(2))),
            {'a': {'b': 2}},
            "the observation 'a/b' is 2, but",
        ),
        (spaces.Tuple([spaces.Discrete(2)] * 2), (0,), 'is a Tuple of 2'),
        (spaces.Tuple([spaces.Discrete(2)] * 2), 3, 'is a Tuple of 2'),
    ],
)
def test_an_observation_out_of_its_space_is_a_fault(space, observation, reason):
  """Nothing is cast to another number, and no index to another choice."""
  env = environments.load(Fake(space, observation), 0)
  with pytest.raises(environments.FaultyEnvironmentError) as caught:
    env.reset()
  message = str(caught.value)
  assert message.startswith('Fake: the observation') and '\n' not in message
  assert reason in message and message.endswith('.')


@pytest.mark.parametrize(
    'space,observation,expected',
    [
        (box(-1, 1, (3,), np.float32), [0, 0.5, 1], [0, 0.5, 1]),
        (box(-1, 1, (), np.float32), 0.5, [0.5]),
        (box(-1, 1, (2,), np.float32), np.zeros(2, np.float64), [0, 0]),
        (box(0, 9, (2,), np.int32), np.array([3.0, 9.0]), [3, 9]),
        (spaces.Discrete(3), 1.0, [0, 1, 0]),
        (spaces.Discrete(3), np.array(2, np.int8), [0, 0, 1]),
        (spaces.MultiBinary(2), [True, False], [1, 0]),
    ],
)
def test_the_same_number_in_another_form_is_taken(space, observation, expected):
  """Lists, numbers of other dtypes and arrays of rank 0 lose nothing."""
  env = environments.load(Fake(space, observation), 0)
  np.testing.assert_array_equal(env.reset().observation, expected)


@pytest.mark.parametrize(
    'reward,reason',
    [
        (None, 'the reward is None, but it must be a real number.'),
        ('1', "the reward is '1', but it must be a real number."),
        (1j, 'the reward is 1j, but it must be a real number.'),
        (True, 'the reward is True, but it must be a number, such as 1.0.'),
        (np.array([1.0]), 'the reward has the shape [1], but its spec has [].'),
        (np.ones(2), 'the reward has the shape [2], but its spec has [].'),
        (1e39, 'the reward is 1e+39, which float32 cannot hold.'),
        (np.nan, 'the reward is nan.'),
    ],
)
@pytest.mark.parametrize('action_repeat', [1, 2])
def test_a_reward_that_is_none_is_a_fault(reward, reason, action_repeat):
  """In one sentence, also where rewards are summed before the check."""
  options = {'action_repeat': action_repeat}
  env = environments.load(Fake(reward=reward), 0, options)
  env.reset()
  with pytest.raises(environments.FaultyEnvironmentError) as caught:
    env.step(np.int32(0))
  assert str(caught.value) == f'Fake: {reason}'


@pytest.mark.parametrize(
    'space',
    [box(-9, 9, (3,), np.float32), box(0, 255, (9, 9, 3), np.uint8)],
    ids=['vector', 'image'],
)
def test_an_observation_is_a_copy(space):
  """An environment that writes into one array changes no step before."""
  given = Fake(space, np.zeros(space.shape, space.dtype))
  env = environments.load(given, 0)
  first = env.reset().observation
  given._observation[:] = 7
  assert np.all(first == 0)
  assert np.all(env.step(np.int32(0)).observation == 7)


def test_what_an_environment_says_is_a_copy():
  """One that goes on writing into it changes nothing that was said."""

  class Telling(Fake):

    def reset(self, **arguments):
      self.place = np.zeros(2)
      return super().reset(**arguments)[0], {'place': self.place}

    def step(self, action):
      self.place += 1
      return *super().step(action)[:-1], {'place': self.place}

  env = environments.load(Telling(), 0)
  env.reset()
  before = env.truths()['info/place']
  env.step(np.int32(0))
  assert list(before) == [0, 0]
  assert list(env.truths()['info/place']) == [1, 1]


@pytest.mark.parametrize(
    'load',
    [
        lambda env: environments.load(env, -1),
        lambda env: environments.load_batch(env, 0, 2),
        lambda env: environments.load_batch(env, 0, 0),
        lambda env: environments.load_batch(env, -1, 1),
        lambda env: environments.load_batch(
            env, 0, 1, pool=environments.PoolOptions()
        ),
    ],
)
def test_an_environment_is_closed_after_an_error(load):
  """Once: it was taken over."""
  given = Fake()
  with pytest.raises((environments.InvalidTaskError, schema.ConfigError)):
    load(given)
  assert given.closed == 1


@pytest.mark.parametrize('reward', [1, np.float16(1), np.array(1), np.int64(1)])
def test_a_number_of_any_kind_is_a_reward(reward):
  """Integers and arrays of rank 0 are usual."""
  env = environments.load(Fake(reward=reward), 0)
  env.reset()
  assert env.step(np.int32(0)).reward == 1.0


class Ramp(py_environment.PyEnvironment):
  """An environment of TF-Agents: three steps, a reward of one's choice."""

  def __init__(self, reward=0.5, observation=None):
    super().__init__()
    self.seeds, self.closed = [], 0
    self._reward, self._observation = reward, observation
    self._steps = 0

  def observation_spec(self):
    return {'x': array_spec.BoundedArraySpec([2], np.float32, -1.0, 9.0)}

  def action_spec(self):
    return array_spec.BoundedArraySpec([], np.float64, -0.1, 0.7)

  def _reset(self):
    self._steps = 0
    return ts.restart(self._now())

  def _step(self, action):
    assert -0.1 <= action <= 0.7 and action.dtype == np.float64
    self._steps += 1
    if self._steps == 3:
      return ts.termination(self._now(), self._reward)
    return ts.transition(self._now(), self._reward)

  def _now(self):
    if self._observation is not None:
      return self._observation
    return {'x': np.full([2], self._steps, np.float32)}

  def seed(self, seed):
    self.seeds.append(seed)

  def close(self):
    self.closed += 1


def test_an_environment_of_tf_agents_is_a_task():
  """Its steps pass unchanged, its actions are within its own bounds."""
  given = Ramp()
  env = environments.load(given, seed=4)
  assert env.observation_spec() == given.observation_spec()
  env.reset()
  steps = [env.step(np.float32(a)) for a in (-0.1, 0.7, 9.0)]
  assert [s.observation['x'][0] for s in steps] == [1, 2, 3]
  assert [float(s.reward) for s in steps] == [0.5] * 3
  assert steps[-1].is_last() and steps[-1].discount == 0.0
  assert env.step(np.float32(0)).is_first()
  env.close()
  assert (given.seeds, given.closed) == ([4], 1)


def test_environments_of_tf_agents_are_a_batch():
  """A function makes as many as are wanted."""
  env = environments.load_batch(Ramp, seed=0, count=2)
  assert env.reset().observation['x'].shape == (2, 2)


@pytest.mark.parametrize(
    'given,reason',
    [
        (Ramp(reward=np.inf), 'Ramp: the reward is inf.'),
        (
            Ramp(observation={'x': np.zeros(3, np.float32)}),
            "Ramp: the observation 'x' is float32 [3], but its spec is float32"
            ' [2].',
        ),
    ],
)
def test_an_environment_of_tf_agents_is_checked(given, reason):
  """As all others are."""
  env = environments.load(given, 0)
  with pytest.raises(environments.FaultyEnvironmentError) as caught:
    env.reset()
    env.step(np.float32(0))
  assert str(caught.value) == reason


def test_a_wrapper_of_tf_agents_is_a_task():
  """Such as the history of observations, which has rank 3 here."""
  history = tf_wrappers.HistoryWrapper(environments.load('bsuite/catch/0', 0))
  env = environments.load(history, 0)
  assert env.reset().observation.shape == (3, 10, 5)
  assert env.step(np.int64(0)).is_mid()


def test_a_batch_is_no_task():
  """What steps several environments at once has no place in another batch."""
  given = random_py_environment.RandomPyEnvironment(
      array_spec.ArraySpec([2], np.float32), Ramp().action_spec(), batch_size=3
  )
  with pytest.raises(environments.InvalidTaskError, match='is a batch of'):
    environments.load(given, 0)


def test_own_bounds_are_kept_in_float64():
  """What TF-Agents rounds to float32 is back within the bounds of float64."""

  class Narrow(fakes.Corridor):
    taken = []

    def step(self, action):
      self.action_spec().validate(action)
      self.taken.append(float(action))
      return super().step(action)

    def action_spec(self):
      return specs.BoundedArray([], np.float64, -0.7, 0.1)

  env = environments.load(Narrow, 0)
  env.reset()
  env.step(env.action_spec().maximum)
  env.step(env.action_spec().minimum)
  assert Narrow.taken == [0.1, pytest.approx(-0.7)]
