"""All suites, and the `dm_env` environment of a task.

`SUITES` is the one place that lists them. The packages beneath a suite are
optional, and loaded only when one of its tasks is asked for.

Nothing here needs TensorFlow: the processes of a pool run this.
"""

from collections.abc import Callable
from collections.abc import Iterator
import inspect
from typing import Any, Optional, Union

import dm_env

from r2i_tf import errors as base_errors
from r2i_tf import quiet
from r2i_tf import schema
from r2i_tf.environments import checks
from r2i_tf.environments import errors
from r2i_tf.environments import options as options_lib
from r2i_tf.environments import suite as suite_lib
from r2i_tf.environments import wrappers
from r2i_tf.environments.suites import atari
from r2i_tf.environments.suites import bsuite
from r2i_tf.environments.suites import dmc
from r2i_tf.environments.suites import gymnasium
from r2i_tf.environments.suites import memory_maze
from r2i_tf.environments.suites import popgym

Make = Union[Callable[[], dm_env.Environment], Callable[[int], Any]]
Task = Union[str, dm_env.Environment, Make]

SEEDS = 2**32

SUITES: dict[str, suite_lib.Suite] = {
    suite.name: suite
    for suite in (
        bsuite.SUITE,
        popgym.SUITE,
        memory_maze.SUITE,
        atari.SUITE,
        dmc.SUITE,
        gymnasium.SUITE,
    )
}


def list_tasks() -> list[str]:
  """Returns the names of all tasks that this installation can run."""
  names: list[str] = []
  for suite, tasks, _ in _installed():
    names.extend(f'{suite}/{name}' for name in tasks)
  return names


def missing_suites() -> list[str]:
  """Returns a sentence for each suite that cannot be run, with a remedy."""
  return [str(error) for _, _, error in _installed() if error is not None]


def make(
    task: Task,
    seed: int,
    options: Optional[options_lib.Options] = None,
    index: Optional[int] = None,
) -> dm_env.Environment:
  """Makes the environment of a task, held to its specs.

  Continuous actions of a task that is given by name are in [-1, 1].

  Args:
    task: A name, an environment, or a function that makes one. The function
      gets the seed if it has an argument of that name, or one without default.
    seed: The seed of its randomness, from 0 to 2^32 - 1.
    options: The suite's; None takes the defaults.
    index: Its number among the environments of a batch, for errors.

  Returns:
    The environment. If something is wrong with it, it is closed.

  Raises:
    UnknownTaskError: There is no such task.
    InvalidTaskError: `task` is none of these.
    MissingSuiteError: The suite needs something that is not installed.
    schema.ConfigError: The suite has no such option, or `seed` is out of range.
  """
  schema.require(
      0 <= seed < SEEDS,
      f'the seed of an environment is {seed}, but it must be from 0 to'
      f' {SEEDS - 1}.',
  )
  if isinstance(task, str):
    environment = _make_named(task, seed, options)
  else:
    environment = _make_own(task, seed, options)
  name = name_of(task)
  if index is not None:
    name = f'environment {index} of {name}'
  with wrappers.closed_on_error(environment):
    if isinstance(task, str):
      environment = wrappers.normalized(environment)
    else:
      environment = wrappers.bounded(environment)
    return checks.CheckedEnvironment(environment, name)


def renders(task: Task, options: Optional[options_lib.Options] = None) -> bool:
  """Returns whether MuJoCo renders a task's observations.

  Such an environment needs a process of its own (`rendering.py`).

  Args:
    task: A name, an environment, or a function that makes one; only of named
      tasks is anything known.
    options: The suite's; None takes the defaults.

  Raises:
    UnknownTaskError: There is no such suite.
    MissingSuiteError: The suite needs something that is not installed.
    schema.ConfigError: The suite has no such option.
  """
  if not isinstance(task, str):
    return False
  suite, _ = check_name(task)
  arguments = _arguments(suite, options)
  SUITES[suite].require_packages()
  return SUITES[suite].renders(*arguments)


def name_of(task: Task) -> str:
  """Returns the name of a task, or of its class or function, for errors."""
  if isinstance(task, str):
    return task
  if isinstance(task, dm_env.Environment):
    return type(task).__name__
  return getattr(task, '__name__', type(task).__name__)


def check_name(task: str) -> tuple[str, str]:
  """Returns the suite of a task and the suite's own name of it.

  Args:
    task: `<suite>/<name>`.

  Raises:
    UnknownTaskError: There is no such suite.
  """
  suite, _, name = task.partition('/')
  if suite not in SUITES:
    raise errors.UnknownTaskError(
        f'task {task!r} does not begin with a suite, as bsuite/memory_len/9'
        f' does: {base_errors.did_you_mean(suite, SUITES)}'
    )
  return suite, name


def _make_named(
    task: str, seed: int, given: Optional[options_lib.Options]
) -> dm_env.Environment:
  """Returns the environment of a suite's task."""
  suite, name = check_name(task)
  arguments = _arguments(suite, given)
  SUITES[suite].require_packages()
  with quiet.deprecations():
    return SUITES[suite].make(name, seed, *arguments)


def _arguments(
    suite: str, given: Optional[options_lib.Options]
) -> tuple[suite_lib.Options, ...]:
  """Returns the suite's options, as the last argument of its functions."""
  options = options_lib.of_suite(suite, given)
  return () if options is None else (options,)


def _make_own(
    task: Task, seed: int, options: Optional[options_lib.Options]
) -> dm_env.Environment:
  """Returns the user's own environment."""
  # A run passes the options of all suites on, whatever its task.
  if options is not None and not isinstance(options, options_lib.SuiteOptions):
    raise schema.ConfigError(
        f'{name_of(task)} is no task of a suite and takes no options, but found'
        f' {options!r}: give them to its constructor.'
    )
  environment: Any = task
  if not isinstance(task, dm_env.Environment) and callable(task):
    environment = _called(task, seed)
  if not isinstance(environment, dm_env.Environment):
    made = '' if environment is task else ' a function that returns'
    raise errors.InvalidTaskError(
        'a task is a name such as bsuite/memory_len/9, a dm_env.Environment or'
        f' a function that makes one, but found{made} a'
        f' {type(environment).__name__}.'
    )
  return environment


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


def _installed() -> (
    Iterator[tuple[str, list[str], Optional[errors.MissingSuiteError]]]
):
  """Yields (suite, names of its tasks, the error if it lacks something)."""
  for name, suite in SUITES.items():
    try:
      suite.require_packages()
      with quiet.deprecations():
        tasks = suite.tasks()
      yield name, tasks, None
    except errors.MissingSuiteError as error:
      yield name, [], error
