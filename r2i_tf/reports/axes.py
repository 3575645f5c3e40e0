"""Axes of charts: where a value stands, where ticks are, and how they read."""

from collections.abc import Sequence
import dataclasses
import math

import numpy as np

_TICKS = 4
# From one end of the values to the other, beyond which a linear axis would
# press all but the largest flat.
_LOG = 40


@dataclasses.dataclass(frozen=True)
class Axis:
  """An axis from 0% to 100%.

  Attributes:
    low: The value at 0%.
    high: The value at 100%.
    ticks: Values with a label.
    is_log: Whether it is logarithmic.
    places: Values that stand evenly spaced, in place of a scale.
  """

  low: float
  high: float
  ticks: tuple[float, ...]
  is_log: bool = False
  places: tuple[float, ...] = ()

  def at(self, value: float) -> float:
    """Returns where a value stands, in percent; outside of 0 to 100 too."""
    low, high = self.low, self.high
    if self.places:
      even = np.linspace(0, 100, len(self.places))
      return float(np.interp(value, self.places, even))
    if self.is_log:
      # What a logarithm does not know lies below everything.
      value = math.log(value) if value > 0 else math.log(low) - 1e3
      low, high = math.log(low), math.log(high)
    return 100 * (value - low) / (high - low)

  def holds(self, value: float) -> bool:
    """Returns whether a value is on it."""
    return -1e-6 <= self.at(value) <= 100 + 1e-6

  def label(self, tick: float) -> str:
    """Returns a tick as text, in the same unit as the others."""
    largest = max(map(abs, self.ticks), default=0.0)
    if self.is_log and self.low < 1:
      return f'{tick:g}' if tick >= 1e-4 else f'{tick:.0e}'
    for unit, name in ((1e9, 'G'), (1e6, 'M'), (1e3, 'k')):
      if largest >= 10 * unit or (largest >= unit and unit > 1e3):
        return f'{tick / unit:g}{name}' if tick else '0'
    return f'{round(tick, 12):g}'.replace('-', '\N{MINUS SIGN}')


def linear(low: float, high: float, exact: bool = False) -> Axis:
  """Returns a linear axis.

  Args:
    low: The least value.
    high: The greatest.
    exact: Whether it ends there; else there is a little room at both ends.
  """
  if high - low <= 1e-12 * max(abs(low), abs(high), 1e-6):
    room = abs(low) / 2
    low, high = (low - room, high + room) if room else (0.0, 1.0)
  elif not exact:
    room = 0.05 * (high - low)
    low, high = low - room * (low != 0), high + room
  step = _nice((high - low) / _TICKS)
  first = math.ceil(low / step - 1e-9)
  last = math.floor(high / step + 1e-9)
  return Axis(low, high, tuple(i * step for i in range(first, last + 1)))


def decades(low: float, high: float) -> Axis:
  """Returns a logarithmic axis with powers of ten, as many as have room.

  Args:
    low: The least value, above 0.
    high: The greatest.
  """
  if high <= low:
    low, high = low / 2, high * 2
  least, most = math.floor(math.log10(low)), math.ceil(math.log10(high))
  stride = max(1, (most - least + _TICKS) // (_TICKS + 1))
  axis = Axis(low, high, (), is_log=True)
  powers = [10.0**power for power in range(least, most + 1, stride)]
  ticks = list(filter(axis.holds, powers))
  if len(ticks) < 3:
    ticks = [m * p for p in powers for m in (1, 2, 5) if axis.holds(m * p)]
  return dataclasses.replace(axis, ticks=tuple(ticks))


def ordinal(values: Sequence[float]) -> Axis:
  """Returns an axis on which values stand evenly spaced, whatever they are.

  Args:
    values: Ascending, such as lags that double; every n-th has a label.
  """
  stride = -(-len(values) // (2 * _TICKS))
  ticks = tuple(values[::stride])
  return Axis(values[0], values[-1], ticks, places=tuple(values))


def fitting(low: float, high: float) -> Axis:
  """Returns an axis for values from `low` to `high`, with room around them.

  Logarithmic where they are positive and far apart; from 0 where they are near
  it.
  """
  if low > 0 and high / low > _LOG:
    return decades(low / 1.2, high * 1.2)
  if 0 < low < 0.4 * high:
    low = 0.0
  return linear(low, high)


def _nice(step: float) -> float:
  """Returns the next of 1, 2 and 5 times a power of ten."""
  power = 10.0 ** math.floor(math.log10(step))
  return next(m * power for m in (1, 2, 5, 10) if m * power >= step * 0.999)
