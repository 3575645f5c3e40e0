"""Learning curves of several runs, as rows of JSON, a table and a picture."""

from collections.abc import Mapping
import json
import pathlib
from typing import Any, Optional

from matplotlib import figure
import numpy as np

from r2i_tf.record import learning_curve
from r2i_tf.record import records

Row = dict[str, Any]

_POINTS = 200  # Of a curve in the JSON file.


def read(
    path: pathlib.Path,
    threshold: float,
    window: int = records.WINDOW,
    first: int = 50,
) -> Optional[Row]:
  """Reads one run.

  Args:
    path: Its `metrics.jsonl`.
    threshold: The mean return that is asked for.
    window: Episodes that a mean return is taken over. Fewer do not count as
      having reached the threshold.
    first: A mean over fewer episodes is no point of the curve.

  Returns:
    When the threshold was reached, and the curve; None if it has only begun.
  """
  curve = learning_curve.read_curve(path, window)
  if len(curve.minutes) <= first:
    return None
  filled = np.arange(len(curve.mean_returns)) >= window - 1
  solved = np.flatnonzero(filled & (curve.mean_returns >= threshold))
  at = solved[0] if len(solved) else None
  keep = np.unique(
      np.linspace(first, len(curve.minutes) - 1, _POINTS).astype(int)
  )
  return {
      'last': number(curve.mean_returns[-1]),
      'solved_minutes': None if at is None else number(curve.minutes[at]),
      'solved_steps': None if at is None else int(curve.environment_steps[at]),
      'minutes': [number(x) for x in curve.minutes[keep]],
      'steps': [int(x) for x in curve.environment_steps[keep]],
      'mean_return': [number(x) for x in curve.mean_returns[keep]],
  }


def number(x: float) -> float:
  """Returns `x` with the digits that are worth keeping."""
  return round(float(x), 3)


def write(rows: list[Mapping[str, Any]], path: pathlib.Path) -> None:
  """Writes the rows as JSON, one line each."""
  path.parent.mkdir(exist_ok=True)
  lines = ',\n'.join(json.dumps(row) for row in rows)
  path.write_text(f'[\n{lines}\n]\n')


def reached(row: Row) -> str:
  """Returns two cells of a table: when the threshold was reached."""
  if row['solved_minutes'] is None:
    return ' not reached |  |'
  return f' {row["solved_minutes"]:.1f} min | {row["solved_steps"]:,} |'


class Picture:
  """Curves against minutes and, beside it, against environment steps."""

  def __init__(self, title: str, label: str):
    """Creates the picture; `label` names what the curves show."""
    self._figure = figure.Figure(figsize=(10, 4.5), layout='constrained')
    self._figure.suptitle(title)
    self._axes = self._figure.subplots(1, 2, sharey=True)
    self._axes[0].set_xlabel('wall time on two cores (minutes)')
    self._axes[1].set_xlabel('environment steps')
    self._axes[1].ticklabel_format(axis='x', scilimits=(-3, 6))
    self._axes[0].set_ylabel(label)
    for axis in self._axes:
      axis.grid(alpha=0.3)
      axis.spines[['top', 'right']].set_visible(False)

  def curve(self, row: Row, values, color: str, label: Optional[str]) -> None:
    """Draws one run; without `label` it has no entry in the legend."""
    for axis, key in zip(self._axes, ('minutes', 'steps')):
      axis.plot(row[key], values, color=color, label=label, linewidth=1.2)

  def level(self, value: float, style: str, label: Optional[str]) -> None:
    """Draws a level to compare the curves to, such as the threshold."""
    for axis in self._axes:
      axis.axhline(
          value, color='0.6', linestyle=style, linewidth=1, label=label
      )

  def save(self, output: pathlib.Path, low: float, high: float) -> None:
    """Writes the PNG; the values shown go from `low` to `high`."""
    self._axes[0].set_ylim(low, high)
    handles, labels = self._axes[0].get_legend_handles_labels()
    self._figure.legend(
        handles, labels, loc='outside lower center', ncols=6, frameon=False
    )
    self._figure.savefig(output, dpi=110)
