"""The tables of a report: a row for each setting of a task, as text and CSV."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import csv
import io
from typing import Any, NamedTuple, Optional

import numpy as np

from r2i_tf.record import records
from r2i_tf.reports import runs as runs_lib
from r2i_tf.reports import statistics

_POINTS = 100  # Of a curve in curves.csv.
# By task and then by setting.
Groups = Mapping[str, Mapping[str, Sequence[runs_lib.Run]]]


class Row(NamedTuple):
  """The seeds of a setting on a task, summed up.

  Attributes:
    task: The task.
    setting: The name of the setting.
    seeds: Runs that have begun.
    unfinished: Runs that are not over, or have not begun.
    threshold: The mean return that was looked for; None where the seeds have
      none in common.
    reached: How many runs have reached it.
    steps: The median over the seeds of the environment steps until then; None
      where it is that of a run that never did.
    minutes_to: The same of the minutes.
    final: The mean return at the end.
    train_step_ms: Milliseconds of a train step with the collecting that
      belongs to it: the median over the seeds.
    parameters: Trained numbers.
    minutes: Wall time: the mean over the seeds.
  """

  task: str
  setting: str
  seeds: int
  unfinished: int
  threshold: Optional[float]
  reached: int
  steps: Optional[float]
  minutes_to: Optional[float]
  final: Optional[statistics.Estimate]
  train_step_ms: Optional[float]
  parameters: Optional[int]
  minutes: Optional[float]


def group(runs: Iterable[runs_lib.Run]) -> Groups:
  """Returns the runs by task and setting, each in the order of the first."""
  groups: dict[str, dict[str, list[runs_lib.Run]]] = {}
  for run in runs:
    groups.setdefault(run.task, {}).setdefault(run.setting, []).append(run)
  return groups


def rows(groups: Groups) -> list[Row]:
  """Returns a row for each setting of each task."""
  return [
      _row(task, setting, runs)
      for task, settings in groups.items()
      for setting, runs in settings.items()
  ]


def _row(task: str, setting: str, runs: Sequence[runs_lib.Run]) -> Row:
  begun = [run for run in runs if run.state is not runs_lib.State.NOT_BEGUN]
  final = [run.final_return for run in begun if run.final_return is not None]
  reached = [run.reached for run in begun]
  times = [run.train_step_ms for run in begun]
  parameters = [run.parameters for run in begun]
  return Row(
      task,
      setting,
      len(begun),
      sum(run.state is not runs_lib.State.FINISHED for run in runs),
      _common([run.threshold for run in begun or runs]),
      sum(pair is not None for pair in reached),
      _median_or_never(None if pair is None else pair[0] for pair in reached),
      _median_or_never(None if pair is None else pair[1] for pair in reached),
      statistics.mean(final) if final else None,
      _median(times),
      next((count for count in parameters if count is not None), None),
      float(np.mean([run.last.get('minutes', 0.0) for run in begun]))
      if begun
      else None,
  )


def _common(values: Sequence[Optional[float]]) -> Optional[float]:
  """Returns the one value that all have; None if they differ."""
  return values[0] if len(set(values)) == 1 else None


def _median_or_never(values: Iterable[Optional[float]]) -> Optional[float]:
  """Returns the median, to which a run that never got there is infinite."""
  times = [np.inf if value is None else value for value in values]
  if not times:
    return None
  median = float(np.median(times))
  return median if np.isfinite(median) else None


def _median(values: Iterable[Optional[float]]) -> Optional[float]:
  known = [value for value in values if value is not None]
  return float(np.median(known)) if known else None


def markdown(of_task: Sequence[Row]) -> str:
  """Returns the table of a task's settings in Markdown.

  Args:
    of_task: The rows of one task.
  """
  return table(*cells(of_task))


def cells(of_task: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
  """Returns the table of a task's settings: headings, and cells of each row.

  Args:
    of_task: The rows of one task.
  """
  threshold = next(
      (row.threshold for row in of_task if row.threshold is not None), None
  )
  names = ['setting', 'seeds']
  if threshold is not None:
    names += [f'steps to {threshold:g}', 'minutes']
  names += ['return at the end', 'ms a train step', 'parameters', 'minutes']
  lines = []
  for row in of_task:
    found = [row.setting, str(row.seeds)]
    if row.unfinished:
      found[1] += f' ({row.unfinished} not finished)'
    if threshold is not None:
      reached = number(row.steps, ',.0f', 'not reached')
      found += (
          [
              f'{reached} ({row.reached} of {row.seeds})',
              number(row.minutes_to, '.1f'),
          ]
          if row.threshold == threshold
          else ['', '']
      )
    found += [
        estimate(row.final),
        number(row.train_step_ms, '.1f'),
        number(row.parameters, ',d'),
        number(row.minutes, '.1f'),
    ]
    lines.append(found)
  return names, lines


def table(names: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
  """Returns a table in Markdown.

  Args:
    names: The headings.
    lines: The cells of each row.
  """
  return '\n'.join(
      f'| {" | ".join(line)} |'
      for line in [names, ['---'] * len(names), *lines]
  )


def number(value: Optional[float], form: str, none: str = '') -> str:
  """Returns a number in a format; what stands for None without one."""
  return none if value is None else format(value, form)


def estimate(found: Optional[statistics.Estimate]) -> str:
  """Returns a number and, in brackets, its interval."""
  if found is None:
    return ''
  if found.value is None:
    return 'not finite'
  if found.low is None:
    return f'{found.value:.3g}'
  return f'{found.value:.3g} [{found.low:.3g}, {found.high:.3g}]'


def settings_csv(found: Sequence[Row]) -> str:
  """Returns all rows, with the interval in columns of its own."""
  lines = []
  for row in found:
    fields = row._asdict()
    final = fields.pop('final') or (None, None, None)
    fields.update(zip(('final_return', 'final_low', 'final_high'), final))
    lines.append(fields)
  return to_csv(lines)


def runs_csv(runs: Iterable[runs_lib.Run]) -> str:
  """Returns a line for each run."""
  lines = []
  for run in runs:
    steps, minutes = run.reached or (None, None)
    lines.append(
        {
            'task': run.task,
            'setting': run.setting,
            'seed': run.seed,
            'state': run.state.value,
            'environment_steps': run.last.get(records.STEP),
            'train_steps': run.last.get(records.TRAIN_STEP),
            'episodes': run.last.get('episodes'),
            'minutes': run.last.get('minutes'),
            'window': run.window,
            'threshold': run.threshold,
            'steps_to_threshold': steps,
            'minutes_to_threshold': minutes,
            'final_return': run.final_return,
            'train_step_ms': run.train_step_ms,
            'parameters': run.parameters,
        }
    )
  return to_csv(lines)


def curves_csv(runs: Iterable[runs_lib.Run]) -> str:
  """Returns up to 100 points of the curve of each run."""
  lines = []
  for run in runs:
    count = len(run.curve.mean_returns)
    if not count:
      continue
    at = np.unique(np.linspace(0, count - 1, _POINTS).astype(int))
    for steps, minutes, value in zip(*(values[at] for values in run.curve)):
      lines.append(
          {
              'task': run.task,
              'setting': run.setting,
              'seed': run.seed,
              'environment_steps': int(steps),
              'minutes': minutes,
              'mean_return': value,
          }
      )
  return to_csv(lines)


def to_csv(lines: Sequence[Mapping[str, Any]]) -> str:
  """Returns lines as CSV; floats have the digits that are worth keeping.

  Args:
    lines: Names to values, all of the same names.
  """
  text = io.StringIO()
  if lines:
    writer = csv.DictWriter(text, list(lines[0]), lineterminator='\n')
    writer.writeheader()
    for line in lines:
      writer.writerow(
          {
              name: f'{value:.5g}' if isinstance(value, float) else value
              for name, value in line.items()
          }
      )
  return text.getvalue()
