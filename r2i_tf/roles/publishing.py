"""The learner's small traffic with the server: weights out, reports in."""

from collections.abc import Callable
from collections.abc import Sequence
import time
from typing import Optional

import reverb
import tensorflow as tf

from r2i_tf.replay.reverb import connection
from r2i_tf.replay.reverb import reports
from r2i_tf.replay.reverb import weights
from r2i_tf.roles import counts as counts_lib

_REPORT_SECONDS = 1.0


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
    """Talks to nobody yet.

    Args:
      address: Of the server.
      variables: To publish.
      counts: Gets the reports.
      seconds: From one publication to the next.
      check: Raises `errors.RunError` if the server is not the one of this run;
        called when it has come back.
    """
    self._address = address
    self._variables = variables
    self._counts = counts
    self._seconds = seconds
    self._check = check
    self._is_lost = False
    self._client: Optional[reverb.Client] = None
    self._pushed = self._read = -float('inf')

  def exchange(self, train_step: int) -> None:
    """Publishes weights and reads reports, each when it is time.

    Args:
      train_step: Of the weights.

    Raises:
      errors.RunError: Another server has taken the place of the run's.
    """
    now = time.monotonic()
    push_is_due = now - self._pushed >= self._seconds
    if not push_is_due and now - self._read < _REPORT_SECONDS:
      return
    self._read = now
    if not connection.is_open(self._address):
      # The reader of batches says so. See `connection` for why it is closed.
      self._client = None
      self._is_lost = True
      return
    client = self._client = self._client or reverb.Client(self._address)
    try:
      if self._is_lost:
        self._check()
        self._is_lost = False
        push_is_due = True  # Its weights may be old, or none.
      if push_is_due:
        connection.call(weights.push, client, train_step, self._variables)
        self._pushed = time.monotonic()
      self._counts.add(connection.call(reports.take, client))
    except connection.ServerGoneError:
      self._client = None  # Again next time.

  def close(self) -> None:
    """Closes the connection."""
    self._client = None
