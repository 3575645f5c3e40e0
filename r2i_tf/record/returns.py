"""The returns of a run: of the last episodes, and those not yet recorded."""

import collections
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Optional

from r2i_tf.record import records


class Returns:
  """Takes each return once; keeps the last `records.WINDOW`."""

  def __init__(self, recent: Sequence[float] = ()):
    """Has nothing to record.

    Args:
      recent: Of earlier episodes, oldest first; see `recent`.
    """
    self._recent = collections.deque(recent, maxlen=records.WINDOW)
    self._pending: list[records.Episode] = []

  @property
  def recent(self) -> list[float]:
    """Those that are kept, oldest first."""
    return list(self._recent)

  def add(
      self,
      environment_step: int,
      value: float,
      info: Optional[Mapping[str, float]] = None,
  ) -> None:
    """Takes the return of an episode.

    Args:
      environment_step: Transitions of all environments when it ended.
      value: The return.
      info: What the environment says of it, if anything.
    """
    self._recent.append(value)
    self._pending.append(records.Episode(environment_step, value, info or {}))

  def sum(self, episodes: int) -> tuple[float, int]:
    """Returns the sum of the last returns, and of how many it is.

    Args:
      episodes: At most `records.WINDOW`; while fewer have finished, those.
    """
    returns = self.recent[-episodes:]
    return float(sum(returns)), len(returns)

  def mean(self, episodes: int) -> Optional[float]:
    """Returns the mean of the last returns, None before the first.

    Args:
      episodes: At most `records.WINDOW`; while fewer have finished, those.
    """
    total, count = self.sum(episodes)
    return total / count if count else None

  def take(self) -> list[records.Episode]:
    """Returns the episodes that came since the last call, oldest first."""
    pending, self._pending = self._pending, []
    return pending
