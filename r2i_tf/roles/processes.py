"""A child process of a program: started, read, ended, never orphaned.

Linux tells a child when its parent has ended, however it did: no child is left
behind when the program itself is killed.
"""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
import ctypes
import os
import signal
import subprocess
import threading
import time
from typing import IO, Optional, Union

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # Loaded here: not between a fork and what follows.
_PAUSE = 0.05


class Child:
  """A process that ends with this one."""

  def __init__(self, command: Sequence[str]):
    """Starts no process yet.

    Args:
      command: Program and arguments.
    """
    self._command = list(command)
    self._process: Optional[subprocess.Popen] = None

  def start(
      self, output: Union[int, IO], cores: Collection[int] = ()
  ) -> subprocess.Popen:
    """Starts it.

    Args:
      output: Where its standard output and error go, as `subprocess` takes it.
      cores: The numbers of those that it may run on; none for all of ours.

    Returns:
      The process.
    """
    parent = os.getpid()

    def prepare() -> None:
      _end_with_parent(parent)
      if cores:
        os.sched_setaffinity(0, cores)

    self._process = subprocess.Popen(
        self._command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
        # Ctrl-C is for the parent, which stops its children in order.
        start_new_session=True,
        preexec_fn=prepare,
    )
    return self._process

  @property
  def pid(self) -> int:
    """The process's number; it was started."""
    assert self._process is not None
    return self._process.pid

  def exit_code(self) -> Optional[int]:
    """Returns its exit code, negative for a signal; None while it runs."""
    return None if self._process is None else self._process.poll()

  def stop(self) -> None:
    """Asks it to stop, if it runs."""
    if self._process is not None and self._process.poll() is None:
      self._process.send_signal(signal.SIGTERM)

  def wait(self, seconds: float) -> bool:
    """Waits until it has ended; returns whether it has.

    Args:
      seconds: How long at most.
    """
    deadline = time.monotonic() + seconds
    while self._process is not None and self._process.poll() is None:
      if time.monotonic() >= deadline:
        return False
      time.sleep(_PAUSE)
    return True

  def kill(self) -> None:
    """Ends it, with all processes that it started, if it runs."""
    if self._process is not None and self._process.poll() is None:
      os.killpg(self._process.pid, signal.SIGKILL)
      self._process.wait()


class Role(Child):
  """A role in a process of its own, started again where it dies by accident.

  Attributes:
    name: Before each line of its log.
    starts: How often it was started.
  """

  def __init__(
      self,
      name: str,
      command: Sequence[str],
      write: Callable[[str], None],
  ):
    """Starts no process yet.

    Args:
      name: Its name.
      command: Program and arguments.
      write: Takes each line that it logs, from another thread.
    """
    super().__init__(command)
    self.name = name
    self.starts = 0
    self._write = write
    self._reader: Optional[threading.Thread] = None

  def begin(self) -> None:
    """Starts it, and passes on what it logs."""
    self.starts += 1
    process = self.start(subprocess.PIPE)
    self._reader = threading.Thread(
        target=self._pass_on, args=(process,), daemon=True
    )
    self._reader.start()

  def wait(self, seconds: float) -> bool:
    """Waits until it has ended and its log is read; returns whether it has.

    Args:
      seconds: How long at most.
    """
    if not super().wait(seconds):
      return False
    if self._reader is not None:
      self._reader.join(timeout=1.0)
    return True

  def _pass_on(self, process: subprocess.Popen) -> None:
    assert process.stdout is not None
    with process.stdout:
      for line in process.stdout:
        self._write(f'{self.name} | {line.rstrip()}')


def _end_with_parent(parent: int) -> None:
  """Has the system send this process SIGTERM when its parent ends."""
  _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
  if os.getppid() != parent:
    os._exit(1)  # It ended before it could be watched.
