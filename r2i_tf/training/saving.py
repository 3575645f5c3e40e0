"""Record and checkpoints of a run, through what may happen to their disk.

A disk that is full, or a directory that is deleted, does not end a run: what it
has is in its memory, and is written as soon as that can be done. It says so
when it happens, and at its end what could not be written until then.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import time
from typing import Any

from r2i_tf import errors
from r2i_tf import locks
from r2i_tf.training import checkpoints
from r2i_tf.training import monitor as monitor_lib


class Saving:
  """Saves a run when it is time, and knows what is not saved."""

  def __init__(
      self,
      seconds: float,
      store: checkpoints.CheckpointStore,
      monitor: monitor_lib.Monitor,
      keep: Callable[[], None],
  ):
    """Starts the clock.

    Args:
      seconds: From one checkpoint to the next.
      store: Of the checkpoints.
      monitor: Of the record.
      keep: Sees to the directory of the run; `Workdir.keep`.
    """
    self._seconds = seconds
    self._store = store
    self._keep = keep
    self._monitor = monitor
    self._failure = ''
    self._saved = time.monotonic()

  def is_due(self) -> bool:
    """Returns whether it is time for a checkpoint."""
    return time.monotonic() - self._saved >= self._seconds

  def save(self, counts: Sequence[int], state: Mapping[str, Any]) -> None:
    """Writes a record and then a checkpoint, which so holds nothing newer.

    If that cannot be done, a line says so.

    Args:
      counts: As for `CheckpointStore.save`.
      state: The counters of the run, without those of its monitor.

    Raises:
      locks.LockedError: Another run has the directory, which was deleted.
    """
    self._failure = ''
    try:
      self._keep()
      self._monitor.log()
      self._store.save(counts, {**state, **self._monitor.state()})
    except locks.LockedError:
      raise
    except errors.RunError as error:
      self._failure = str(error)
      self._monitor.note(f'the run goes on, but {error}')
    self._saved = time.monotonic()

  def failures(self) -> list[str]:
    """Returns sentences about what could not be written the last time."""
    return [text for text in (self._failure, self._monitor.failure) if text]
