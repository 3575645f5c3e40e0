"""Tests of statistics, against numbers made by hand."""

import numpy as np
import pytest

from r2i_tf.reports import statistics


def test_interquartile_mean_by_hand():
  """A quarter of the values is left out at either end, rounded down."""
  values = np.array([100.0, 3.0, 5.0, 4.0, 6.0, 1.0, 2.0, -50.0])
  assert statistics.interquartile_mean(values) == (2 + 3 + 4 + 5) / 4
  assert statistics.interquartile_mean(np.array([9.0, 1.0, 2.0])) == 4
  six = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 60.0])
  assert statistics.interquartile_mean(six) == 2.5


def test_interquartile_mean_is_that_of_rliable():
  """Which is SciPy's trimmed mean over all runs and tasks."""
  stats = pytest.importorskip('scipy.stats')
  scores = np.random.default_rng(0).normal(size=[5, 7])  # [tasks, runs]
  expected = stats.trim_mean(scores, 0.25, axis=None)
  found = statistics.over_tasks(list(scores))
  assert found.value == pytest.approx(expected, rel=1e-12)
  assert found.low < expected < found.high


def test_interval_of_two_seeds():
  """One draw in four takes the lower seed twice, and one the higher."""
  found = statistics.mean([0.0, 1.0])
  assert found == statistics.Estimate(0.5, 0.0, 1.0)


def test_one_seed_has_no_interval():
  """Nothing is known of the spread of one."""
  assert statistics.mean([3.0]) == statistics.Estimate(3.0, None, None)
  assert statistics.over_tasks([[1.0], [3.0]]).low is None


def test_interval_of_many_seeds_is_that_of_the_normal_distribution():
  """Of 400 seeds, 1.96 standard errors to either side, to a tenth."""
  values = np.random.default_rng(1).normal(size=400)
  found = statistics.mean(values)
  error = values.std() / 20
  assert found.low == pytest.approx(found.value - 1.96 * error, abs=error / 5)
  assert found.high == pytest.approx(found.value + 1.96 * error, abs=error / 5)


def test_a_draw_takes_whole_seeds():
  """The interval of a sum of points is that of the points, added up."""
  seeds = np.array([[0.0, 0.0], [1.0, 10.0], [2.0, 20.0]])
  low, high = statistics.mean_interval(seeds)
  np.testing.assert_allclose(low[1], 10 * low[0])
  np.testing.assert_allclose(high[1], 10 * high[0])


def test_of_what_is_not_finite_nothing_is_known():
  """A run whose return is no number is not the best of all."""
  unknown = statistics.Estimate(None, None, None)
  assert statistics.mean([1.0, float('nan')]) == unknown
  assert statistics.over_tasks([[0.1, 0.2], [0.3, float('nan')]]) == unknown


def test_tasks_are_strata():
  """Tasks that differ, in seeds that do not, leave nothing uncertain."""
  found = statistics.over_tasks([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
  assert found == statistics.Estimate(0.5, 0.5, 0.5)
