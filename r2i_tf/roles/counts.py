"""The steps and episodes of all collectors, as the learner counts them."""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any, Optional

from r2i_tf.record import records
from r2i_tf.record import returns as returns_lib
from r2i_tf.replay.reverb import reports


class RemoteCounts:
  """Adds up reports; has the counts that a monitor shows.

  Attributes:
    environment_steps: Transitions of all collectors.
    episodes: Episodes that have finished.
    restarts: Crashes of environments that were survived.
  """

  def __init__(self) -> None:
    self.environment_steps = 0
    self.episodes = 0
    self.restarts = 0
    # By collector: the number of its last report, and its counts then.
    self._last: dict[str, list[int]] = {}
    self._returns = returns_lib.Returns()

  def add(self, taken: Iterable[reports.Report]) -> None:
    """Counts reports; those that were counted before are left out.

    Args:
      taken: In the order in which they came.
    """
    for report in taken:
      last = self._last.get(report.collector, [0, 0, 0, 0])
      if report.number <= last[0]:
        continue
      self.environment_steps += report.environment_steps - last[1]
      self.episodes += report.episodes - last[2]
      self.restarts += report.restarts - last[3]
      self._last[report.collector] = [
          report.number,
          report.environment_steps,
          report.episodes,
          report.restarts,
      ]
      for value in report.returns:
        self._returns.add(self.environment_steps, value)

  def mean_return(self, episodes: int) -> Optional[float]:
    """Returns the mean of the last `episodes` returns, None before the first.

    Args:
      episodes: At most `records.WINDOW`; while fewer have finished, those.
    """
    return self._returns.mean(episodes)

  def take_finished(self) -> list[records.Episode]:
    """Returns the episodes that came since the last call, oldest first."""
    return self._returns.take()

  def state(self) -> Mapping[str, Any]:
    """Returns the counts for `restore`, as plain values."""
    return {
        'environment_steps': self.environment_steps,
        'episodes': self.episodes,
        'restarts': self.restarts,
        'recent_returns': self._returns.recent,
        'collectors': self._last,
    }

  def restore(self, state: Mapping[str, Any]) -> None:
    """Continues the counts of `state`."""
    self.environment_steps = state['environment_steps']
    self.episodes = state['episodes']
    self.restarts = state['restarts']
    self._returns = returns_lib.Returns(state['recent_returns'])
    self._last = {
        name: list(last) for name, last in state['collectors'].items()
    }
