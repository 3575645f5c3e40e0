"""Learning curves: from the record of runs to a picture.

python -m r2i_tf.record.learning_curve --output=curves.png RUN RUN ...
"""

import argparse
from collections.abc import Mapping
import pathlib
from typing import NamedTuple, Optional

from matplotlib import figure
import numpy as np

from r2i_tf.record import records

_POINTS = 2000  # More than these cannot be seen.


class Curve(NamedTuple):
  """Mean returns at the end of each episode; arrays [episodes]."""

  environment_steps: np.ndarray
  minutes: np.ndarray
  mean_returns: np.ndarray


def read_curve(path: pathlib.Path, window: int = records.WINDOW) -> Curve:
  """Reads the learning curve of one run.

  Args:
    path: Its `metrics.jsonl`.
    window: Episodes that a mean is taken over; while fewer have finished, over
      those.

  Returns:
    The curve, one entry for each finished episode. The minutes are interpolated
    between the records.
  """
  record_steps, record_minutes = [0], [0.0]
  steps: list[int] = []
  returns: list[Optional[float]] = []
  for record in records.read(path):
    record_steps.append(record[records.STEP])
    record_minutes.append(record['minutes'])
    steps.extend(record['episode_steps'])
    returns.extend(record['episode_returns'])
  minutes = np.interp(steps, record_steps, record_minutes)
  # A return that is not finite is None in the file and NaN here.
  values = np.array(returns, np.float64)
  return Curve(np.array(steps), minutes, _trailing_mean(values, window))


def plot(runs: Mapping[str, pathlib.Path], output: pathlib.Path) -> None:
  """Draws mean return against environment steps and against wall time.

  Args:
    runs: The label of each run and its `metrics.jsonl`.
    output: The PNG to write; its directory is made.
  """
  picture = figure.Figure(figsize=(10, 4), layout='constrained')
  by_steps, by_minutes = picture.subplots(1, 2, sharey=True)
  for label, path in runs.items():
    curve = last_of_each_step(read_curve(path))
    stride = max(1, len(curve.mean_returns) // _POINTS)
    # Counted from the end: the last episode is always drawn.
    shown = Curve(*(values[::-stride][::-1] for values in curve))
    by_steps.plot(shown.environment_steps, shown.mean_returns, label=label)
    by_minutes.plot(shown.minutes, shown.mean_returns, label=label)
  by_steps.set_xlabel('environment steps')
  by_steps.set_ylabel(f'mean return of the last {records.WINDOW} episodes')
  by_minutes.set_xlabel('wall time (minutes)')
  for axes in (by_steps, by_minutes):
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)
  by_steps.ticklabel_format(axis='x', scilimits=(-3, 6))
  if len(runs) > 1:
    by_steps.legend()
  else:
    picture.suptitle(next(iter(runs)))
  output.parent.mkdir(parents=True, exist_ok=True)
  picture.savefig(output, dpi=120)


def last_of_each_step(curve: Curve) -> Curve:
  """Returns one entry where environments finished episodes together."""
  steps = curve.environment_steps
  last = np.append(steps[1:] != steps[:-1], True)[: len(steps)]
  return Curve(*(values[last] for values in curve))


def _trailing_mean(values: np.ndarray, window: int) -> np.ndarray:
  """Returns the mean of the last `window` values at each index.

  One that is not finite leaves no mean to those windows that it is in.

  Args:
    values: float64 [episodes].
    window: At least 1.
  """
  known = np.isfinite(values)
  sums, unknown = (
      np.concatenate([[0.0], np.cumsum(x)])
      for x in (np.where(known, values, 0.0), ~known)
  )
  end = np.arange(1, len(values) + 1)
  start = np.maximum(0, end - window)
  means = (sums[end] - sums[start]) / np.maximum(end - start, 1)
  return np.where(unknown[end] > unknown[start], np.nan, means)


def main() -> None:
  """Draws the runs whose directories are on the command line."""
  parser = argparse.ArgumentParser(description='Draws learning curves.')
  parser.add_argument('--output', default='learning_curve.png')
  parser.add_argument('workdir', nargs='+', help="a run's --workdir")
  arguments = parser.parse_args()
  runs = {
      workdir: pathlib.Path(workdir) / 'metrics.jsonl'
      for workdir in arguments.workdir
  }
  for path in runs.values():
    if not path.exists():
      parser.error(f'{path} does not exist.')
  plot(runs, pathlib.Path(arguments.output))


if __name__ == '__main__':
  main()
