"""A child process of the local cluster: started, read, ended, never orphaned.

Linux tells a child when its parent has ended, however it did: no child is left
behind when the cluster itself is killed.
"""

from collections.abc import Callable
from collections.abc import Sequence
import ctypes
import os
import signal
import subprocess
import threading
import time
from typing import Optional

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # Loaded here: not between a fork and what follows.
_PAUSE = 0.05


class Role:
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
    self.name = name
    self.starts = 0
    self._command = list(command)
    self._write = write
    self._process: Optional[subprocess.Popen] = None
    self._reader: Optional[threading.Thread] = None

  def start(self) -> None:
    """Starts it."""
    self.starts += 1
    parent = os.getpid()
    self._process = subprocess.Popen(
        self._command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
        # Ctrl-C is for the cluster, which stops its roles in order.
        start_new_session=True,
        preexec_fn=lambda: _end_with_parent(parent),
    )
    self._reader = threading.Thread(
        target=self._pass_on, args=(self._process,), daemon=True
    )
    self._reader.start()

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
    """Waits until it has ended and its log is read; returns whether it has.

    Args:
      seconds: How long at most.
    """
    deadline = time.monotonic() + seconds
    while self._process is not None and self._process.poll() is None:
      if time.monotonic() >= deadline:
        return False
      time.sleep(_PAUSE)
    if self._reader is not None:
      self._reader.join(timeout=1.0)
    return True

  def kill(self) -> None:
    """Ends it, with all processes that it started, if it runs."""
    if self._process is not None and self._process.poll() is None:
      os.killpg(self._process.pid, signal.SIGKILL)
      self._process.wait()

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
