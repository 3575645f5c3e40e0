"""Ctrl-C and SIGTERM as a request that the run honours between two steps."""

import signal
import threading
from typing import Optional


class Interruption:
  """A context in which SIGINT and SIGTERM only raise a flag.

  A second SIGINT raises `KeyboardInterrupt`, for somebody who cannot wait.
  Outside the main thread, where Python takes no signals, it does nothing.
  """

  def __init__(self):
    self.requested = False
    self._previous = {}

  def __enter__(self) -> 'Interruption':
    if threading.current_thread() is threading.main_thread():
      for number in (signal.SIGINT, signal.SIGTERM):
        self._previous[number] = signal.signal(number, self._request)
    return self

  def __exit__(self, *_) -> Optional[bool]:
    for number, handler in self._previous.items():
      signal.signal(number, handler)
    self._previous = {}
    return None

  def _request(self, number, _) -> None:
    if self.requested and number == signal.SIGINT:
      raise KeyboardInterrupt
    self.requested = True
