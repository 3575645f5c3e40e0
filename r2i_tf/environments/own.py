"""Environments of one's own: of dm_env, of Gymnasium or of TF-Agents.

Neither Gymnasium nor TF-Agents is imported here: where an environment of theirs
is, they are.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import inspect
import sys
from typing import Any, Optional

import dm_env

from r2i_tf import schema
from r2i_tf.environments import errors
from r2i_tf.environments import options as options_lib
from r2i_tf.environments import tf_agents_adapter
from r2i_tf.environments import wrappers
from r2i_tf.environments.suites import gymnasium as gymnasium_lib


def make(
    task: Any, seed: int, options: Optional[options_lib.Options]
) -> dm_env.Environment:
  """Returns the user's own environment.

  Args:
    task: An environment, or a function that makes one. The function gets the
      seed if it has an argument of that name, or one without default.
    seed: The seed of its randomness, from 0 to 2^32 - 1.
    options: For one of Gymnasium, those of the suite `gymnasium`. Those of all
      suites, which a run has, are taken for any.

  Returns:
    The environment, its actions within their bounds; those of one of Gymnasium
    are in [-1, 1], as its suite has them. If something is wrong with it, it is
    closed.

  Raises:
    InvalidTaskError: `task` is none of these.
    schema.ConfigError: There is no such option.
  """
  environment = task
  if not is_environment(task) and callable(task):
    environment = _called(task, seed)
  if not is_environment(environment):
    made = '' if environment is task else ' a function that returns'
    raise errors.InvalidTaskError(
        'a task is a name such as bsuite/memory_len/9, an environment of'
        ' dm_env, Gymnasium or TF-Agents, or a function that makes one, but'
        f' found{made} a {type(environment).__name__}.'
    )
  with wrappers.closed_on_error(environment):
    if _is_gymnasium(environment):
      gymnasium_options = options_lib.of_suite('gymnasium', options)
      assert isinstance(gymnasium_options, gymnasium_lib.GymnasiumOptions)
      return wrappers.normalized(
          gymnasium_lib.adapted(environment, seed, gymnasium_options)
      )
    # A run passes the options of all suites on, whatever its task.
    if not isinstance(options, (options_lib.SuiteOptions, type(None))):
      raise schema.ConfigError(
          f'{name_of(task)} is no task of a suite and takes no options, but'
          f' found {options!r}: give them to its constructor.'
      )
    if _is_tf_agents(environment):
      if environment.batched:
        raise errors.InvalidTaskError(
            f'{name_of(environment)} is a batch of environments, but a task is'
            ' a single one: give one without a batch dimension, or a function'
            ' that makes one.'
        )
      environment = tf_agents_adapter.TFAgentsEnvironment(environment, seed)
    return wrappers.bounded(environment)


def is_environment(task: Any) -> bool:
  """Returns whether a task is an environment itself.

  Args:
    task: Anything.
  """
  return (
      isinstance(task, dm_env.Environment)
      or _is_gymnasium(task)
      or _is_tf_agents(task)
  )


@contextlib.contextmanager
def closed_on_error(task: Any) -> Iterator[None]:
  """Closes a task that is an environment if what is done inside raises.

  Args:
    task: Anything.
  """
  with contextlib.ExitStack() as stack:
    if is_environment(task):
      stack.enter_context(wrappers.closed_on_error(task))
    yield


def name_of(task: Any) -> str:
  """Returns the name of the class of an environment, or of its function.

  Args:
    task: An environment, or a function that makes one.
  """
  if _is_gymnasium(task):
    return type(task.unwrapped).__name__
  if is_environment(task):
    return type(task).__name__
  return getattr(task, '__name__', type(task).__name__)


def _is_gymnasium(task: Any) -> bool:
  return _is_a(task, 'gymnasium', 'Env')


def _is_tf_agents(task: Any) -> bool:
  module = 'tf_agents.environments.py_environment'
  return _is_a(task, module, 'PyEnvironment')


def _is_a(task: Any, module: str, name: str) -> bool:
  cls = getattr(sys.modules.get(module), name, None)
  return cls is not None and isinstance(task, cls)


def _called(function: Callable[..., Any], seed: int) -> Any:
  """Calls `function` with the seed, if it has a place for it."""
  try:
    parameters = inspect.signature(function).parameters.values()
  except (TypeError, ValueError):  # Of some that are not written in Python.
    return function()
  if any(p.name == 'seed' and p.kind != p.POSITIONAL_ONLY for p in parameters):
    return function(seed=seed)
  kinds = (
      inspect.Parameter.POSITIONAL_ONLY,
      inspect.Parameter.POSITIONAL_OR_KEYWORD,
  )
  if any(p.kind in kinds and p.default is p.empty for p in parameters):
    return function(seed)
  return function()
