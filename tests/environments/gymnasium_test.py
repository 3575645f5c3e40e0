"""Tests of Gymnasium's environments."""

import contextlib

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf import schema
from r2i_tf.agents import spec_checks
from r2i_tf.environments.suites import registry as suites

gymnasium = pytest.importorskip('gymnasium')
gymnasium_fakes = pytest.importorskip('tests.environments.gymnasium_fakes')


def test_every_listed_environment_steps():
  """Every task of the list can be made, seen and acted in."""
  names = [t for t in environments.list_tasks() if t.startswith('gymnasium/')]
  assert 'gymnasium/CartPole-v1' in names
  for name in names:
    env = environments.load(name, seed=0)
    spec_checks.check_specs(env.time_step_spec(), env.action_spec())
    env.reset()
    spec = env.action_spec()
    env.step(np.full(spec.shape, np.min(spec.minimum), spec.dtype))


def test_fall_is_terminal_and_a_time_limit_is_not():
  """The pole falls with discount 0; the pendulum's 200 steps end with 1."""
  cartpole = suites.make('gymnasium/CartPole-v1', 0)
  cartpole.reset()
  while not (end := cartpole.step(0)).last():
    pass
  assert end.discount == 0.0
  pendulum = suites.make('gymnasium/Pendulum-v1', 0)
  pendulum.reset()
  steps = [pendulum.step(np.zeros(1)) for _ in range(200)]
  assert not steps[198].last() and steps[199].last()
  assert steps[199].discount == 1.0
  assert pendulum.step(np.zeros(1)).first()


def test_only_the_first_episode_is_seeded():
  """A seed repeats the run, but not its first episode over and over."""
  starts = []
  for _ in range(2):
    env = suites.make('gymnasium/CartPole-v1', 3)
    starts.append([env.reset().observation for _ in range(3)])
  np.testing.assert_array_equal(*starts)
  assert np.any(starts[0][0] != starts[0][1])


def test_action_is_held():
  """An option of the suite reaches the environment."""
  env = suites.make('gymnasium/CartPole-v1', 0, {'action_repeat': 3})
  env.reset()
  assert env.step(0).reward == 3.0


@pytest.mark.parametrize(
    'name,error,words',
    [
        ('CartPole-v9', 'UnknownTaskError', 'gymnasium/CartPole-v1'),
        ('Cartpol', 'UnknownTaskError', 'gymnasium/CartPole-v'),
        ('Ant-v2', 'MissingSuiteError', 'gymnasium/Ant-v2'),
        ('nomodule:Ant-v2', 'MissingSuiteError', "named 'nomodule'"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(name, error, words):
  """An id that does not exist, and one that needs another package."""
  with pytest.raises(getattr(environments, error), match=words) as caught:
    environments.load(f'gymnasium/{name}', 0)
  assert '\n' not in str(caught.value)


def test_keywords_reach_the_environment():
  """From the task's name or from the options; the name comes first."""
  start = suites.make('gymnasium/FrozenLake-v1?map_name=8x8', 0)
  assert start.observation_spec().shape == (64,)
  options = {'kwargs': {'map_name': '8x8', 'is_slippery': False}}
  assert suites.make(
      'gymnasium/FrozenLake-v1', 0, options
  ).observation_spec().shape == (64,)
  name = 'gymnasium/FrozenLake-v1?map_name=4x4&max_episode_steps=2'
  env = suites.make(name, 0, options)
  assert env.observation_spec().shape == (16,)
  env.reset()
  # Not slippery: down, and the ice does not carry it elsewhere.
  assert np.argmax(env.step(1).observation) == 4
  assert env.step(1).last()


@pytest.mark.parametrize(
    'name,options,words',
    [
        ('FrozenLake-v1?slip=1', {}, ["{'slip': 1}", "argument 'slip'"]),
        ('FrozenLake-v1?map_name=9x9', {}, ["KeyError: '9x9'"]),
        ('FrozenLake-v1?slip', {}, ["'slip' among", '<keyword>=<value>']),
        ('FrozenLake-v1?=3', {}, ["'=3' among"]),
        ('FrozenLake-v1', {'kwargs': {'a': 1}}, ['change gymnasium.kwargs']),
        ('FrozenLake-v1', {'kwargs': 3}, ["'gymnasium.kwargs' is 3"]),
        ('FrozenLake-v1', {'kwargs': {'a': {1}}}, ["'gymnasium.kwargs.a'"]),
    ],
)
def test_keywords_that_do_not_fit_are_one_sentence(name, options, words):
  """What the environment has not, and what is no keyword."""
  with pytest.raises(schema.ConfigError) as caught:
    environments.load(f'gymnasium/{name}', 0, options)
  for word in words:
    assert word in str(caught.value)
  assert '\n' not in str(caught.value)


def test_an_id_of_this_process_only_is_to_be_named_with_its_module():
  """A process of a pool knows what its modules register, no more."""
  gymnasium.register('r2i_tf_test/Here-v0', gymnasium_fakes.Fake)
  try:
    name = 'gymnasium/r2i_tf_test/Here-v0'
    assert environments.load(name, 0).reset().is_first()
    with pytest.raises(environments.UnknownTaskError) as caught:
      environments.load_batch(name, 0, 1, pool=environments.PoolOptions())
  finally:
    del gymnasium.registry['r2i_tf_test/Here-v0']
  assert 'registered in this process only' in str(caught.value)
  module = 'tests.environments.gymnasium_fakes:r2i_tf_test/Here-v0'
  assert f'as in gymnasium/{module}.' in str(caught.value)


def test_keywords_go_to_the_processes_of_a_pool():
  """With the options and with the name."""
  pool = environments.load_batch(
      *('gymnasium/FrozenLake-v1?is_slippery=False', 0, 2),
      {'kwargs': {'map_name': '8x8'}},
      environments.PoolOptions(),
  )
  assert pool.observation_spec().shape == (64,)
  pool.close()


def test_an_environment_can_be_looked_at():
  """In a process of its own, with the keywords of its task; without a sound."""
  pytest.importorskip('pygame')
  task = 'gymnasium/FrozenLake-v1?is_slippery=False'
  plain = environments.load(task, 2)
  with contextlib.closing(environments.load_drawn(task, 2)) as drawn:
    plain.reset()
    drawn.reset()
    before = drawn.render()
    for action in (2, 2, 1):  # Right, right, down.
      ways = plain.step(action), drawn.step(action)
      np.testing.assert_array_equal(*(way.observation for way in ways))
    after = drawn.render()
  assert before.shape == after.shape and before.shape[-1] == 3
  assert before.dtype == np.uint8 and np.any(before != after)


def test_what_cannot_be_looked_at_is_told():
  """A suite without images has none; whatever fails, fails as an error."""
  assert environments.load_drawn('bsuite/catch/0', 0) is None
  assert environments.load_drawn('countdown/5', 0) is None
  assert environments.load_drawn(gymnasium.make('CartPole-v1'), 0) is None
  with pytest.raises(environments.UnknownTaskError):
    environments.load_drawn('gymnasium/NoSuchThing-v0', 0)


def test_numbers_of_info_are_told_beside_the_observation():
  """Few numbers each; words and large arrays are left out."""

  class Telling(gymnasium_fakes.Fake):

    def step(self, action):
      *rest, _ = super().step(action)
      return *rest, {**told, 'speed': np.arange(2.0), 'at_end': 1}

    def reset(self, *, seed=None, options=None):
      observation, _ = super().reset(seed=seed)
      return observation, told

  told = {'count': 3, 'name': 'goal', 'map': np.zeros([65]), 'is_near': True}
  environment = environments.load(Telling, seed=0)
  assert environment.truths() == {}
  environment.reset()
  assert environment.truths() == {'info/count': 3, 'info/is_near': True}
  environment.step(np.int64(0))
  np.testing.assert_array_equal(environment.truths()['info/speed'], [0, 1])
