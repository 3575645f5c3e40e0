"""How long channels remember, and how far back a prediction reaches."""

from collections.abc import Sequence
import pathlib
from typing import Optional

from matplotlib import figure
import numpy as np

from r2i_tf.pictures import saving

_BINS = 24
_LONGEST = 1e4  # Steps; what lives longer, or for ever, is in the last bin.


def draw_half_lives(
    layers: Sequence[
        tuple[Sequence[Optional[float]], Sequence[Optional[float]]]
    ],
    path: pathlib.Path,
) -> None:
  """Draws histograms of the half-lives of each layer's channels.

  Args:
    layers: Of each, those at the start and those now, in steps; None for a
      channel that loses nothing.
    path: The PNG to write; its directory exists.
  """
  picture = figure.Figure(
      figsize=(7, 1.9 * len(layers) + 0.9), layout='constrained'
  )
  grid = picture.subplots(len(layers), 1, sharex=True, squeeze=False)
  edges = np.geomspace(1, _LONGEST, _BINS + 1)
  for number, (axes, (start, now)) in enumerate(zip(grid.flat, layers)):
    axes.hist(
        _within(start), edges, color='0.75', hatch='//', label='at the start'
    )
    axes.hist(
        _within(now), edges, histtype='step', color='C0', lw=2, label='now'
    )
    axes.set_ylabel(f'layer {number}\nchannels')
    axes.spines[['top', 'right']].set_visible(False)
  axes.set_xscale('log')
  axes.set_xlabel(
      f'half-life in steps ({_LONGEST:g}: at least so many, or for ever)'
  )
  grid.flat[0].legend(frameon=False)
  saving.save(picture, path)


def draw_sensitivity(
    lags: Sequence[int],
    embedding: Sequence[float],
    action: Sequence[float],
    path: pathlib.Path,
) -> None:
  """Draws the norms of a reward prediction's gradients against the lag.

  Args:
    lags: Steps between input and prediction.
    embedding: Norms of the gradients to the embedded observation.
    action: The same to the action.
    path: The PNG to write; its directory exists.
  """
  picture = figure.Figure(figsize=(7, 3.2), layout='constrained')
  axes = picture.subplots()
  for values, label, marker, line in (
      (embedding, 'to the embedded observation', 'o', '-'),
      (action, 'to the action before it', 's', '--'),
  ):
    # What has no logarithm is a gap.
    shown = np.where(np.array(values) > 0, values, np.nan)
    axes.plot(lags, shown, line, marker=marker, markersize=3, label=label)
  axes.set_xscale('symlog', linthresh=1)
  axes.set_xlim(left=-0.1)
  axes.xaxis.set_major_formatter('{x:g}')
  axes.set_yscale('log')
  axes.set_xlabel('steps before the rewarded one')
  axes.set_ylabel('norm of the gradient')
  axes.grid(alpha=0.3)
  axes.spines[['top', 'right']].set_visible(False)
  axes.legend(frameon=False)
  saving.save(picture, path)


def _within(lives: Sequence[Optional[float]]) -> np.ndarray:
  values = np.array([_LONGEST if x is None else x for x in lives])
  return np.clip(values, 1, _LONGEST)
