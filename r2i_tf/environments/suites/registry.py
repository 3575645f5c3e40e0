"""All suites, and the `dm_env` environment of a task.

`SUITES` is the one place that lists them. The packages beneath a suite are
optional, and loaded only when one of its tasks is asked for.

Nothing here needs TensorFlow: the processes of a pool run this.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import typing
from typing import Any, Optional, Union

import dm_env

from r2i_tf import errors as base_errors
from r2i_tf import quiet
from r2i_tf import schema
from r2i_tf.environments import checks
from r2i_tf.environments import errors
from r2i_tf.environments import options as options_lib
from r2i_tf.environments import own
from r2i_tf.environments import suite as suite_lib
from r2i_tf.environments import wrappers
from r2i_tf.environments.suites import atari
from r2i_tf.environments.suites import bsuite
from r2i_tf.environments.suites import dmc
from r2i_tf.environments.suites import gymnasium
from r2i_tf.environments.suites import memory_maze
from r2i_tf.environments.suites import popgym

if typing.TYPE_CHECKING:
  import gymnasium as gymnasium_package
  from tf_agents.environments import py_environment

Environment = Union[
    dm_env.Environment,
    'gymnasium_package.Env',
    'py_environment.PyEnvironment',
]
Task = Union[str, Environment, Callable[[], Environment], Callable[[int], Any]]

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
    drawn: bool = False,
) -> dm_env.Environment:
  """Makes the environment of a task, held to its specs.

  Continuous actions of a task that is given by name are in [-1, 1].

  Args:
    task: A name, an environment, or a function that makes one; see `own.make`.
    seed: The seed of its randomness, from 0 to 2^32 - 1.
    options: The suite's; None takes the defaults.
    index: Its number among the environments of a batch, for errors.
    drawn: Whether it is to have a method `render`; only of a task that
      `can_draw`, and, since MuJoCo may render, in a process of its own.

  Returns:
    The environment. If something is wrong with it, it is closed.

  Raises:
    UnknownTaskError: There is no such task.
    InvalidTaskError: `task` is none of these.
    MissingSuiteError: The suite needs something that is not installed.
    schema.ConfigError: The suite has no such option, or `seed` is out of range.
  """
  with own.closed_on_error(task):
    schema.require(
        0 <= seed < SEEDS,
        f'the seed of an environment is {seed}, but it must be from 0 to'
        f' {SEEDS - 1}.',
    )
  if isinstance(task, str):
    environment = _make_named(task, seed, options, drawn)
  else:
    environment = own.make(task, seed, options)
  name = name_of(task)
  if index is not None:
    name = f'environment {index} of {name}'
  with wrappers.closed_on_error(environment):
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


def is_named(task: Task) -> bool:
  """Returns whether a task is the name of one of a suite.

  Args:
    task: As `make` takes it, or a name that only its user knows.
  """
  return isinstance(task, str) and task.partition('/')[0] in SUITES


def can_draw(task: Task) -> bool:
  """Returns whether a task can be `drawn`; of the named ones it is known.

  Args:
    task: As `make` takes it.
  """
  if not isinstance(task, str):
    return False
  suite = SUITES.get(task.partition('/')[0])
  return suite is not None and suite.make_drawn is not None


def component_names(task: Task, count: int) -> Optional[Sequence[str]]:
  """Returns names for the numbers of a task's observation, for people.

  Args:
    task: As `make` takes it.
    count: How many numbers there are.

  Returns:
    The names; None where there are none.
  """
  if not isinstance(task, str):
    return None
  suite, _, name = task.partition('/')
  return SUITES[suite].component_names(name, count) if suite in SUITES else None


def with_ground_truth(task: Task) -> Task:
  """Returns the variant of a task that shows what its agent does not see.

  Its observation is a dict, of which `image` is the task's own observation. A
  task that has no such variant is returned as it is.

  Args:
    task: As `make` takes it.
  """
  if isinstance(task, str):
    suite, name = check_name(task)
    if suite == memory_maze.SUITE.name:
      return f'{suite}/{memory_maze.with_ground_truth(name)}'
  return task


def with_module(task: Task) -> Optional[str]:
  """Returns the name by which another process finds a task of this one's.

  None where there is none: only ids of Gymnasium can be registered in one
  process and unknown in another.

  Args:
    task: As `make` takes it.
  """
  if not isinstance(task, str):
    return None
  suite, name = check_name(task)
  named = gymnasium.with_module(name) if suite == 'gymnasium' else None
  return named and f'{suite}/{named}'


def name_of(task: Task) -> str:
  """Returns the name of a task, or of its class or function, for errors."""
  return task if isinstance(task, str) else own.name_of(task)


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
    task: str, seed: int, given: Optional[options_lib.Options], drawn: bool
) -> dm_env.Environment:
  """Returns the environment of a suite's task."""
  suite, name = check_name(task)
  arguments = _arguments(suite, given)
  SUITES[suite].require_packages()
  maker = SUITES[suite].make_drawn if drawn else SUITES[suite].make
  assert maker is not None, task  # As `can_draw` would have said.
  with quiet.deprecations():
    environment = maker(name, seed, *arguments)
  with wrappers.closed_on_error(environment):
    return wrappers.normalized(environment)


def _arguments(
    suite: str, given: Optional[options_lib.Options]
) -> tuple[suite_lib.Options, ...]:
  """Returns the suite's options, as the last argument of its functions."""
  options = options_lib.of_suite(suite, given)
  return () if options is None else (options,)


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
