"""Line charts as HTML: an SVG that stretches, with labels that do not.

A chart is as wide as its place, from a telephone to a desk. The lines are in an
SVG of 100 by 100 that is stretched without its strokes; titles and ticks are
text around it, of the page's own size. Colours, dashes and sizes are classes of
page.css: `s3` is the fourth of them, whichever chart it is in. matplotlib's SVG
would shrink with its text, and carry a font of its own.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import math
from typing import NamedTuple, Optional

import numpy as np

from r2i_tf.reports import axes
from r2i_tf.reports import markup

_COLORS, _DASHES = 8, 5  # Of page.css.
_BUCKETS = 200  # Of which each shows its least and its greatest value.


class Line(NamedTuple):
  """A line of a chart; arrays float64 [points], NaN for a gap.

  Attributes:
    name: What it is called in the legend.
    x: Ascending.
    y: The values.
    low: The lower edge of a band around it; None for no band.
    high: The upper one.
    style: Which colour and dash; None for its place in the chart.
  """

  name: str
  x: np.ndarray
  y: np.ndarray
  low: Optional[np.ndarray] = None
  high: Optional[np.ndarray] = None
  style: Optional[int] = None


class Look(NamedTuple):
  """How a chart is drawn.

  Attributes:
    x_title: What stands below the ticks; '' for nothing.
    x_places: The values of x, ascending, to be evenly spaced; none for a linear
      axis.
    x_is_log: Whether x is on a logarithmic axis.
    y_range: The least and the greatest value; None as the values are.
    healthy: The healthy range, either end None where it is open; None for no
      range.
    marks: Horizontal lines, by their names.
    is_tall: Whether it is the one chart of its section.
    has_legend: Whether several lines are named below it.
  """

  x_title: str = ''
  x_places: Sequence[float] = ()
  x_is_log: bool = False
  y_range: Optional[tuple[float, float]] = None
  healthy: Optional[tuple[Optional[float], Optional[float]]] = None
  marks: Mapping[str, float] = {}
  is_tall: bool = False
  has_legend: bool = True


def chart(title: str, lines: Sequence[Line], look: Look, note: str = '') -> str:
  """Returns a chart as a figure.

  Args:
    title: In plain text.
    lines: At least one. Those without a finite value are left out.
    look: How it is drawn.
    note: HTML below the title.

  Returns:
    HTML; '' if nothing is to be drawn.
  """
  styled = [
      line._replace(style=i if line.style is None else line.style)
      for i, line in enumerate(lines)
  ]
  shown = [_thinned(line) for line in styled if np.isfinite(line.y).any()]
  if not shown:
    return ''
  x, y = _axes(shown, look)
  drawn = [_healthy(look, y), _grid(x, y), _marks(look.marks, y)]
  drawn += [_band(line, x, y) for line in shown]
  drawn += [_path(line, x, y) for line in shown]
  labels = [
      f'<span class="y" style="bottom:{y.at(tick):.2f}%">{y.label(tick)}</span>'
      for tick in y.ticks
  ]
  labels += [
      f'<span class="x" style="left:{x.at(tick):.2f}%">{x.label(tick)}</span>'
      for tick in x.ticks
  ]
  labels += [
      f'<span class="mark {_side(value, shown, y)}"'
      f' style="bottom:{y.at(value):.2f}%">'
      f'{markup.escape(name)}</span>'
      for name, value in look.marks.items()
      if y.holds(value)
  ]
  if look.x_title:
    labels.append(f'<span class="title">{markup.escape(look.x_title)}</span>')
  kind = 'plot'
  kind += ' tall' if look.is_tall else ''
  kind += ' titled' if look.x_title else ''
  scale = ' <span class="scale">logarithmic</span>' if y.is_log else ''
  return (
      '<figure class="chart">'
      f'<figcaption><b>{markup.escape(title)}</b>{scale}{note}</figcaption>'
      f'<div class="{kind}" role="img"'
      f' aria-label="{markup.escape(_in_words(title, shown, look))}">'
      '<svg viewBox="0 0 100 100" preserveAspectRatio="none"'
      f' aria-hidden="true">{"".join(drawn)}</svg>'
      f'<div aria-hidden="true">{"".join(labels)}</div></div>'
      f'{legend(shown) if look.has_legend else ""}</figure>'
  )


def legend(lines: Sequence[Line]) -> str:
  """Returns what several lines are called; '' for one.

  Args:
    lines: With their styles.
  """
  if len(lines) < 2:
    return ''
  items = ''.join(
      f'<li>{_swatch(line.style or 0)}{markup.escape(line.name)}</li>'
      for line in lines
  )
  return f'<ul class="legend">{items}</ul>'


def _axes(lines: Sequence[Line], look: Look) -> tuple[axes.Axis, axes.Axis]:
  xs = np.concatenate([line.x for line in lines])
  if look.x_places:
    x = axes.ordinal(look.x_places)
  elif look.x_is_log:
    x = axes.decades(float(xs.min()), float(xs.max()))
  else:
    # From the beginning, where it is not far.
    start = float(xs.min())
    start = min(start, 0.0) if start < 0.5 * xs.max() else start
    x = axes.linear(start, float(xs.max()), exact=True)
  if look.y_range is not None:
    return x, axes.linear(*look.y_range, exact=True)
  parts = [
      part
      for line in lines
      for part in (line.y, line.low, line.high)
      if part is not None
  ]
  ys = np.concatenate(parts)
  ys = ys[np.isfinite(ys)]
  # A mark that is near says more than a line without one.
  low, high = float(ys.min()), float(ys.max())
  room = 0.5 * (high - low)
  near = [m for m in look.marks.values() if low - room <= m <= high + room]
  return x, axes.fitting(min([low, *near]), max([high, *near]))


def _thinned(line: Line) -> Line:
  """Returns as many points as can be seen, the extremes among them."""
  count = len(line.y)
  if count <= 2 * _BUCKETS or line.low is not None:
    return line
  kept: set[int] = {0, count - 1}
  for part in np.array_split(np.arange(count), _BUCKETS):
    values = line.y[part]
    if np.isfinite(values).any():
      kept |= {part[np.nanargmin(values)], part[np.nanargmax(values)]}
    else:
      kept.add(part[0])  # A gap stays one.
  at = sorted(kept)
  return line._replace(x=line.x[at], y=line.y[at])


def _classes(style: int) -> str:
  # Eight and five have no factor in common, so forty pairs differ.
  return f'line s{style % _COLORS} d{style % _DASHES}'


def _path(line: Line, x: axes.Axis, y: axes.Axis) -> str:
  """Returns a line; a point between two gaps is a dot."""
  parts, pen_is_down = [], False
  for a, b in zip(line.x, line.y):
    if not math.isfinite(b):
      pen_is_down = False
      continue
    point = f'{x.at(a):.2f} {100 - y.at(b):.2f}'
    # A line of no length, with round ends, is a dot.
    parts.append(f'L{point}' if pen_is_down else f'M{point}l0 0')
    pen_is_down = True
  # A line of one point alone would be overlooked.
  alone = ' alone' if np.count_nonzero(np.isfinite(line.y)) == 1 else ''
  classes = _classes(line.style or 0) + alone
  return f'<path class="{classes}" d="{"".join(parts)}"/>'


def _band(line: Line, x: axes.Axis, y: axes.Axis) -> str:
  if line.low is None or line.high is None:
    return ''
  there = [(a, b) for a, b in zip(line.x, line.high)]
  back = [(a, b) for a, b in zip(line.x, line.low)][::-1]
  points = ' '.join(
      f'{x.at(a):.2f},{100 - y.at(b):.2f}' for a, b in [*there, *back]
  )
  return (
      f'<polygon class="band s{(line.style or 0) % _COLORS}"'
      f' points="{points}"/>'
  )


def _healthy(look: Look, y: axes.Axis) -> str:
  if look.healthy is None:
    return ''
  low, high = look.healthy
  bottom = 0.0 if low is None else min(max(y.at(low), 0.0), 100.0)
  top = 100.0 if high is None else min(max(y.at(high), 0.0), 100.0)
  if top <= bottom or (bottom, top) == (0.0, 100.0):
    return ''  # All that is shown lies on one side of its edges.
  edges = ''.join(
      f'<path class="edge" d="M0 {100 - at:.2f}H100"/>'
      for at in (bottom, top)
      if 0 < at < 100
  )
  return (
      f'<rect class="within" x="0" y="{100 - top:.2f}" width="100"'
      f' height="{top - bottom:.2f}"/>{edges}'
  )


def _grid(x: axes.Axis, y: axes.Axis) -> str:
  rows = ''.join(f'M0 {100 - y.at(tick):.2f}H100' for tick in y.ticks)
  stubs = ''.join(f'M{x.at(tick):.2f} 100v2' for tick in x.ticks)
  return (
      f'<path class="lines" d="{rows}"/>'
      f'<path class="axis" d="M0 100H100{stubs}"/>'
  )


def _marks(marks: Mapping[str, float], y: axes.Axis) -> str:
  return ''.join(
      f'<path class="rule" d="M0 {100 - y.at(value):.2f}H100"/>'
      for value in marks.values()
      if y.holds(value)
  )


def _swatch(style: int) -> str:
  """Returns a short line as those of a style are drawn."""
  return (
      '<svg class="swatch" viewBox="0 0 30 10" aria-hidden="true">'
      f'<path class="{_classes(style)}" d="M0 5H30"/></svg>'
  )


def _side(value: float, lines: Sequence[Line], y: axes.Axis) -> str:
  """Returns at which end of a mark the lines leave room for its name."""
  left, right = (
      min(
          abs(y.at(line.y[np.isfinite(line.y)][end]) - y.at(value))
          for line in lines
      )
      for end in (0, -1)
  )
  return 'left' if left >= right else 'right'


def _in_words(title: str, lines: Sequence[Line], look: Look) -> str:
  """Returns what a chart shows, for who does not see it."""
  parts = [f'Line chart of {title}.']
  over = look.x_title or 'the horizontal axis'
  for line in lines[:6]:
    known = np.flatnonzero(np.isfinite(line.y))
    first, last = known[0], known[-1]
    parts.append(
        f'{line.name}: from {line.y[first]:.3g} at {line.x[first]:,.6g} to'
        f' {line.y[last]:.3g} at {line.x[last]:,.6g} of {over},'
        f' between {np.nanmin(line.y):.3g} and {np.nanmax(line.y):.3g}.'
    )
  if len(lines) > 6:
    parts.append(f'And {len(lines) - 6} more lines.')
  return ' '.join(parts)
