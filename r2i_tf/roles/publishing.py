"""The learner's small traffic with the server: weights out, reports in.

It has a thread of its own: a server that is busy, with a checkpoint of its
tables, say, keeps no train step waiting, no checkpoint and no signal.
"""

from collections.abc import Callable
from collections.abc import Sequence
import queue
import threading
import time
from typing import Optional

import numpy as np
import reverb
import tensorflow as tf

from r2i_tf.replay.reverb import connection
from r2i_tf.replay.reverb import reports
from r2i_tf.replay.reverb import weights
from r2i_tf.roles import counts as counts_lib

_REPORT_SECONDS = 1.0
_PAUSE = 0.1
_CLOSING_SECONDS = 15.0  # Longer than a call to the server takes.

_Weights = tuple[int, list[np.ndarray]]  # A train step, and the values then.


class Publisher:
  """Talks to the server when it is time, and is silent while that is gone."""

  def __init__(
      self,
      address: str,
      variables: Sequence[tf.Variable],
      counts: counts_lib.RemoteCounts,
      seconds: float,
      check: Callable[[], None],
  ):
    """Begins to read reports; has nothing to publish yet.

    Args:
      address: Of the server.
      variables: To publish.
      counts: Gets the reports.
      seconds: From one publication to the next.
      check: Raises `errors.RunError` if the server is not the one of this run;
        called, by the thread, when it has come back.
    """
    self._variables = variables
    self._counts = counts
    self._seconds = seconds
    self._given = -float('inf')
    self._traffic = _Traffic(address, check)

  def exchange(self, train_step: int) -> None:
    """Gives weights away when it is time, and counts reports that have come.

    Args:
      train_step: Of the weights.

    Raises:
      errors.RunError: Another server has taken the place of the run's.
    """
    traffic = self._traffic
    if traffic.fault is not None:
      raise traffic.fault
    while not traffic.reports.empty():
      self._counts.add(traffic.reports.get())
    is_due = time.monotonic() - self._given >= self._seconds
    if traffic.weights.empty() and (is_due or traffic.asks.is_set()):
      traffic.asks.clear()
      # Copies: the next train step writes over the variables.
      values = [np.array(variable.numpy()) for variable in self._variables]
      traffic.weights.put((train_step, values))
      self._given = time.monotonic()

  def close(self) -> None:
    """Closes the connection."""
    self._traffic.close()


class _Traffic:
  """The thread, and what goes to it and comes from it.

  Attributes:
    weights: Those to be published next, or nothing.
    reports: Those that have come.
    asks: Set if the server has to have weights at once.
    fault: What ended the thread; None while it runs.
  """

  def __init__(self, address: str, check: Callable[[], None]):
    self.weights: queue.Queue[_Weights] = queue.Queue(maxsize=1)
    self.reports: queue.Queue[list[reports.Report]] = queue.Queue()
    self.asks = threading.Event()
    self.fault: Optional[Exception] = None
    self._address = address
    self._check = check
    self._is_lost = False
    self._client: Optional[reverb.Client] = None
    self._read = -float('inf')
    self._closing = threading.Event()
    self._thread = threading.Thread(target=self._run, daemon=True)
    self._thread.start()

  def close(self) -> None:
    self._closing.set()
    self._thread.join(_CLOSING_SECONDS)

  def _run(self) -> None:
    while not self._closing.wait(_PAUSE):
      is_due = time.monotonic() - self._read >= _REPORT_SECONDS
      if not is_due and (self._is_lost or self.weights.empty()):
        continue
      self._read = time.monotonic()
      try:
        self._exchange()
      except connection.ServerGoneError:
        self._client = None  # Again next time.
        self.asks.set()
      except Exception as error:
        self.fault = error
        return
    self._client = None

  def _exchange(self) -> None:
    if not connection.is_open(self._address):
      # The reader of batches says so. See `connection` for why it is closed.
      self._client = None
      self._is_lost = True
      return
    if self._is_lost:
      self._check()
      self._is_lost = False
      self.asks.set()  # Its weights may be old, or none.
    client = self._client = self._client or reverb.Client(self._address)
    if not self.weights.empty():
      connection.call(weights.push, client, *self.weights.get())
    self.reports.put(connection.call(reports.take, client))
