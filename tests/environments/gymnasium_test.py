"""Tests of Gymnasium's environments."""

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf.agents import spec_checks
from r2i_tf.environments.suites import registry as suites

gymnasium = pytest.importorskip('gymnasium')


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
