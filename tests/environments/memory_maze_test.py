"""Tests of Memory Maze. A maze takes seconds to build, so there is one."""

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf.agents import spec_checks
from r2i_tf.environments.suites import registry as suites
from tests.environments.images import apart
from tests.environments.images import needs_images

pytest.importorskip('memory_maze')
pytestmark = needs_images


def shortened(env, seconds):
  """Has the episodes of a maze end after so many seconds of its time."""
  inner = env
  while '_time_limit' not in vars(inner):
    names = vars(inner)
    inner = names.get('_environment') or names.get('_env') or inner.env
  inner._time_limit = seconds
  return env


def walked():
  """Returns the first image of a maze, made again, and a walk to its end."""
  env = shortened(suites.make('memory_maze/9x9', 2), 1.0 - 1e-3)  # Four steps.
  steps = [env.reset()]
  steps.extend(env.step(1 + index % 2) for index in range(5))
  return suites.make('memory_maze/9x9', 2).reset().observation, steps


def test_maze_is_walked_and_left_in_time():
  """A seed gives its maze; every step is seen; the end is no termination."""
  same, steps = apart(walked)
  np.testing.assert_array_equal(steps[0].observation, same)
  assert [int(step.step_type) for step in steps] == [0, 1, 1, 1, 2, 0]
  assert all(step.discount == 1.0 for step in steps[1:5])
  images = np.stack([step.observation for step in steps[:5]])
  assert np.all(np.any(images[1:] != images[:-1], axis=(1, 2, 3)))


def test_maze_is_seen_from_this_process(capfd):
  """Images of 64 x 64 and six actions, and not a word."""
  env = environments.load('memory_maze/9x9', seed=2)
  spec_checks.check_specs(env.time_step_spec(), env.action_spec())
  spec = env.action_spec()
  assert (spec.shape, int(spec.minimum), int(spec.maximum)) == ((), 0, 5)
  first, second = env.reset(), env.step(np.int32(1))
  for time_step in (first, second):
    image = time_step.observation
    assert (image.shape, image.dtype) == ((64, 64, 3), np.uint8)
  assert np.any(first.observation != second.observation)
  env.close()
  # Gym at its import, and dm_control at each reset, have more to say.
  assert capfd.readouterr().err == ''


def test_the_variant_with_ground_truth_shows_the_same_maze():
  """Beside the same image, where the agent and the objects are."""
  env = environments.load('memory_maze/9x9', seed=2)
  image = env.reset().observation
  env.close()
  variant = suites.with_ground_truth('memory_maze/9x9')
  env = environments.load(variant, seed=2)
  seen = env.reset().observation
  env.close()
  np.testing.assert_array_equal(seen['image'], image)
  assert seen['agent_pos'].shape == (2,) and seen['targets_pos'].shape == (3, 2)
  assert suites.with_ground_truth(variant) == variant
  assert suites.with_ground_truth('bsuite/catch/0') == 'bsuite/catch/0'
