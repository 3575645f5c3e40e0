"""Curves of a task: the mean over seeds of each setting, and its interval."""

from collections.abc import Mapping
from collections.abc import Sequence
import pathlib
from typing import NamedTuple, Optional

from matplotlib import figure
import numpy as np

from r2i_tf.reports import runs as runs_lib
from r2i_tf.reports import statistics

POINTS = 200
# What a curve is drawn against, and what stands below it.
AXES = {'environment_steps': 'environment steps', 'minutes': 'minutes'}


_COLORS, _LINES = 10, ('-', '--', ':')  # Of matplotlib.
# More bands than so many are drawn paler, or they hide each other.
_FEW = 6


class Style(NamedTuple):
  """How the curve of a setting looks.

  Attributes:
    color: Of curve and band.
    line: Of the curve.
  """

  color: str
  line: str


class Band(NamedTuple):
  """A mean over seeds and its 95% interval; arrays [points].

  With one seed, `low` and `high` are None.
  """

  x: np.ndarray
  mean: np.ndarray
  low: Optional[np.ndarray]
  high: Optional[np.ndarray]


def band(runs: Sequence[runs_lib.Run], axis: str) -> Optional[Band]:
  """Returns the mean return of the seeds of a setting.

  A run that is over keeps its last mean return: it ended because its task was
  learned, or all ended together. The band goes as far as the longest such run,
  but no further than the shortest that is not over, and begins where all have a
  mean return.

  Args:
    runs: The runs; those without a mean return yet are left out.
    axis: 'environment_steps' or 'minutes'.

  Returns:
    The band; None if there is nothing to show.
  """
  shown = [run for run in runs if run.has_curve]
  if not shown:
    return None
  xs = [getattr(run.curve, axis) for run in shown]
  start = max(x[0] for x in xs)
  over = [run.state is runs_lib.State.FINISHED for run in shown]
  end = max(x[-1] for x in xs)
  if not all(over):
    end = min(x[-1] for x, is_over in zip(xs, over) if not is_over)
  grid = np.linspace(start, max(start, end), POINTS)
  values = np.stack(
      [
          run.curve.mean_returns[np.searchsorted(x, grid, side='right') - 1]
          for run, x in zip(shown, xs)
      ]
  )
  if len(shown) == 1:
    return Band(grid, values[0], None, None)
  return Band(grid, values.mean(axis=0), *statistics.mean_interval(values))


def styles(names: Sequence[str]) -> dict[str, Style]:
  """Returns a style for each setting, no two alike among thirty.

  Args:
    names: Of the settings.
  """
  return {
      name: Style(f'C{i % _COLORS}', _LINES[i // _COLORS % len(_LINES)])
      for i, name in enumerate(names)
  }


def plot(
    task: str,
    settings: Mapping[str, Sequence[runs_lib.Run]],
    style_of: Mapping[str, Style],
    output: pathlib.Path,
) -> bool:
  """Draws the settings of a task against environment steps and minutes.

  Args:
    task: The task.
    settings: The runs of each.
    style_of: The look of each.
    output: The PNG to write.

  Returns:
    Whether there was anything to draw; without, nothing is written.
  """
  picture = figure.Figure(figsize=(10, 4.2), layout='constrained')
  panels = picture.subplots(1, 2, sharey=True)
  drawn, alpha = False, 0.2 if len(settings) <= _FEW else 0.06
  for axes, (axis, title) in zip(panels, AXES.items()):
    for name, runs in settings.items():
      shown = band(runs, axis)
      if shown is None:
        continue
      drawn = True
      color, line = style_of[name]
      axes.plot(shown.x, shown.mean, line, color=color, label=name)
      if shown.low is not None:
        axes.fill_between(
            shown.x, shown.low, shown.high, color=color, alpha=alpha, lw=0
        )
    axes.set_xlabel(title)
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)
  if not drawn:
    return False
  every = [run for runs in settings.values() for run in runs]
  for threshold in {run.threshold for run in every} - {None}:
    for axes in panels:
      axes.axhline(threshold, color='0.6', linestyle='--', linewidth=1)
  windows = sorted({run.window for run in every})
  panels[0].set_ylabel(
      f'mean return of the last {" or ".join(map(str, windows))} episodes'
  )
  panels[0].ticklabel_format(axis='x', scilimits=(-3, 6))
  picture.suptitle(task)
  handles, labels = panels[0].get_legend_handles_labels()
  picture.legend(
      handles, labels, loc='outside lower center', ncols=5, frameon=False
  )
  picture.savefig(output, dpi=110)
  return True
