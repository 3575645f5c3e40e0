"""Takes a `dm_env` environment into TF-Agents: every suite passes through."""

from collections.abc import Callable
from typing import Union

import dm_env
from tf_agents.environments import dm_control_wrapper
from tf_agents.environments import py_environment

from r2i_tf.environments import errors
from r2i_tf.environments import wrappers


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
    return dm_control_wrapper.DmControlWrapper(made)


def _described(environment: object, made: object) -> str:
  if made is environment:
    return f'a {type(made).__name__}'
  return f'a function that returns a {type(made).__name__}'
