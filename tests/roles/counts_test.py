"""Reports of collectors, added up."""

import pytest

pytest.importorskip('reverb')

from r2i_tf.record import records  # noqa: E402
from r2i_tf.replay.reverb import reports  # noqa: E402
from r2i_tf.roles import counts as counts_lib  # noqa: E402


def _report(collector, number, returns=(1.0,)):
  return reports.Report(collector, number, 10 * number, number, 0, returns)


def test_counts_are_the_sum_of_all_collectors():
  """Each reports its own total."""
  counts = counts_lib.RemoteCounts()
  counts.add([_report('a', 1), _report('b', 1), _report('a', 2)])
  assert (counts.environment_steps, counts.episodes) == (30, 3)
  assert counts.take_finished() == [
      records.Episode(10, 1.0),
      records.Episode(20, 1.0),
      records.Episode(30, 1.0),
  ]
  assert counts.take_finished() == []


def test_a_report_that_comes_twice_counts_once():
  """A server that goes on from its checkpoint may give it again."""
  counts = counts_lib.RemoteCounts()
  counts.add([_report('a', 1), _report('a', 2)])
  counts.add([_report('a', 1), _report('a', 2)])
  assert (counts.environment_steps, counts.episodes) == (20, 2)
  assert len(counts.take_finished()) == 2


def test_a_report_that_is_lost_costs_returns_and_no_counts():
  """The next one has the total."""
  counts = counts_lib.RemoteCounts()
  counts.add([_report('a', 1), _report('a', 4)])
  assert (counts.environment_steps, counts.episodes) == (40, 4)


def test_a_learner_that_goes_on_counts_on():
  """From the totals of its checkpoint, also of collectors that still run."""
  counts = counts_lib.RemoteCounts()
  assert counts.mean_return(10) is None
  counts.add([_report('a', 1, (2.0, 4.0))])
  other = counts_lib.RemoteCounts()
  other.restore(counts.state())
  other.add([_report('a', 3, ())])
  assert (other.environment_steps, other.episodes) == (30, 3)
  assert other.mean_return(10) == 3.0
