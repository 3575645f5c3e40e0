"""Errors of tasks and environments, each of which is one sentence."""

from collections.abc import Sequence

from r2i_tf import errors

_REPR_LENGTH = 80


class UnknownTaskError(errors.UserError, ValueError):
  """A task name that no suite has."""


class InvalidTaskError(errors.UserError, TypeError):
  """Something in the place of a task that no environment can be made of."""


class MissingSuiteError(errors.UserError, ImportError):
  """A suite whose package, data or system library is not installed."""


class FaultyEnvironmentError(errors.UserError, RuntimeError):
  """A step that raised, or that broke the specs of its environment."""


class StepFault(Exception):
  """What is wrong with a step, as a clause, where no name is known yet.

  `CheckedEnvironment` makes a `FaultyEnvironmentError` of it.
  """


class CrashedEnvironmentError(errors.UserError, RuntimeError):
  """An environment that crashed once more than its pool restarts it.

  Its cause holds the traceback of the environment's process.
  """

  def report(self) -> str:
    """Returns the sentence and the traceback, which nobody else can show."""
    return f'{self}{self.__cause__ or ""}'


def shortened(value: object) -> str:
  """Returns `repr(value)` on one line, cut where it is long.

  Args:
    value: Anything that a sentence is to name.
  """
  text = ' '.join(repr(value).split())
  return f'{text[:_REPR_LENGTH]}...' if len(text) > _REPR_LENGTH else text


def check_task(suite: str, name: str, valid: Sequence[str]) -> None:
  """Raises `UnknownTaskError` unless `name` is one of a suite's names.

  Args:
    suite: The suite's name.
    name: The part of the task that follows the suite.
    valid: The suite's names, all of them.
  """
  if name not in valid:
    found = f'{suite}/{name}' if name else suite
    raise UnknownTaskError(
        f'there is no task {found!r} (r2i-tasks prints all):'
        f' {errors.did_you_mean(name, valid, f"{suite}/")}'
    )
