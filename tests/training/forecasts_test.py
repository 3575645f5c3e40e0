"""The warning of a world model that foresees nothing."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf.training import forecasts
from r2i_tf.world_model import forecast


class _Agent:

  def __init__(self, error, count, spread):
    self._errors = forecast.Errors(
        np.full(5, error),
        np.full(5, 0.1),
        tf.constant(spread),
        tf.constant(count),
    )

  def forecast(self, _):
    return self._errors


def _looks(error, free, count=3.0, looks=30, spread=0.4, batch='a batch'):
  """Returns the scalars of the last look, and the lines shown until then."""
  lines = []
  looker = forecasts.Forecasts(
      _Agent(error, count, spread), lambda: batch, lines.append
  )
  for _ in range(looks):
    found = looker.measure({'world_model/free_share': free})
  return found, lines


def test_a_model_that_stands_still_is_warned_of_once():
  """In words, with both errors and the field to change."""
  found, [line] = _looks(0.101, 0.8)
  assert found == {
      'forecast/error': pytest.approx(0.101),
      'forecast/persistence': pytest.approx(0.1),
  }
  assert 'squared error 0.101, standing still 0.1' in line
  assert '80% of the steps' in line and 'dynamics_free_nats' in line


@pytest.mark.parametrize(
    'error, free, count, looks, spread',
    [
        (0.05, 0.8, 3.0, 30, 0.4),  # It foresees.
        (0.101, 0.1, 3.0, 30, 0.4),  # Something else is the matter.
        (0.101, 0.8, 3.0, 10, 0.4),  # It has hardly begun.
        (0.101, 0.8, 0.0, 30, 0.4),  # No sequence would do.
        (0.101, 0.8, 3.0, 30, 9.0),  # Hardly anything moves.
    ],
)
def test_others_are_not(error, free, count, looks, spread):
  """A warning that comes too often is not read."""
  found, lines = _looks(error, free, count, looks, spread)
  assert not lines and bool(found) == bool(count)


def test_without_sequences_there_is_no_look():
  """A replay server has none to spare now."""
  assert _looks(0.101, 0.8, batch=None) == ({}, [])
