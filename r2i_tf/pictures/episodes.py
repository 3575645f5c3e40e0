"""An episode as numbers, and its chart.

At step t, o_t is seen, an action is taken in it and its reward comes in: all of
that stands between t and t + 1 of a chart.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import pathlib
from typing import NamedTuple

from matplotlib import axes as axes_lib
from matplotlib import figure
from matplotlib import ticker
import numpy as np

COLOR = '#1f6fb4'
_REWARD_COLOR = '#2a8a4a'
_ACTION_COLOR = '#b4551f'
_SPAN = 1e-2  # Less than this is no difference.
_PANELS = 8  # More components than these are one map of colours.
_LINES = 8  # As many lines as one panel can hold.
_NUMBERED = 12  # As many rewards as can be written beside their bars.
_WIDTH, _HEIGHT, _MAP_HEIGHT = 9.0, 0.75, 2.2  # In inches.


class Episode(NamedTuple):
  """What happened in T steps.

  Attributes:
    title: Which episode it is.
    rewards: float [T], of the action of each step.
    actions: [T, A], integers where they are choices.
    curves: What was thought at each step, float [T], by its name with its unit;
      may be empty.
    cut: Whether it would have gone on.
  """

  title: str
  rewards: np.ndarray
  actions: np.ndarray
  curves: Mapping[str, np.ndarray]
  cut: bool

  @property
  def steps(self) -> int:
    """T."""
    return len(self.rewards)

  def heading(self) -> str:
    """Returns the episode and its outcome in words."""
    cut = ', cut there' if self.cut else ''
    return (
        f'{self.title}: return {number(self.rewards.sum())} in'
        f' {self.steps:,} step{"" if self.steps == 1 else "s"}{cut}'
    )


class Observations(NamedTuple):
  """The numbers that were seen.

  Attributes:
    steps: int [N], when; rising, from 0 to T at most.
    values: float [N, C].
    names: Of the C numbers.
  """

  steps: np.ndarray
  values: np.ndarray
  names: Sequence[str]


def number(value: float) -> str:
  """Returns a number as people write it, with four digits at most."""
  return f'{float(value):.4g}'


def chart(
    episode: Episode, observations: Observations, path: pathlib.Path
) -> None:
  """Draws an episode as strips over its steps, one below the other.

  Args:
    episode: The episode.
    observations: What was seen in it.
    path: The PNG to write.
  """
  count = observations.values.shape[1]
  as_map = count > _PANELS
  seen = ([_MAP_HEIGHT] if as_map else [_HEIGHT] * count) if count else []
  heights = [*seen, *[_HEIGHT] * (2 + len(episode.curves))]
  picture = figure.Figure(
      figsize=(_WIDTH, sum(heights) + 0.8), layout='constrained'
  )
  panels = picture.subplots(
      len(heights), 1, sharex=True, height_ratios=heights, squeeze=False
  )[:, 0]
  below = list(panels)
  if as_map:
    _draw_map(picture, below.pop(0), observations)
  else:
    for name, values in zip(observations.names, observations.values.T):
      _draw_steps(below.pop(0), observations.steps, values, COLOR)
      _name(panels[len(panels) - len(below) - 1], name)
  _draw_actions(below.pop(0), episode.actions)
  _draw_rewards(below.pop(0), episode.rewards)
  for panel, (name, values) in zip(below, episode.curves.items()):
    draw_curve(panel, values)
    _name(panel, name.replace(' (', '\n('))
  _set_time(panels[-1], episode)
  picture.suptitle(episode.heading(), fontsize='medium')
  picture.align_ylabels(panels)
  picture.savefig(path, dpi=100)


def draw_curve(axes: axes_lib.Axes, values: np.ndarray) -> None:
  """Draws what has one number a step, in the middle of each.

  Args:
    axes: Where.
    values: float [T].
  """
  marker = 'o' if len(values) <= 40 else None
  axes.plot(
      np.arange(len(values)) + 0.5,
      values,
      color=COLOR,
      linewidth=1.2,
      marker=marker,
      markersize=2.5,
  )
  dress(axes, values)


def dress(axes: axes_lib.Axes, values: np.ndarray) -> None:
  """Makes a strip easy to read.

  Args:
    axes: What is drawn.
    values: Those in it; where they hardly differ, that is not enlarged.
  """
  low, high = np.min(values), np.max(values)
  span = max(0.02 * max(abs(low), abs(high)), _SPAN if low < high else 1.0)
  if high - low < span:
    axes.set_ylim(low - span, high + span)
  axes.spines[['top', 'right']].set_visible(False)
  axes.grid(alpha=0.3)
  axes.yaxis.set_major_locator(ticker.MaxNLocator(nbins=3))
  axes.tick_params(labelsize='small')


def _draw_steps(
    axes: axes_lib.Axes, steps: np.ndarray, values: np.ndarray, color: str
) -> None:
  """Draws a number that holds from one step to the next."""
  edges = np.append(steps, steps[-1] + 1)
  axes.stairs(values, edges, baseline=None, color=color, linewidth=1.3)
  axes.margins(y=0.15)
  dress(axes, values)


def _draw_map(
    picture: figure.Figure, axes: axes_lib.Axes, observations: Observations
) -> None:
  edges = np.append(observations.steps, observations.steps[-1] + 1)
  rows = np.arange(observations.values.shape[1] + 1)
  shown = axes.pcolormesh(
      edges, rows, observations.values.T, cmap='cividis', rasterized=True
  )
  axes.invert_yaxis()
  axes.spines[['top', 'right']].set_visible(False)
  axes.yaxis.set_major_locator(ticker.MaxNLocator(nbins=5, integer=True))
  axes.tick_params(labelsize='small')
  bar = picture.colorbar(shown, ax=axes, pad=0.01, aspect=12)
  bar.ax.tick_params(labelsize='small')
  first, last = observations.names[0], observations.names[-1]
  _name(axes, f'observation,\n{first}\nto\n{last}')


def _draw_actions(axes: axes_lib.Axes, actions: np.ndarray) -> None:
  steps = np.arange(len(actions))
  edges = np.append(steps, len(actions))
  shown = actions[:, :_LINES]
  for column, values in enumerate(shown.T):
    color = _ACTION_COLOR if shown.shape[1] == 1 else f'C{column}'
    axes.stairs(values, edges, baseline=None, color=color, linewidth=1.3)
  axes.margins(y=0.15)
  dress(axes, shown)
  if np.issubdtype(actions.dtype, np.integer):
    axes.yaxis.set_major_locator(ticker.MaxNLocator(nbins=3, integer=True))
  hidden = actions.shape[1] - shown.shape[1]
  _name(axes, f'action,\nfirst {_LINES}' if hidden else 'action')


def _draw_rewards(axes: axes_lib.Axes, rewards: np.ndarray) -> None:
  steps = np.arange(len(rewards))
  axes.stairs(
      rewards,
      np.append(steps, len(rewards)),
      fill=True,
      color=_REWARD_COLOR,
      # So that one among a thousand is seen.
      linewidth=1.2,
  )
  axes.axhline(0, color='0.6', linewidth=0.8)
  axes.margins(y=0.25)
  dress(axes, np.append(rewards, 0.0))
  paid = np.flatnonzero(rewards)
  if 0 < len(paid) <= _NUMBERED:
    for step in paid:
      late = step > 0.9 * len(rewards)
      axes.annotate(
          f'{rewards[step]:+.4g}',
          (step if late else step + 1, rewards[step]),
          xytext=(-4 if late else 4, 0),
          textcoords='offset points',
          ha='right' if late else 'left',
          va='center',
          fontsize='small',
          color=_REWARD_COLOR,
      )
  _name(axes, 'reward')


def _name(axes: axes_lib.Axes, name: str) -> None:
  axes.set_ylabel(name, rotation=0, ha='right', va='center', fontsize='small')


def _set_time(axes: axes_lib.Axes, episode: Episode) -> None:
  axes.set_xlim(0, episode.steps + 1)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(nbins=10, integer=True))
  axes.set_xlabel('step', fontsize='small')
