"""A promise to end in time, also while TensorFlow compiles.

Python runs the handler of a signal between two of its own instructions, and
the first train step is one of them, of a minute or more. Nothing is trained
then that a checkpoint could lose, so the process may just end.
"""

import os
import signal
import socket
import threading
from typing import Any

from r2i_tf.roles import setup


class UntilFirstStep:
  """A context in which SIGTERM ends the process after some seconds at most.

  Outside the main thread, where Python takes no signals, it does nothing.
  """

  def __init__(self, seconds: float):
    """Does nothing yet.

    Args:
      seconds: After a SIGTERM, if the context is not left before.
    """
    self._seconds = seconds
    self._left = threading.Event()

  def __enter__(self) -> 'UntilFirstStep':
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
    self._left.set()
    if threading.current_thread() is threading.main_thread():
      signal.set_wakeup_fd(self._previous)
      self._writing.close()  # Ends the thread.

  def over(self) -> None:
    """The step is over: signals are answered in time from now on."""
    self._left.set()

  def _watch(self) -> None:
    while True:
      numbers = self._reading.recv(1)
      if not numbers:
        return
      if numbers[0] == signal.SIGTERM and not self._left.wait(self._seconds):
        setup.note('stopped while the train step was compiled; nothing is lost')
        os._exit(0)
