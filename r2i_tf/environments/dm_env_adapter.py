"""Takes a `dm_env` environment into TF-Agents: every suite passes through."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any, Optional, Union

import dm_env
import numpy as np
from tf_agents.environments import dm_control_wrapper
from tf_agents.environments import py_environment

from r2i_tf.environments import errors
from r2i_tf.environments import wrappers

_FEW = 64  # Numbers.


class DmEnvAdapter(dm_control_wrapper.DmControlWrapper):
  """A `dm_env` environment as one of TF-Agents."""

  def get_info(self) -> Optional[Mapping[str, float]]:
    """Returns numbers of the episode that has ended; None without any.

    They are those of the method `episode_info` of the `dm_env` environment, if
    it has one, and go into the record of a run.
    """
    episode_info = getattr(self._env, 'episode_info', None)
    return None if episode_info is None else episode_info()

  def truths(self) -> dict[str, np.ndarray]:
    """Returns what the environment says of its last step, and no agent sees.

    Numbers, and arrays of up to 64 of them, of the attribute `info` of the
    `dm_env` environment, by `info/<key>`; none if it has no such attribute.
    """
    said = getattr(self._env, 'info', None)
    if not isinstance(said, Mapping):
      return {}
    arrays = {f'info/{key}': _numbers(value) for key, value in said.items()}
    return {key: array for key, array in arrays.items() if array is not None}


def from_dm_env(
    environment: Union[dm_env.Environment, Callable[[], dm_env.Environment]],
) -> py_environment.PyEnvironment:
  """Wraps a `dm_env` environment as a TF-Agents environment.

  Step types and discounts pass unchanged, so an episode that ends with discount
  1 (a time limit) stays distinct from one that terminates. Rewards, discounts
  and float64 observations become float32; other dtypes and shapes are kept.

  Args:
    environment: An environment, which this takes over, or a function without
      arguments that makes one. It is closed if TF-Agents cannot take it.

  Returns:
    An environment without a batch dimension.

  Raises:
    InvalidTaskError: `environment` is neither.
  """
  made = environment
  if not isinstance(made, dm_env.Environment) and callable(made):
    made = made()
  if not isinstance(made, dm_env.Environment):
    raise errors.InvalidTaskError(
        'from_dm_env takes a dm_env.Environment or a function without arguments'
        f' that returns one, but found {_described(environment, made)}.'
    )
  with wrappers.closed_on_error(made):
    if not isinstance(made, wrappers.Float32Bounds):
      made = wrappers.Float32Bounds(made)
    return DmEnvAdapter(made)


def _numbers(value: Any) -> Optional[np.ndarray]:
  """Returns a number, or an array of a few; None of anything else."""
  if not isinstance(value, (bool, int, float, np.generic, np.ndarray)):
    return None
  array = np.array(value)  # It may go on to change it.
  is_few = array.size <= _FEW and array.dtype.kind in 'biuf'
  return array if is_few else None


def _described(environment: object, made: object) -> str:
  if made is environment:
    return f'a {type(made).__name__}'
  return f'a function that returns a {type(made).__name__}'
