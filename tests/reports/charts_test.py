"""Charts: where a value stands, and what is said of it."""

import re

import numpy as np
import pytest

from r2i_tf.reports import axes
from r2i_tf.reports import charts


def _line(*values, name='a', **fields):
  x = np.arange(len(values), dtype=np.float64)
  return charts.Line(name, x, np.array(values, np.float64), **fields)


def test_values_stand_where_they_belong():
  """0 at the bottom, which is y = 100 of the SVG, and 4 at the top."""
  look = charts.Look(y_range=(0.0, 4.0))
  html = charts.chart('a', [_line(0, 4, 1)], look)
  assert 'd="M0.00 100.00l0 0L50.00 0.00L100.00 75.00"' in html


def test_a_gap_is_no_line():
  """A value that is missing takes the pen off."""
  html = charts.chart('a', [_line(0, np.nan, 1)], charts.Look())
  (path,) = re.findall(r'class="line [^"]*" d="([^"]*)"', html)
  assert path.count('M') == 2 and path.count('L') == 0


def test_nothing_finite_is_no_chart():
  """As where a scalar was never recorded."""
  assert charts.chart('a', [_line(np.nan, np.nan)], charts.Look()) == ''


def test_a_long_line_keeps_its_extremes():
  """A single spike among thousands is seen."""
  values = np.zeros(5_000)
  values[1234] = 7.0
  html = charts.chart('a', [_line(*values)], charts.Look(y_range=(0, 7)))
  (path,) = re.findall(r'class="line [^"]*" d="([^"]*)"', html)
  assert path.count('L') < 1_000 and ' 0.00L' in path


def test_forty_lines_differ_in_colour_or_dash():
  """And a few in both."""
  html = charts.chart(
      'a', [_line(i, i, name=str(i)) for i in range(40)], charts.Look()
  )
  (legend,) = re.findall('<ul class="legend">.*</ul>', html)
  found = set(re.findall('class="line (s[0-9] d[0-9])"', legend))
  assert len(found) == 40


def test_the_words_say_what_the_lines_show():
  """First, last, least and greatest value, with the title escaped."""
  html = charts.chart('<a>', [_line(3, 1, 2)], charts.Look('steps'))
  assert 'from 3 at 0 to 2 at 2 of steps, between 1 and 3' in html
  assert '<a>' not in html


@pytest.mark.parametrize(
    'low, high, labels',
    [
        (0.0, 40_000.0, ['0', '10k', '20k', '30k', '40k']),
        (0.0, 3e6, ['0', '1M', '2M', '3M']),
        (0.0, 1.0, ['0', '0.5', '1']),
        (-1.0, 1.0, ['\N{MINUS SIGN}1', '\N{MINUS SIGN}0.5', '0', '0.5', '1']),
    ],
)
def test_ticks_are_round(low, high, labels):
  """And have one unit."""
  axis = axes.linear(low, high, exact=True)
  assert [axis.label(tick) for tick in axis.ticks] == labels


def test_values_far_apart_have_a_logarithmic_axis():
  """Others, and those that are not all positive, a linear one."""
  axis = axes.fitting(0.01, 5.0)
  assert axis.is_log and axis.at(0.1) > 25
  assert not axes.fitting(0.0, 5.0).is_log
  assert axes.fitting(1.0, 5.0).low == 0.0


def test_lags_stand_evenly_spaced():
  """Also one of 0, which no logarithm has."""
  axis = axes.ordinal([0, 1, 2, 4, 8])
  assert [axis.at(lag) for lag in (0, 1, 2, 4, 8)] == [0, 25, 50, 75, 100]


def test_a_constant_has_room():
  """Zeros, too."""
  assert 0 < axes.fitting(3.0, 3.0).at(3.0) < 100
  assert axes.fitting(0.0, 0.0).at(0.0) == 0.0
