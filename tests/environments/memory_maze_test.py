"""Tests of Memory Maze. A maze takes seconds to build, so there is one."""

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf.agents import spec_checks
from r2i_tf.environments.suites import registry as suites
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


def test_maze_is_seen_walked_and_left_in_time(capfd):
  """Images of 64 x 64, six actions, a seed, an end that is no termination."""
  env = environments.load('memory_maze/9x9', seed=2)
  spec_checks.check_specs(env.time_step_spec(), env.action_spec())
  spec = env.action_spec()
  assert (spec.shape, int(spec.minimum), int(spec.maximum)) == ((), 0, 5)
  shortened(env, 1.0 - 1e-3)  # Of four steps each.
  images = [env.reset().observation]
  same = suites.make('memory_maze/9x9', 2).reset().observation
  np.testing.assert_array_equal(images[0], same)
  for index in range(4):
    time_step = env.step(np.int32(1 + index % 2))
    assert time_step.is_last() == (index == 3)
    assert time_step.discount == 1.0
    images.append(time_step.observation)
  images = np.stack(images)
  assert (images.shape, images.dtype) == ((5, 64, 64, 3), np.uint8)
  assert np.all(np.any(images[1:] != images[:-1], axis=(1, 2, 3)))
  assert env.step(np.int32(0)).is_first()
  # Gym at its import, and dm_control at each reset, have more to say.
  assert capfd.readouterr().err == ''
