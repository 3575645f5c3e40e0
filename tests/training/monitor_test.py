"""What a run says of its speed."""

import dataclasses

import numpy as np
import pytest

from r2i_tf.record import records
from r2i_tf.training import monitor as monitor_lib
from tests.training import fakes


@dataclasses.dataclass
class _Counts:
  environment_steps: int = 0
  episodes: int = 0
  restarts: int = 0
  train_steps: int = 0

  def mean_return(self, _):
    return None

  def take_finished(self):
    return []

  def take_losses(self):
    return {}


class _Sink:
  """A writer of records and a display."""

  def __init__(self):
    self.records = []

  def write(self, record, _):
    self.records.append(record)

  def line(self, _):
    pass

  def wants_update(self):
    return False


@pytest.mark.parametrize('log_seconds', [0.5, 2.0, 10.0])
def test_rates_are_those_of_now(monkeypatch, log_seconds):
  """Also where records follow one another faster than a rate is taken."""
  now = [100.0]
  monkeypatch.setattr(monitor_lib.time, 'monotonic', lambda: now[0])
  counts, sink = _Counts(), _Sink()
  config = fakes.config(log_seconds=log_seconds)
  monitor = monitor_lib.Monitor(config, counts, counts, sink, sink, 0.0)
  for rate in (10, 30):
    for _ in range(200):
      now[0] += 0.125
      counts.environment_steps += rate
      counts.train_steps += 1
      monitor.show()
    last = sink.records[-1]
    assert last['environment_steps_per_second'] == 8 * rate
    assert last['train_steps_per_second'] == 8
  seconds = [60 * record['minutes'] for record in sink.records]
  np.testing.assert_allclose(np.diff(seconds), log_seconds)
  assert records.STEP in sink.records[0]


class _Forecasts:
  """Counts how often it is asked."""

  def __init__(self):
    self.asked = 0

  def measure(self, losses):
    assert losses == {'loss': 1.0}
    self.asked += 1
    return {'forecast': 2.0}


def test_every_other_record_has_a_forecast(monkeypatch):
  """From the first that has losses on; its losses are in each."""
  counts, sink, forecasts = _Counts(), _Sink(), _Forecasts()
  monitor = monitor_lib.Monitor(
      fakes.config(), counts, counts, sink, sink, 0.0, forecasts
  )
  losses = iter([{}, *[{'loss': 1.0}] * 4])
  monkeypatch.setattr(_Counts, 'take_losses', lambda _: next(losses))
  for _ in range(5):
    counts.environment_steps += 1
    monitor.log()
  has = ['forecast' in record for record in sink.records]
  assert has == [False, True, False, True, False]
  assert ['loss' in record for record in sink.records] == [False] + [True] * 4
  assert forecasts.asked == 2
