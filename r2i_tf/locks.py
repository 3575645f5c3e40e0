"""Who works in a directory: a lock that the holder's end frees, also by a kill.

The lock is a file that its holder has locked (flock) and that says who that is.
The system frees it with the process; the file that a kill leaves behind is in
nobody's way.
"""

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import socket
import time
from typing import IO, Any, Optional

from r2i_tf import errors

# File systems that know no locks, some networks' among them: there is none.
_UNKNOWN = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_READ_SECONDS = 1.0  # A holder writes who it is right after it has the lock.
_open: set[int] = set()  # The descriptors of this process's locks.


class LockedError(errors.RunError):
  """Another process has the lock."""


class Lock:
  """A context in which no other process has the same lock.

  Directories that it needs are made; at its end the file is removed, and such
  a directory if it is still empty.
  """

  def __init__(self, path: pathlib.Path, subject: str, advice: str):
    """Locks nothing yet.

    Args:
      path: The file.
      subject: The beginning of the sentence to whom comes second, up to the
        words 'process 42 on gpu1'.
      advice: The end of it, after the colon.
    """
    self._path = path
    self._subject = subject
    self._advice = advice
    self._descriptor: Optional[int] = None
    self._made: list[pathlib.Path] = []

  def __enter__(self) -> 'Lock':
    """Takes the lock.

    Raises:
      LockedError: Another process has it; the sentence names that.
      errors.RunError: The file cannot be written.
    """
    holder = {'pid': os.getpid(), 'host': socket.gethostname()}
    try:
      self._make_folder()
      self._descriptor = self._locked()
      _open.add(self._descriptor)
      os.ftruncate(self._descriptor, 0)
      os.write(self._descriptor, json.dumps(holder).encode())
    except LockedError:
      self.__exit__()
      raise
    except OSError as error:
      self.__exit__()
      raise errors.RunError(
          f'{self._path.parent} cannot be written: {error.strerror}.'
      ) from error
    return self

  def __exit__(self, *_: Any) -> None:
    if not self.is_lost():
      # While it is locked: whoever opens it now finds that it is gone.
      with contextlib.suppress(OSError):  # It is in nobody's way.
        self._path.unlink(missing_ok=True)
    self._close()
    for path in self._made:
      with contextlib.suppress(OSError):
        path.rmdir()  # Unless there is something in it.
    self._made = []

  def is_lost(self) -> bool:
    """Returns whether the file is no more, or another is in its place."""
    if self._descriptor is None:
      return True
    return not _is_at(self._path, self._descriptor)

  def renew(self) -> None:
    """Takes the lock again, whose file is lost.

    Raises:
      LockedError: Another process has it now.
      errors.RunError: The file cannot be written.
    """
    self._close()
    self.__enter__()

  def _make_folder(self) -> None:
    folder = self._path.parent
    self._made = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)

  def _locked(self) -> int:
    """Returns a descriptor of the file, which is locked."""
    while True:
      descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
      try:
        is_ours = _take(descriptor)
      except OSError:
        os.close(descriptor)
        raise
      if not is_ours:
        os.close(descriptor)
        raise LockedError(
            f'{self._subject} {_holder(self._path)}: {self._advice}.'
        )
      if _is_at(self._path, descriptor):
        return descriptor
      os.close(descriptor)  # Its holder has just removed it.

  def _close(self) -> None:
    if self._descriptor in _open:  # Else it is that of a fork's parent.
      _open.discard(self._descriptor)
      os.close(self._descriptor)
    self._descriptor = None


def lock_open_file(file: IO) -> bool:
  """Locks a file that a child is to inherit, open, and to hold until its end.

  Args:
    file: Open, by whatever path; closing it here leaves the child's lock.

  Returns:
    Whether nobody else holds it; True where the file system knows no locks.
  """
  return _take(file.fileno())


def _take(descriptor: int) -> bool:
  """Locks an open file; returns whether nobody else holds it."""
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    return False
  except OSError as error:
    if error.errno not in _UNKNOWN:
      raise
  return True


def _is_at(path: pathlib.Path, descriptor: int) -> bool:
  """Returns whether an open file is the one at a path."""
  try:
    return os.path.samestat(os.stat(path), os.fstat(descriptor))
  except OSError:
    return False


def _holder(path: pathlib.Path) -> str:
  """Returns 'process <pid> on <host>' of who has a lock."""
  deadline = time.monotonic() + _READ_SECONDS
  while time.monotonic() < deadline:
    try:
      found = json.loads(path.read_text(encoding='utf-8'))
      return f'process {found["pid"]} on {found["host"]}'
    except (OSError, ValueError, KeyError, TypeError):
      time.sleep(0.01)
  return 'another process'


def _leave_to_parent() -> None:
  """Has a fork not hold the locks of its parent, when that is gone."""
  for descriptor in _open:
    os.close(descriptor)
  _open.clear()


os.register_at_fork(after_in_child=_leave_to_parent)
