"""Tests of the environments by name."""

import subprocess
import sys

import dm_env
from dm_env import specs as dm_specs
import numpy as np
import pytest
from tf_agents.environments import tf_py_environment

from r2i_tf import environments
from r2i_tf import schema
from r2i_tf import specs
from r2i_tf.agents import spec_checks
from tests.environments import fakes

# One of each that has randomness of its own and needs no download.
RANDOM_TASKS = (
    'bsuite/bandit_noise/0',
    'bsuite/cartpole/0',
    'bsuite/cartpole_swingup/0',
    'bsuite/catch/0',
    'bsuite/catch_noise/0',
    'bsuite/deep_sea_stochastic/0',
    'bsuite/memory_len/0',
    'bsuite/memory_size/3',
    'bsuite/mountain_car/0',
    'bsuite/umbrella_distract/0',
    'bsuite/umbrella_length/0',
)


def record(env, steps=150):
  """Returns observations, rewards and discounts under a fixed action rule."""
  rng = np.random.RandomState(0)
  spec = env.action_spec()
  time_step = env.reset()
  rows = []
  for _ in range(steps):
    rows.append(
        np.concatenate(
            [
                np.ravel(time_step.observation),
                [time_step.reward, time_step.discount],
            ]
        )
    )
    action = rng.randint(spec.minimum, spec.maximum + 1)
    time_step = env.step(np.asarray(action, spec.dtype))
  return np.stack(rows)


@pytest.mark.parametrize('act_right', [True, False])
def test_memory_len_episode_by_hand(act_right):
  """Setting 9 is BSuite's memory of length 10, step by step.

  Computed by hand from BSuite's rules: the cue of +1 or -1 stands in the
  observation of the reset and, since BSuite's clock starts one step late, in
  the one after it; then 0. Length 10 so means 11 steps, and only the last
  action counts: 1 is right for the cue +1, 0 for -1.
  """
  env = environments.load('bsuite/memory_len/9', seed=3)
  for _ in range(4):
    time_step = env.reset()
    cue = time_step.observation[0, 2]
    assert time_step.is_first()
    assert cue in (-1.0, 1.0)
    np.testing.assert_array_equal(time_step.observation, [[1.0, 0.0, cue]])
    right = 1 if cue > 0 else 0
    for step in range(1, 12):
      last = step == 11
      # Wrong before the end, to show that only the end counts.
      action = right if last and act_right else 1 - right
      time_step = env.step(np.int32(action))
      np.testing.assert_allclose(
          time_step.observation,
          [[1 - (step - 1) / 10, 0.0, cue if step == 1 else 0.0]],
          atol=1e-6,
      )
      assert time_step.is_last() == last
      assert time_step.discount == (0.0 if last else 1.0)
      if last:
        assert time_step.reward == (1.0 if act_right else -1.0)
      else:
        assert time_step.reward == 0.0
    assert env.step(np.int32(0)).is_first()


@pytest.mark.parametrize('task', RANDOM_TASKS)
def test_seed_decides_the_episodes(task):
  """A seed repeats a run exactly, and another seed gives another run."""
  first = record(environments.load(task, seed=0))
  np.testing.assert_array_equal(first, record(environments.load(task, seed=0)))
  other = record(environments.load(task, seed=1))
  assert not np.array_equal(first, other)


@pytest.mark.parametrize('task', ['bsuite/deep_sea/0', 'bsuite/bandit/3'])
def test_seed_leaves_the_task_alone(task):
  """Constants of a BSuite setting (action maps, payoffs) ignore the seed."""
  np.testing.assert_array_equal(
      record(environments.load(task, seed=0)),
      record(environments.load(task, seed=1)),
  )


@pytest.mark.parametrize('task', [*RANDOM_TASKS, 'bsuite/discounting_chain/0'])
def test_time_steps_match_their_specs(task):
  """Steps have the shapes and dtypes announced, rewards as float32."""
  env = environments.load(task, seed=0)
  spec_checks.check_specs(env.time_step_spec(), env.action_spec())
  assert env.time_step_spec().reward.dtype == np.float32
  time_step = env.reset()
  for _ in range(3):
    spec = env.observation_spec()
    assert time_step.observation.dtype == spec.dtype
    assert time_step.observation.shape == spec.shape
    assert time_step.reward.dtype == np.float32
    assert time_step.discount.dtype == np.float32
    time_step = env.step(np.zeros((), env.action_spec().dtype))


def test_batch_members_differ_and_repeat():
  """The members of a batch live different episodes, the same in every run."""

  def cues():
    env = tf_py_environment.TFPyEnvironment(
        environments.load_batch('bsuite/memory_len/0', seed=5, count=32)
    )
    assert env.batch_size == 32
    return env.reset().observation[:, 0, 2].numpy()

  first = cues()
  assert 0 < np.sum(first > 0) < 32
  np.testing.assert_array_equal(first, cues())


def test_batch_of_one_has_a_batch_dimension():
  """A single environment in a batch keeps the shapes of a batch."""
  env = environments.load_batch('bsuite/catch/0', seed=0, count=1)
  assert env.reset().observation.shape == (1, 10, 5)
  assert env.step(np.zeros([1], np.int64)).observation.shape == (1, 10, 5)


@pytest.mark.parametrize(
    'task,words',
    [
        ('bsuit/memory_len/9', ["'bsuit/memory_len/9'", "mean 'bsuite'?"]),
        ('bsuite/memory_lne/9', ["'memory_lne'", "mean 'memory_len' or"]),
        ('bsuite/xyzzy/0', ["'xyzzy'", "there are 23, such as 'bandit'"]),
        ('bsuite/memory_len/23', ['0 to 22', "found '23'"]),
        ('bsuite/memory_len/-1', ['0 to 22', "found '-1'"]),
        ('bsuite/memory_len/09', ['0 to 22', "found '09'"]),
        ('bsuite/memory_len', ['0 to 22', 'found none']),
        ('bsuite', ["''", "such as 'bandit'"]),
        ('', ['valid are bsuite, popgym']),
    ],
)
def test_unknown_task_names_what_is_valid(task, words):
  """A mistyped task is answered with the names that are valid."""
  with pytest.raises(environments.UnknownTaskError) as caught:
    environments.load(task, seed=0)
  for word in words:
    assert word in str(caught.value)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('seed', [-1, 2**32])
def test_seed_out_of_range_is_named(seed):
  """A seed that the environments cannot take is refused by our own words."""
  with pytest.raises(
      schema.ConfigError, match=f'is {seed}, but it must be from 0'
  ):
    environments.load('bsuite/memory_len/0', seed=seed)


def test_batch_of_none_is_refused():
  """An empty batch is refused before anything is built."""
  with pytest.raises(schema.ConfigError, match='is 0, but it must be at least'):
    environments.load_batch('bsuite/memory_len/0', seed=0, count=0)


@pytest.mark.parametrize('given', [fakes.Corridor, fakes.Corridor()])
def test_own_environment_enters_with_its_discounts(given):
  """A user's environment works, and its time limit is no termination."""
  env = environments.from_dm_env(given)
  spec_checks.check_specs(env.time_step_spec(), env.action_spec())
  env.reset()
  for _ in range(3):
    time_step = env.step(np.float32(0.5))
  assert time_step.is_last()
  assert time_step.discount == 1.0
  assert time_step.reward.dtype == np.float32
  assert time_step.observation['position'].dtype == np.float32


@pytest.mark.parametrize('large', [np.inf, 1e300])
@pytest.mark.parametrize(
    'load',
    [
        environments.from_dm_env,
        lambda env: environments.load(env, 0),
        lambda env: environments.load_batch(
            lambda: env, 0, 1, pool=environments.PoolOptions()
        ),
    ],
)
def test_bounds_that_float32_has_not_are_none(load, large):
  """What is float64 becomes float32, which needs no bounds to be one."""

  class Wide(fakes.Corridor):

    def observation_spec(self):
      low = np.array([-large, -1.0])
      return {'position': dm_specs.BoundedArray([2], np.float64, low, large)}

    def action_spec(self):
      return dm_specs.BoundedArray([], np.float64, -large, large)

  env = load(Wide())
  limit = np.finfo(np.float32).max
  spec = env.observation_spec()['position']
  assert list(spec.minimum) == [-limit, -1.0] and spec.maximum == limit
  with pytest.raises(specs.UnsupportedSpecError, match='finite bounds'):
    spec_checks.check_specs(env.time_step_spec(), env.action_spec())
  assert env.reset().is_first().all()
  env.close()


def test_bounded_truth_values_are_taken():
  """Bounds of booleans say nothing."""

  class Switch(fakes.Scripted):

    def observation_spec(self):
      return dm_specs.BoundedArray([2], bool, False, True)

  env = environments.load(Switch(dm_env.restart(np.array([True, False]))), 0)
  assert list(env.reset().observation) == [True, False]


@pytest.mark.parametrize('given', [3, lambda: 'gym'])
def test_what_is_no_environment_is_refused(given):
  """Something else than a dm_env environment is named at the door."""
  with pytest.raises(
      environments.InvalidTaskError, match='takes a dm_env.Environment'
  ):
    environments.from_dm_env(given)


@pytest.mark.parametrize(
    'task,seed',
    [
        (fakes.Corridor(3), 3),
        (fakes.Corridor, 7),
        (lambda number: fakes.Corridor(number), 7),
        (lambda other=1, seed=0: fakes.Corridor(seed), 7),
        (lambda: fakes.Corridor(1), 1),
        (lambda other=2: fakes.Corridor(other), 2),
    ],
)
def test_own_environment_in_place_of_a_name(task, seed):
  """A user's environment, or its constructor, goes wherever a task goes."""
  env = environments.load(task, seed=7)
  assert env.reset().observation['position'][1] == seed
  assert env.step(np.float32(0.5)).reward == 0.5


def test_own_environments_in_a_batch_have_their_own_seeds():
  """A function of the seed makes different members."""
  env = environments.load_batch(fakes.Corridor, seed=0, count=3)
  assert len(set(env.reset().observation['position'][:, 1])) == 3


def test_one_environment_is_no_batch_of_two():
  """The same object under two indices would mix two episodes."""
  with pytest.raises(
      environments.InvalidTaskError, match='one Corridor cannot be 2'
  ):
    environments.load_batch(fakes.Corridor(), seed=0, count=2)


def test_own_environment_takes_no_options_of_a_suite():
  """Options that nobody reads are refused, but for a run's, which has all."""
  with pytest.raises(schema.ConfigError, match='takes no options'):
    environments.load(fakes.Corridor, 0, environments.AtariOptions())
  environments.load(fakes.Corridor, 0, environments.SuiteOptions())


@pytest.mark.parametrize('task', [3, lambda seed: 'gym', None])
def test_task_that_is_nothing_of_the_kind(task):
  """A task that can neither be looked up nor stepped is named."""
  with pytest.raises(
      environments.InvalidTaskError, match='a task is a name such as'
  ):
    environments.load(task, seed=0)


def test_fault_in_a_batch_names_the_environment():
  """Which of the members it was is said, in one sentence."""
  env = environments.load_batch(fakes.Corridor, seed=0, count=2)
  env.reset()
  with pytest.raises(environments.FaultyEnvironmentError) as caught:
    env.step(np.array([0.5, np.nan], np.float32))
  assert str(caught.value) == (
      "environment 1 of Corridor: the observation 'position' holds nan."
  )


@pytest.mark.parametrize('fails', ['constructor', 'observation_spec', 'spec'])
def test_environments_of_a_batch_that_fails_are_closed(fails):
  """An environment that cannot be used takes none of the others along."""
  made = []

  class Member(fakes.Corridor):

    def __init__(self):
      made.append(self)
      self.closed = 0
      if fails == 'constructor' and self.is_third():
        raise ZeroDivisionError
      super().__init__()

    def is_third(self):
      return made.index(self) == 2

    def observation_spec(self):
      if fails == 'observation_spec' and self.is_third():
        raise ZeroDivisionError
      return super().observation_spec()

    def action_spec(self):
      if fails == 'spec' and self.is_third():
        return dm_specs.DiscreteArray(2)
      return super().action_spec()

    def close(self):
      self.closed += 1

  error = specs.UnsupportedSpecError if fails == 'spec' else ZeroDivisionError
  with pytest.raises(error):
    environments.load_batch(Member, seed=0, count=5)
  assert [member.closed for member in made] == {
      'constructor': [1, 1, 0],
      'observation_spec': [1, 1, 1],
      'spec': [1] * 5,
  }[fails]


def test_environments_that_differ_are_no_batch():
  """One batch has one spec, and the sentence says who differs."""
  kinds = iter([fakes.Corridor, fakes.Corridor, fakes.Fragile])
  with pytest.raises(
      specs.UnsupportedSpecError, match='differ: number 0 has .*, number 2 has'
  ):
    environments.load_batch(lambda: next(kinds)(), seed=0, count=3)


def test_gym_has_nothing_to_say():
  """A log does not begin with the notice of a Gym that TF-Agents imports."""
  done = subprocess.run(
      [sys.executable, '-c', 'import r2i_tf; import gym'],
      check=True,
      capture_output=True,
      text=True,
      env={'PYTHONPATH': ':'.join(sys.path)},
  )
  assert done.stdout + done.stderr == ''
