"""The check of an environment against its specs, step by step.

A wrong shape found here is one sentence with the environment's name; found
later, it is a failed copy in a replay buffer. A reward that is not a number
would be found in the weights.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any, NoReturn

import dm_env
import numpy as np
import tree

from r2i_tf import specs
from r2i_tf.environments import casts
from r2i_tf.environments import errors
from r2i_tf.environments import wrappers


class CheckedEnvironment(wrappers.Float32Bounds):
  """Passes on each step that keeps to the specs and raises at any other."""

  def __init__(self, environment: dm_env.Environment, name: str) -> None:
    """Wraps `environment`.

    Args:
      environment: The environment.
      name: Its name in an error.
    """
    super().__init__(environment)
    self._name = name
    self._observation_spec = environment.observation_spec()
    self._specs = tree.flatten_with_path(self._observation_spec)
    self._reward_shape = tuple(environment.reward_spec().shape)
    self._over = True

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode.

    Raises:
      errors.FaultyEnvironmentError: It raised, or broke its specs.
    """
    time_step = self._called('reset', self._environment.reset)
    if not time_step.first():
      self._fail('reset() gave a step that is not FIRST')
    return self._checked(time_step)

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step; after the end of an episode, starts one.

    Raises:
      errors.FaultyEnvironmentError: It raised, or broke its specs.
    """
    if self._over:
      return self.reset()
    time_step = self._called('step', self._environment.step, action)
    if time_step.first():
      self._fail('step() gave a FIRST step, with no LAST step before it')
    return self._checked(time_step)

  def _called(
      self, name: str, function: Callable[..., Any], *arguments: Any
  ) -> dm_env.TimeStep:
    try:
      time_step = function(*arguments)
    except errors.StepFault as fault:
      self._fail(str(fault))
    except Exception as error:
      raise errors.FaultyEnvironmentError(
          f'{self._name}: {name}() raised {type(error).__name__}: {error}'
      ) from error
    if not isinstance(time_step, dm_env.TimeStep):
      self._fail(
          f'{name}() gave a {type(time_step).__name__}, but it must be a'
          ' dm_env.TimeStep'
      )
    return time_step

  def _checked(self, time_step: dm_env.TimeStep) -> dm_env.TimeStep:
    """Returns `time_step` if it keeps to the specs."""
    try:
      observation = self._checked_observation(time_step.observation)
      if not time_step.first():
        casts.number('reward', time_step.reward, self._reward_shape)
        discount = casts.number('discount', time_step.discount)
        if not 0 <= discount <= 1:
          self._fail(f'the discount is {discount}, but it must lie in [0, 1]')
    except errors.StepFault as fault:
      self._fail(str(fault))
    self._over = time_step.last()
    return time_step._replace(observation=observation)

  def _checked_observation(self, observation: Any) -> Any:
    """Returns an observation whose leaves are arrays, as its spec has them."""
    try:
      tree.assert_same_structure(
          self._observation_spec, observation, check_types=False
      )
    except (TypeError, ValueError):
      self._fail(
          'the observation has the parts'
          f' {_parts(tree.flatten_with_path(observation))}, but its spec has'
          f' {_parts(self._specs)}'
      )
    arrays = [np.asarray(leaf) for leaf in tree.flatten(observation)]
    for (path, spec), array in zip(self._specs, arrays):
      name = specs.part('observation', path)
      if array.shape != tuple(spec.shape) or array.dtype != spec.dtype:
        self._fail(
            f'the {name} is {array.dtype} {list(array.shape)}, but its spec is'
            f' {spec.dtype} {list(spec.shape)}'
        )
      if array.dtype.kind == 'f':
        # What float64 can hold may be infinite as float32, which it becomes.
        casts.cast(name, array, casts.FLOAT32)
    return tree.unflatten_as(self._observation_spec, arrays)

  def _fail(self, reason: str) -> NoReturn:
    raise errors.FaultyEnvironmentError(f'{self._name}: {reason}.')


def check_alike(name: str, all_specs: Sequence[Any]) -> None:
  """Checks that the environments of a batch have the same specs.

  Args:
    name: The name of their task in an error.
    all_specs: The specs of each environment.

  Raises:
    UnsupportedSpecError: Two of them differ.
  """
  for index, found in enumerate(all_specs):
    if found != all_specs[0]:
      raise specs.UnsupportedSpecError(
          f'the environments of {name} differ: number 0 has {all_specs[0]},'
          f' number {index} has {found}.'
      )


def _parts(leaves: Iterable[tuple[tuple, Any]]) -> str:
  keys = [specs.key_of(path) for path, _ in leaves]
  return ', '.join(repr(key) if key else 'one array' for key in keys) or 'none'
