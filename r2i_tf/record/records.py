"""The format of a run's `metrics.jsonl`, and its reader; `metrics` writes it.

One JSON object a line, in the order of environment steps:

  environment_steps, train_steps, episodes, minutes    counts since the start
  environment_restarts                                  the same, after crashes
  mean_return_100, mean_return_200                      of the last episodes
  environment_steps_per_second, train_steps_per_second  since the last record
  resident_bytes                                        memory of the process,
      without those of environments
  episode_steps, episode_returns                        one entry for each
      episode that finished since the last record: the environment step of its
      end, and its return
  episode_info                                          the same of what the
      environment says of its episodes: one list for each name, if any
  and the mean of every loss since the last record

A number that is not finite is null.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
import json
import os
import pathlib
from typing import Any, Optional

FILE = 'metrics.jsonl'
STEP, TRAIN_STEP = 'environment_steps', 'train_steps'
# Episodes that a mean return is taken over: the one that may end a run, and the
# one that is shown.
WINDOW, SHOWN = 200, 100
_TAIL = 1 << 20  # Bytes in which the last record is looked for at first.


@dataclasses.dataclass(frozen=True)
class Episode:
  """A finished episode.

  Attributes:
    environment_step: Transitions of all environments when it ended.
    episode_return: The sum of its rewards.
    info: What the environment says of it, by name, such as BSuite's regret.
  """

  environment_step: int
  episode_return: float
  info: Mapping[str, float] = dataclasses.field(default_factory=dict)


def read(path: pathlib.Path) -> Iterator[dict[str, Any]]:
  """Yields the records of a JSON Lines file; skips lines that are not whole.

  Args:
    path: A `metrics.jsonl`, perhaps one that is being written.
  """
  with open(path, encoding='utf-8', errors='replace') as file:
    for line in file:
      record = _parsed(line)
      if record is not None:
        yield record


def read_last(path: pathlib.Path) -> Optional[dict[str, Any]]:
  """Returns the last whole record of a file; None without one.

  Args:
    path: A `metrics.jsonl`, which may be long, and may not be there.
  """
  tail_size = _TAIL
  while True:
    try:
      with open(path, 'rb') as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - tail_size))
        tail = file.read().decode(encoding='utf-8', errors='replace')
    except OSError:
      return None
    for line in reversed(tail.splitlines(keepends=True)):
      record = _parsed(line)
      if record is not None:
        return record
    if tail_size >= size:
      return None
    tail_size *= 8


def _parsed(line: str) -> Optional[dict[str, Any]]:
  """Returns the record of a line, None if it is not whole."""
  try:
    record = json.loads(line)
  except ValueError:
    return None
  if isinstance(record, dict) and STEP in record and line.endswith('\n'):
    return record
  return None
