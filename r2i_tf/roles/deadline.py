"""A promise to end in time, also while TensorFlow compiles or exports.

Python runs the handler of a signal between two of its own instructions, and a
first train step is one of them, of a minute or more. Where nothing is trained
that a checkpoint does not have, the process may just end.
"""

from collections.abc import Iterator
import contextlib
import os
import signal
import socket
import threading
import time
from typing import Any, Optional

from r2i_tf.roles import setup


class Deadline:
  """A context in which SIGTERM ends the process, if it is slow to answer.

  Some seconds after a SIGTERM nothing that is `expendable` goes on, nor begins.
  Outside the main thread, where Python takes no signals, it does nothing.
  """

  def __init__(self, seconds: float):
    """Does nothing yet.

    Args:
      seconds: From the SIGTERM on.
    """
    self._seconds = seconds
    self._part: Optional[str] = None
    self._changed = threading.Condition()

  def __enter__(self) -> 'Deadline':
    if threading.current_thread() is not threading.main_thread():
      return self
    self._reading, self._writing = socket.socketpair()
    self._writing.setblocking(False)
    # Python writes each signal's number there at once, whatever it is doing.
    self._previous = signal.set_wakeup_fd(
        self._writing.fileno(), warn_on_full_buffer=False
    )
    threading.Thread(target=self._watch, daemon=True).start()
    return self

  def __exit__(self, *_: Any) -> None:
    if threading.current_thread() is threading.main_thread():
      signal.set_wakeup_fd(self._previous)
      self._writing.close()  # Ends the thread.

  @contextlib.contextmanager
  def expendable(self, part: str) -> Iterator[None]:
    """Returns a context of work that may be broken off at any point.

    Args:
      part: What is done in it, as in 'stopped while <part>'.
    """
    self._set(part)
    try:
      yield
    finally:
      self._set(None)

  def _set(self, part: Optional[str]) -> None:
    with self._changed:
      self._part = part
      self._changed.notify()

  def _watch(self) -> None:
    while True:
      numbers = self._reading.recv(1)
      if not numbers:
        return
      if numbers[0] == signal.SIGTERM:
        break
    time.sleep(self._seconds)
    with self._changed:
      self._changed.wait_for(lambda: self._part is not None)
      setup.note(f'stopped while {self._part}; nothing is lost')
      os._exit(0)
