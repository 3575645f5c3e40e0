"""Means over seeds and over tasks, with bootstrap intervals.

Percentile bootstraps of 95%, with draws of their own seed: the same numbers
give the same interval. The interquartile mean and its stratified bootstrap are
those of Agarwal et al. (arXiv 2108.13264), whose library rliable would bring
arch, SciPy, seaborn and pandas for these few lines.
"""

from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

_DRAWS = 2000
_TAILS = (2.5, 97.5)  # Percent.


class Estimate(NamedTuple):
  """A number with its 95% interval; each is None where it is not known.

  Of numbers one of which is not finite, none is known.
  """

  value: Optional[float]
  low: Optional[float]
  high: Optional[float]


_UNKNOWN = Estimate(None, None, None)


def mean(values: Sequence[float]) -> Estimate:
  """Returns the mean over seeds.

  Args:
    values: One for each seed, at least one. One alone has no interval.
  """
  array = np.asarray(values, np.float64)
  if not np.isfinite(array).all():
    return _UNKNOWN
  if len(array) == 1:
    return Estimate(float(array[0]), None, None)
  low, high = mean_interval(array[:, np.newaxis])
  return Estimate(float(array.mean()), float(low[0]), float(high[0]))


def mean_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns both ends of the interval of a mean over seeds, at each point.

  Args:
    values: float64 [seeds, points]. A draw takes whole seeds.

  Returns:
    Two arrays [points].
  """
  seeds = len(values)
  draws = np.random.default_rng(0).integers(seeds, size=[_DRAWS, seeds])
  # How often each seed is in a draw: a mean is then a product.
  counts = np.stack([(draws == i).sum(axis=1) for i in range(seeds)], axis=1)
  means = counts @ values / seeds
  low, high = np.percentile(means, _TAILS, axis=0)
  return low, high


def interquartile_mean(values: np.ndarray) -> np.ndarray:
  """Returns the mean of the middle half of the values, along the last axis.

  Of n values, the floor(n / 4) lowest and as many highest are left out.

  Args:
    values: float64 [..., n].
  """
  count = values.shape[-1]
  cut = count // 4
  return np.sort(values, axis=-1)[..., cut : count - cut].mean(axis=-1)


def over_tasks(scores: Sequence[Sequence[float]]) -> Estimate:
  """Returns the interquartile mean of the runs of several tasks.

  A draw of the bootstrap takes, for each task by itself, as many runs as it
  has.

  Args:
    scores: For each task, a normalised score for each seed; tasks may have
      different numbers of seeds.
  """
  if not np.isfinite(np.concatenate(scores)).all():
    return _UNKNOWN
  draw = np.random.default_rng(0)
  drawn = []
  for of_task in scores:
    array = np.asarray(of_task, np.float64)
    drawn.append(array[draw.integers(len(array), size=[_DRAWS, len(array)])])
  value = interquartile_mean(np.concatenate([np.asarray(s) for s in scores]))
  if all(len(of_task) == 1 for of_task in scores):
    return Estimate(float(value), None, None)
  means = interquartile_mean(np.concatenate(drawn, axis=1))
  low, high = np.percentile(means, _TAILS)
  return Estimate(float(value), float(low), float(high))
