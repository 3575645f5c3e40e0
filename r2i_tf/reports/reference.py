"""Scores of others, and scores between a lowest and a highest one.

`reference_scores.json` has the numbers and their sources.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import functools
import json
import pathlib
from typing import Any, NamedTuple, Optional

from r2i_tf.reports import runs as runs_lib
from r2i_tf.reports import statistics

_PATH = pathlib.Path(__file__).with_name('reference_scores.json')


class Scale(NamedTuple):
  """What 0 and 1 are of a task's normalised score, and what others reached.

  Attributes:
    low: The return that is 0.
    high: The return that is 1.
    others: Returns by name, such as 'human' and 'dreamerv3'.
  """

  low: float
  high: float
  others: Mapping[str, float]

  def normalized(self, value: float) -> float:
    """Returns the normalised score of a return."""
    return (value - self.low) / (self.high - self.low)


class Aggregate(NamedTuple):
  """A setting over the tasks of a suite.

  Attributes:
    suite: The suite.
    setting: The name of the setting.
    tasks: How many tasks.
    runs: How many runs.
    value: The interquartile mean of the normalised scores.
  """

  suite: str
  setting: str
  tasks: int
  runs: int
  value: statistics.Estimate


@functools.cache
def _data() -> Mapping[str, Any]:
  return json.loads(_PATH.read_text(encoding='utf-8'))


def source(suite: str) -> str:
  """Returns where the numbers of a suite are from; '' for one without any."""
  return _data()['sources'].get(suite, '')


def scale(task: str) -> Optional[Scale]:
  """Returns the scale of a task, None if nothing is known of it.

  Args:
    task: Such as 'atari/pong'.
  """
  suite, _, name = task.partition('/')
  found = _data()['suites'].get(suite)
  if found is None:
    return None
  others = found['tasks'].get(name, {})
  low, high = (
      others.get(end) if isinstance(end, str) else end
      for end in (found['low'], found['high'])
  )
  return None if low is None or high is None else Scale(low, high, others)


def aggregates(runs: Sequence[runs_lib.Run]) -> list[Aggregate]:
  """Returns each setting over several tasks of a suite.

  Settings are compared on the tasks that all settings of the suite have runs
  of; where these are fewer than two, there is nothing to aggregate.

  Args:
    runs: Of any suites.
  """
  # suite -> setting -> task -> normalised scores of the seeds
  found: dict[str, dict[str, dict[str, list[float]]]] = {}
  for run in runs:
    known = scale(run.task)
    if known is not None and run.final_return is not None:
      found.setdefault(run.task.partition('/')[0], {}).setdefault(
          run.setting, {}
      ).setdefault(run.task, []).append(known.normalized(run.final_return))
  result = []
  for suite, settings in found.items():
    shared = set.intersection(*map(set, settings.values()))
    if len(shared) < 2:
      continue
    for name, tasks in settings.items():
      scores = [tasks[task] for task in sorted(shared)]
      result.append(
          Aggregate(
              suite,
              name,
              len(scores),
              sum(map(len, scores)),
              statistics.over_tasks(scores),
          )
      )
  return result
