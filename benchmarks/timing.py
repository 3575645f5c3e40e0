"""Timing things that are to be compared: in turn, so that all see one machine.

A machine that others use too drifts. Things are therefore timed A B C A B C,
and what is compared is each round's ratio, of which the median is taken.
"""

from collections.abc import Mapping
import dataclasses
import statistics
import time
from typing import Any, Callable


@dataclasses.dataclass(frozen=True)
class Times:
  """How long something took, each time.

  Attributes:
    seconds: Wall time of each run, in order.
  """

  seconds: list[float]

  @property
  def median(self) -> float:
    """Seconds."""
    return statistics.median(self.seconds)

  def over(self, other: 'Times') -> float:
    """Returns the median over the rounds of this time over `other`'s."""
    pairs = zip(self.seconds, other.seconds)
    return statistics.median(mine / theirs for mine, theirs in pairs)

  def record(self) -> dict[str, Any]:
    """Returns what a JSON file says of it, in milliseconds."""
    quartiles = statistics.quantiles(self.seconds, method='inclusive')
    names = ('lower_quartile_ms', 'median_ms', 'upper_quartile_ms')
    return {
        **{n: significant(1e3 * q, 5) for n, q in zip(names, quartiles)},
        'runs': len(self.seconds),
    }


def in_turn(
    functions: Mapping[str, Callable[[], Any]],
    seconds: float,
    least: int = 3,
) -> dict[str, Times]:
  """Times functions in turn, after one run of each that does not count.

  Args:
    functions: By name. Each is timed until all devices have finished.
    seconds: Rounds go on for so long.
    least: Rounds at least, 2 or more.

  Returns:
    The times of each function, one of each round.
  """
  for function in functions.values():
    timed(function)
  times = {name: [] for name in functions}
  end, rounds = time.perf_counter() + seconds, 0
  while rounds < least or time.perf_counter() < end:
    for name, function in functions.items():
      times[name].append(timed(function)[0])
    rounds += 1
  return {name: Times(each) for name, each in times.items()}


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
  """Returns the seconds until a call and its devices were done, its result."""
  import tensorflow as tf

  start = time.perf_counter()
  result = function()
  tf.test.experimental.sync_devices()
  return time.perf_counter() - start, result


def significant(value: float, digits: int) -> float:
  """Returns `value` rounded to so many significant digits."""
  return float(f'{value:.{digits}g}')
