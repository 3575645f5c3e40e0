"""Tests of action repeat and of actions in [-1, 1]."""

import itertools

import dm_env
from dm_env import specs
import numpy as np
import pytest

from r2i_tf.environments import wrappers
from tests.environments import fakes


class _Echo(fakes.Corridor):
  """Takes two torques with bounds of their own."""

  def observation(self, action):
    return {'position': np.asarray(action, np.float64) * np.ones(2)}

  def action_spec(self):
    return specs.BoundedArray([2], np.float32, [-2.0, 0.0], [2.0, 10.0])


def _step(reward, make=dm_env.transition):
  return make(reward, np.zeros(2, np.float32))


def test_action_repeat_sums_rewards_and_stops_at_the_end():
  """Rewards add up; the end keeps its discount, and the next step starts."""
  env = wrappers.ActionRepeat(
      fakes.Scripted(
          dm_env.restart(np.zeros(2, np.float32)),
          *(_step(1.0), _step(2.0), _step(4.0)),
          _step(8.0, dm_env.truncation),
          dm_env.restart(np.ones(2, np.float32)),
          *(_step(1.0), _step(2.0, dm_env.termination)),
      ),
      3,
  )
  assert env.reset().first()
  assert env.step(0).reward == 7.0
  end = env.step(0)
  assert (end.reward, end.discount, end.last()) == (8.0, 1.0, True)
  assert env.step(0).observation[0] == 1.0  # FIRST, and not stepped on.
  end = env.step(0)
  assert (end.reward, end.discount, end.last()) == (3.0, 0.0, True)


@pytest.mark.parametrize(
    'action,expected',
    [
        ([0.0, 0.0], [0.0, 5.0]),
        ([1.0, -1.0], [2.0, 0.0]),
        ([-0.5, 0.5], [-1.0, 7.5]),
        ([-3.0, 1.1], [-2.0, 10.0]),
    ],
)
def test_actions_are_scaled_to_their_bounds(action, expected):
  """-1 and 1 are the bounds, others in proportion, and beyond them is cut."""
  env = wrappers.normalized(_Echo())
  spec = env.action_spec()
  assert (spec.minimum.min(), spec.maximum.max()) == (-1.0, 1.0)
  assert spec.dtype == np.float32
  env.reset()
  time_step = env.step(np.array(action, np.float32))
  np.testing.assert_allclose(
      time_step.observation['position'], expected, atol=1e-6
  )


class _Contains(fakes.Corridor):
  """Knows the actions that it was given."""

  def __init__(self, minimum, maximum, dtype):
    super().__init__()
    self._spec = specs.BoundedArray([1], dtype, minimum, maximum)
    self.taken = []

  def step(self, action):
    self._spec.validate(action)
    self.taken.append(action)
    return dm_env.transition(0.0, self.observation(0.0))

  def action_spec(self):
    return self._spec


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_no_rounding_leaves_the_bounds(dtype):
  """Of bounds with one decimal, every fifth pair was missed by a rounding."""
  bounds = np.arange(-10, 11) / 10
  for minimum, maximum in itertools.combinations(bounds, 2):
    env = _Contains(minimum, maximum, dtype)
    for wrapped in (wrappers.normalized(env), wrappers.bounded(env)):
      for action in (-1.0, 1.0, -7.0, 7.0):
        wrapped.step(np.array([action], np.float32))
    np.testing.assert_allclose(env.taken[0], minimum, rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(env.taken[1], maximum, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    'minimum,maximum,dtype',
    [
        (0.3, 0.3, np.float32),
        (-6e4, 6e4, np.float16),
        (-3e38, 3e38, np.float32),
        (-1e308, 1.5e308, np.float64),
    ],
)
def test_bounds_that_are_equal_or_far_apart(minimum, maximum, dtype):
  """Neither a sum nor a difference of the bounds overflows."""
  env = _Contains(minimum, maximum, dtype)
  wrapped = wrappers.normalized(env)
  assert wrapped.action_spec().maximum == 1.0
  for action in (-1.0, 0.0, 1.0):
    wrapped.step(np.array([action], np.float32))
  low, middle, high = (float(taken[0]) for taken in env.taken)
  assert (low, high) == (dtype(minimum), dtype(maximum))
  np.testing.assert_allclose(
      middle, dtype(minimum) / 2 + dtype(maximum) / 2, rtol=1e-6
  )


def test_only_bounded_floats_are_scaled():
  """Choices stay choices, and floats without bounds cannot be scaled."""
  discrete = fakes.Fragile()
  assert wrappers.normalized(discrete) is discrete
  assert wrappers.bounded(discrete) is discrete
  boundless = _Echo()
  boundless.action_spec = lambda: specs.BoundedArray(
      [2], np.float32, -np.inf, np.inf
  )
  assert wrappers.normalized(boundless) is boundless


def test_wrapped_environment_can_still_be_reached():
  """An attribute that a wrapper lacks is that of the wrapped environment."""
  env = wrappers.ActionRepeat(fakes.Corridor(5), 1)
  assert env.seed == 5
  with pytest.raises(AttributeError):
    env.physics  # noqa: B018
