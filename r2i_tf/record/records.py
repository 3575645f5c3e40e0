"""The format of a run's `metrics.jsonl`, and its reader; `metrics` writes it.

One JSON object a line, in the order of environment steps:

  environment_steps, train_steps, episodes, minutes    counts since the start
  environment_restarts                                  the same, after crashes
  mean_return_100, mean_return_200                      of the last episodes
  environment_steps_per_second, train_steps_per_second  since the last record
  episode_steps, episode_returns                        one entry for each
      episode that finished since the last record: the environment step of its
      end, and its return
  and the mean of every loss since the last record

A number that is not finite is null.
"""

from collections.abc import Iterator
import dataclasses
import json
import pathlib
from typing import Any

STEP, TRAIN_STEP = 'environment_steps', 'train_steps'
# Episodes that a mean return is taken over: the one that may end a run, and the
# one that is shown.
WINDOW, SHOWN = 200, 100


@dataclasses.dataclass(frozen=True)
class Episode:
  """A finished episode.

  Attributes:
    environment_step: Transitions of all environments when it ended.
    episode_return: The sum of its rewards.
  """

  environment_step: int
  episode_return: float


def read(path: pathlib.Path) -> Iterator[dict[str, Any]]:
  """Yields the records of a JSON Lines file; skips lines that are not whole.

  Args:
    path: A `metrics.jsonl`, perhaps one that is being written.
  """
  with open(path, encoding='utf-8', errors='replace') as file:
    for line in file:
      try:
        record = json.loads(line)
      except ValueError:
        continue
      if isinstance(record, dict) and STEP in record and line.endswith('\n'):
        yield record
