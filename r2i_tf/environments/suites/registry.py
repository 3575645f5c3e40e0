"""All suites, and the `dm_env` environment of a task.

A suite is a module with two functions: `tasks()` lists its names and
`make(name, seed, options)`, or without options, makes one environment. It is
imported only when one of its tasks is asked for, since the packages beneath the
suites are optional.

Nothing here needs TensorFlow: this is what runs in the processes of a pool.
"""

import dataclasses
import difflib
import importlib
import inspect
import sys
import types
from typing import Any, Callable, List, Optional, Tuple, Union
import warnings

import dm_env

from r2i_tf.environments import checks
from r2i_tf.environments import errors
from r2i_tf.environments import options as options_lib
from r2i_tf.environments import wrappers

Make = Union[Callable[[], dm_env.Environment], Callable[[int], Any]]
Task = Union[str, dm_env.Environment, Make]

SEEDS = 2**32


@dataclasses.dataclass(frozen=True)
class _Suite:
  """Where a suite is, and what it needs.

  Attributes:
    module: Its module.
    packages: Those that its extra installs, by the names they are imported by.
    extra: The extra.
    python: The first Python 3 that the packages have releases for.
  """

  module: str
  packages: Tuple[str, ...]
  extra: str
  python: int = 10


_SUITES = {
    'bsuite': _Suite('bsuite', ('bsuite',), 'bsuite', python=9),
    'popgym': _Suite('popgym', ('popgym', 'gymnasium'), 'popgym'),
    'memory_maze': _Suite(
        'memory_maze',
        ('memory_maze', 'dm_control', 'mujoco'),
        'memory-maze',
    ),
    'atari': _Suite('atari', ('ale_py', 'PIL'), 'atari'),
    'dmc': _Suite('dmc', ('dm_control', 'mujoco'), 'dmc'),
    'gymnasium': _Suite('gymnasium', ('gymnasium', 'PIL'), 'gymnasium'),
}


def list_tasks() -> List[str]:
  """Returns the names of all tasks that this installation can run."""
  names = []
  for suite, tasks, _ in _installed():
    names.extend(f'{suite}/{name}' for name in tasks)
  return names


def missing_suites() -> List[str]:
  """Returns a sentence for each suite that cannot be run, on what to do."""
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
    The environment.

  Raises:
    UnknownTaskError: There is no such task.
    MissingSuiteError: The suite needs something that is not installed.
    schema.ConfigError: The suite has no such option.
    TypeError: `task` is none of these.
    ValueError: `seed` is out of range.
  """
  if not 0 <= seed < SEEDS:
    raise ValueError(
        f'the seed of an environment is {seed}, but it must be from 0 to'
        f' {SEEDS - 1}.'
    )
  if isinstance(task, str):
    environment = wrappers.normalized(_make_named(task, seed, options))
  else:
    environment = _make_own(task, seed, options)
  name = name_of(task)
  if index is not None:
    name = f'environment {index} of {name}'
  return checks.CheckedEnvironment(environment, name)


def name_of(task: Task) -> str:
  """Returns what to call a task: its name, or that of its class or function."""
  if isinstance(task, str):
    return task
  if isinstance(task, dm_env.Environment):
    return type(task).__name__
  return getattr(task, '__name__', type(task).__name__)


def check_name(task: str) -> Tuple[str, str]:
  """Returns the suite of a task and the suite's own name of it.

  Args:
    task: `<suite>/<name>`.

  Raises:
    UnknownTaskError: There is no such suite.
  """
  suite, _, name = task.partition('/')
  if suite not in _SUITES:
    near = difflib.get_close_matches(suite, _SUITES, n=1)
    hint = f' (did you mean {near[0]!r}?)' if near else ''
    raise errors.UnknownTaskError(
        f'task {task!r} begins with no known suite{hint}: the suites are'
        f' {", ".join(_SUITES)}, as in bsuite/memory_len/9.'
    )
  return suite, name


def _make_named(
    task: str, seed: int, given: Optional[options_lib.Options]
) -> dm_env.Environment:
  suite, name = check_name(task)
  options = options_lib.of_suite(suite, given)
  module = _import_suite(suite)
  if options is None:
    return module.make(name, seed)
  return module.make(name, seed, options)


def _make_own(
    task: Task, seed: int, options: Optional[options_lib.Options]
) -> dm_env.Environment:
  """Returns the user's own environment."""
  if isinstance(options, options_lib.SuiteOptions):
    options = None  # Those of a run, which holds them for every suite.
  if options is not None:
    raise TypeError(
        f'{name_of(task)} is no task of a suite and takes no options, but found'
        f' {options!r}: give them to its constructor.'
    )
  environment = task
  if not isinstance(task, dm_env.Environment) and callable(task):
    environment = _called(task, seed)
  if not isinstance(environment, dm_env.Environment):
    made = '' if environment is task else ' a function that returns'
    raise TypeError(
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


def _installed():
  """Yields (suite, names of its tasks, the error if it lacks something)."""
  for suite in _SUITES:
    try:
      yield suite, _import_suite(suite).tasks(), None
    except errors.MissingSuiteError as error:
      yield suite, [], error


def _import_suite(suite: str) -> types.ModuleType:
  """Imports a suite's module, or says what installs what it lacks."""
  entry = _SUITES[suite]
  try:
    # dm_control's import has Python show every DeprecationWarning from then on.
    with warnings.catch_warnings():
      return importlib.import_module(
          f'r2i_tf.environments.suites.{entry.module}'
      )
  except ModuleNotFoundError as error:
    if (error.name or '').partition('.')[0] not in entry.packages:
      raise
    if sys.version_info < (3, entry.python):
      remedy = (
          f'they have releases for Python 3.{entry.python} and newer only, and'
          f' this is Python 3.{sys.version_info.minor}'
      )
    else:
      remedy = f"run pip install 'r2i_tf[{entry.extra}]'"
    raise errors.MissingSuiteError(
        f'the tasks of {suite} need packages that are not installed: {remedy}.'
    ) from error
