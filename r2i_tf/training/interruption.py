"""Ctrl-C and SIGTERM as a request that the run honours between two steps."""

import signal
import threading
from typing import Any


class Interruption:
  """A context in which SIGINT and SIGTERM only raise a flag.

  A second SIGINT raises `KeyboardInterrupt`, for somebody who cannot wait.
  Outside the main thread, where Python takes no signals, it does nothing.
  """

  def __init__(self) -> None:
    self.requested = False
    self._previous: dict[int, Any] = {}

  def __enter__(self) -> 'Interruption':
    if threading.current_thread() is threading.main_thread():
      for number in (signal.SIGINT, signal.SIGTERM):
        self._previous[number] = signal.signal(number, self._request)
    return self

  def __exit__(self, *_: Any) -> None:
    for number, handler in self._previous.items():
      signal.signal(number, handler)
    self._previous = {}

  def _request(self, number: int, _: Any) -> None:
    if self.requested and number == signal.SIGINT:
      raise KeyboardInterrupt
    self.requested = True
