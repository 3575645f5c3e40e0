"""Wrappers of `dm_env` environments that change their steps, for any suite."""

from collections.abc import Iterator
import contextlib
from typing import Any

import dm_env
from dm_env import specs
import numpy as np
import tree


class Wrapper(dm_env.Environment):
  """Passes everything through to another environment."""

  def __init__(self, environment: dm_env.Environment):
    """Wraps `environment`."""
    self._environment = environment

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    return self._environment.reset()

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step; after the end of an episode, starts one."""
    return self._environment.step(action)

  def observation_spec(self) -> Any:
    """Returns the specs of an observation."""
    return self._environment.observation_spec()

  def action_spec(self) -> Any:
    """Returns the spec of an action."""
    return self._environment.action_spec()

  def reward_spec(self) -> Any:
    """Returns the spec of a reward."""
    return self._environment.reward_spec()

  def discount_spec(self) -> Any:
    """Returns the spec of a discount."""
    return self._environment.discount_spec()

  def close(self) -> None:
    """Frees the resources of the environment."""
    self._environment.close()

  def __getattr__(self, name: str) -> Any:
    # Only of names not found here, such as the physics that renders an image.
    if name.startswith('_'):
      raise AttributeError(name)
    return getattr(self._environment, name)


class ActionRepeat(Wrapper):
  """Holds each action for some steps.

  A time step has the observation and the discount of the last of them, and the
  sum of their rewards. The end of an episode ends the repetition.
  """

  def __init__(self, environment: dm_env.Environment, count: int):
    """Wraps `environment`; an action is held for `count` steps."""
    super().__init__(environment)
    self._count = count

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes up to `count` steps."""
    time_step = self._environment.step(action)
    if time_step.first():
      return time_step
    reward = time_step.reward
    for _ in range(self._count - 1):
      if time_step.last():
        break
      time_step = self._environment.step(action)
      reward = reward + time_step.reward
    return time_step._replace(reward=reward)


class BoundedActions(Wrapper):
  """Brings continuous actions to the dtype of the spec, and into its bounds.

  A policy's samples may lie outside, and so may what was rounded on its way:
  0.1 as float32 is greater than as float64.
  """

  def __init__(self, environment: dm_env.Environment):
    """Wraps an environment with one bounded array of floats as its action."""
    super().__init__(environment)
    spec = environment.action_spec()
    self._dtype = spec.dtype
    self._minimum = np.asarray(spec.minimum, spec.dtype)
    self._maximum = np.asarray(spec.maximum, spec.dtype)

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step with the nearest action that is within the bounds."""
    with np.errstate(over='ignore'):
      array = np.asarray(action).astype(self._dtype)
    return self._environment.step(
        np.asarray(np.clip(array, self._minimum, self._maximum))
    )


class NormalizedActions(Wrapper):
  """Takes actions in [-1, 1] to the bounds of a continuous environment.

  The bounds may be missed by a rounding; `BoundedActions` sees to that.
  """

  def __init__(self, environment: dm_env.Environment):
    """Wraps an environment with one bounded array of floats as its action."""
    super().__init__(environment)
    spec = environment.action_spec()
    # Halved first, since the sum of two bounds may not be a number; and as
    # float64, since their halves may be none of a smaller dtype.
    minimum = np.broadcast_to(spec.minimum, spec.shape) / np.float64(2)
    maximum = np.broadcast_to(spec.maximum, spec.shape) / np.float64(2)
    self._center = maximum + minimum
    self._scale = maximum - minimum
    self._spec = specs.BoundedArray(
        spec.shape, spec.dtype, -1.0, 1.0, spec.name
    )

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step with an action in [-1, 1]; beyond, it is clipped."""
    clipped = np.clip(action, -1.0, 1.0)
    return self._environment.step(clipped * self._scale + self._center)

  def action_spec(self) -> specs.BoundedArray:
    """Returns the spec, with bounds -1 and 1."""
    return self._spec


class Float32Bounds(Wrapper):
  """Has bounds that are still some where float64 has become float32.

  TF-Agents makes that change, and fails over those beyond float32, infinite
  ones among them, and over bounds of booleans.
  """

  def observation_spec(self) -> Any:
    """Returns the specs of an observation."""
    spec = self._environment.observation_spec()
    return tree.map_structure(_within_float32, spec)

  def action_spec(self) -> Any:
    """Returns the spec of an action."""
    spec = self._environment.action_spec()
    return tree.map_structure(_within_float32, spec)


class RenderedBoard(Wrapper):
  """Shows a board of numbers in [0, 1] as a gray image, enlarged.

  A pixel is the field that its place falls on (nearest neighbour).
  """

  def __init__(self, environment: dm_env.Environment, size: int):
    """Wraps an environment; the image is of `size` by `size` pixels."""
    super().__init__(environment)
    rows, columns = environment.observation_spec().shape
    place = np.arange(size)
    self._fields = np.ix_(place * rows // size, place * columns // size)
    self._spec = specs.BoundedArray([size, size, 1], np.uint8, 0, 255)

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    return self._rendered(self._environment.reset())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step."""
    return self._rendered(self._environment.step(action))

  def observation_spec(self) -> specs.BoundedArray:
    """Returns the spec of an image, uint8 [size, size, 1]."""
    return self._spec

  def _rendered(self, time_step: dm_env.TimeStep) -> dm_env.TimeStep:
    image = np.rint(255 * time_step.observation[self._fields])
    image = image.astype(np.uint8)[..., np.newaxis]
    return time_step._replace(observation=image)


def _within_float32(spec: Any) -> Any:
  if not isinstance(spec, specs.BoundedArray):
    return spec
  if spec.dtype == np.bool_:
    return specs.Array(spec.shape, spec.dtype, spec.name)
  if spec.dtype != np.float64:
    return spec
  limit = float(np.finfo(np.float32).max)
  minimum = np.clip(spec.minimum, -limit, limit)
  maximum = np.clip(spec.maximum, -limit, limit)
  return specs.BoundedArray(spec.shape, spec.dtype, minimum, maximum, spec.name)


def bounded(environment: dm_env.Environment) -> dm_env.Environment:
  """Returns `environment` with every continuous action within its bounds.

  Args:
    environment: Any; one with discrete actions, or without bounds, stays as it
      is.
  """
  if _is_continuous(environment.action_spec()):
    return BoundedActions(environment)
  return environment


def normalized(environment: dm_env.Environment) -> dm_env.Environment:
  """Returns `environment` with actions in [-1, 1] if they are continuous.

  Discrete actions stay as they are, and so do those without finite bounds.

  Args:
    environment: Any.
  """
  spec = environment.action_spec()
  if _is_continuous(spec):
    # A bound at the limit of the dtype is how a spec writes "none".
    limit = np.finfo(spec.dtype).max
    if np.all((spec.minimum > -limit) & (spec.maximum < limit)):
      return NormalizedActions(BoundedActions(environment))
  return environment


def _is_continuous(spec: Any) -> bool:
  return isinstance(spec, specs.BoundedArray) and np.issubdtype(
      spec.dtype, np.floating
  )


@contextlib.contextmanager
def closed_on_error(environment: dm_env.Environment) -> Iterator[None]:
  """Closes an environment if what is done inside raises."""
  with contextlib.ExitStack() as on_error:
    on_error.callback(environment.close)
    yield
    on_error.pop_all()
