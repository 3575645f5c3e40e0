"""What can be wrong with a task or an environment, each as one sentence."""

import difflib
from typing import List, Sequence

from r2i_tf import errors

_FEW = 10  # As many names as a sentence can hold.


class UnknownTaskError(errors.UserError, ValueError):
  """A task name that no suite has."""


class MissingSuiteError(errors.UserError, ImportError):
  """A suite whose package, data or system library is not installed."""


class FaultyEnvironmentError(errors.UserError, RuntimeError):
  """A step that raised, or that gave what the specs do not announce."""


class CrashedEnvironmentError(errors.UserError, RuntimeError):
  """An environment that crashed once more than its pool restarts it.

  Its cause holds the traceback of the environment's process.
  """

  def report(self) -> str:
    """Returns the sentence and the traceback, which nobody else can show."""
    return f'{self}{self.__cause__ or ""}'


def check_task(suite: str, name: str, valid: Sequence[str]) -> None:
  """Raises `UnknownTaskError` unless `name` is one of a suite's names.

  Args:
    suite: The suite's name.
    name: What follows the suite in the task.
    valid: The suite's names, all of them.
  """
  if name in valid:
    return
  found = f'{suite}/{name}' if name else suite
  near = [f'{suite}/{other}' for other in _near(name, valid)]
  if near:
    hint = f'did you mean {" or ".join(near)}?'
  elif len(valid) <= _FEW:
    hint = f'choose one of {", ".join(f"{suite}/{other}" for other in valid)}.'
  else:
    hint = (
        f'{suite} has {len(valid)} tasks, such as {suite}/{valid[0]};'
        ' launch/list_tasks.py prints them.'
    )
  raise UnknownTaskError(f'there is no task {found!r}: {hint}')


def _near(name: str, valid: Sequence[str]) -> List[str]:
  """Returns up to three names that are like `name`, the nearest first."""
  # The same, written in another way: MsPacman, ms-pacman, ms_pacman.
  plain = {_plain(other): other for other in valid}
  if _plain(name) in plain:
    return [plain[_plain(name)]]
  return [plain[n] for n in difflib.get_close_matches(_plain(name), plain, n=3)]


def _plain(name: str) -> str:
  return ''.join(filter(str.isalnum, name.lower()))
