"""Curves of probes: how well a past value is found in a state, by its age."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import pathlib
from typing import Optional

from matplotlib import axes as axes_lib
from matplotlib import figure
import numpy as np

from r2i_tf.pictures import saving

_COLUMNS = 2
# What each curve is called, and how it is drawn: not by its colour alone.
_STYLES = {
    'x': ('x: hidden state', 'C0', 'o', '-'),
    'h': ('h: output', 'C1', 's', '-'),
    'policy': ('what the policy sees', 'C2', '^', '--'),
    'z': ('z: latent of the same step', 'C3', 'v', ':'),
    'present': ('observation of the same step', '0.45', 'x', ':'),
}
_MEASURES = {'accuracy': 'recognised', 'r2': 'R²'}


@dataclasses.dataclass(frozen=True)
class Panel:
  """The curves of one target.

  Attributes:
    title: What is looked for.
    measure: 'accuracy' or 'r2'.
    chance: The score of whoever knows nothing.
    lags: Steps between then and now.
    curves: Scores by the name of what is looked into; None for unknown.
  """

  title: str
  measure: str
  chance: float
  lags: Sequence[int]
  curves: Mapping[str, Sequence[Optional[float]]]


def draw(panels: Sequence[Panel], path: pathlib.Path) -> None:
  """Draws the curves of some targets, one below the other.

  Args:
    panels: At least one.
    path: The PNG to write; its directory exists.
  """
  rows = -(-len(panels) // _COLUMNS)
  columns = min(len(panels), _COLUMNS)
  picture = figure.Figure(
      figsize=(4.6 * columns, 2.9 * rows + 0.9), layout='constrained'
  )
  grid = picture.subplots(rows, columns, squeeze=False)
  for axes, panel in zip(grid.flat, panels):
    _draw_panel(axes, panel)
  for axes in grid.flat[len(panels) :]:
    axes.set_axis_off()
  handles, labels = grid.flat[0].get_legend_handles_labels()
  picture.legend(
      handles,
      labels,
      loc='outside lower center',
      ncols=2 if columns == 1 else 3,
      frameon=False,
      fontsize='small',
  )
  saving.save(picture, path)


def _draw_panel(axes: axes_lib.Axes, panel: Panel) -> None:
  axes.axhline(panel.chance, color='0.6', linewidth=1, label='chance')
  for name, scores in panel.curves.items():
    label, color, marker, line = _STYLES[name]
    axes.plot(
        panel.lags,
        np.array(scores, np.float64),  # None is NaN, and a gap.
        line,
        color=color,
        marker=marker,
        markersize=4,
        label=label,
    )
  axes.set_xscale('symlog', linthresh=1)
  axes.set_xlim(left=-0.1)
  axes.xaxis.set_major_formatter('{x:g}')
  axes.set_ylim(
      min(-0.05, panel.chance - 0.1) if panel.measure == 'r2' else 0, 1.05
  )
  axes.set_title(panel.title, fontsize='medium')
  axes.set_xlabel('steps ago')
  axes.set_ylabel(_MEASURES[panel.measure])
  axes.grid(alpha=0.3)
  axes.spines[['top', 'right']].set_visible(False)
