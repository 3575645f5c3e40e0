"""Errors that a person can act on: each is one sentence.

The sentence says what was found, what is allowed and what to change. A program
of this package prints it and ends; a traceback is for the unforeseen.
"""

from collections.abc import Iterable
import difflib
import re

_FEW = 12  # As many names as a sentence can hold.
_NEAR = 3
# What TensorFlow puts around a reason: its operation, and a file, which may be
# a temporary one.
_AROUND = re.compile(r'^({{.*?}} )?(/[^;]*; )?|( \[Op:\w+\])$')


class UserError(Exception):
  """Something that the user can mend, explained in one sentence."""

  def report(self) -> str:
    """Returns the text that a program prints: the sentence."""
    return str(self)


class RunError(UserError):
  """A run that cannot start or go on."""


def first_line(error: BaseException) -> str:
  """Returns what an error of a library says, in one line.

  Args:
    error: The error, of TensorFlow, of the system or another.
  """
  text = (
      getattr(error, 'message', None)
      or getattr(error, 'strerror', None)
      or str(error)
      or repr(error)
  )
  return _AROUND.sub('', text.strip().splitlines()[0])


def did_you_mean(name: str, valid: Iterable[str], prefix: str = '') -> str:
  """Returns a clause that names the valid names that are like `name`.

  Args:
    name: The name that was found.
    valid: All valid names. The clause names those that are alike, and without
      any all of them, or an example if they are many. It ends the sentence.
    prefix: The text to write before each of them, such as 'atari/'.
  """
  names = list(valid)
  near = [prefix + other for other in _nearest(name, names)]
  if near:
    return f'did you mean {" or ".join(map(repr, near))}?'
  full = [prefix + other for other in names]
  if len(names) <= _FEW:
    return f'valid are {", ".join(full)}.'
  return f'there are {len(names)}, such as {full[0]!r}.'


def _nearest(name: str, valid: list[str]) -> list[str]:
  """Returns up to three names that are like `name`, the nearest first."""
  # The same, written in another way: MsPacman, ms-pacman, ms_pacman.
  plain = {_plain(other): other for other in valid}
  wanted = _plain(name)
  if wanted in plain:
    return [plain[wanted]]
  near = difflib.get_close_matches(wanted, plain, n=_NEAR)
  return [plain[other] for other in near]


def _plain(name: str) -> str:
  return ''.join(filter(str.isalnum, name.lower()))
