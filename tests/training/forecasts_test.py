"""How well the world model foresees: in the record, and in a warning."""

import numpy as np
import pytest

from r2i_tf.agents import foresight
from r2i_tf.training import forecasts
from r2i_tf.training import sequences
from r2i_tf.world_model import open_loop


class _Agent:
  horizon = 5

  def __init__(self, error, count, spread):
    steps = np.array([1, 2, 3, 4, 5, 15])
    errors = [np.full(6, x) for x in (error, 0.1, spread)]
    for values in errors:
      values[-1] += 7.0
    self._found = foresight.Forecast(
        open_loop.Errors(
            steps, *errors, np.where(steps < 15, count, min(count, 1.0))
        ),
        {
            'world_model/reward_loss': 0.5,
            'world_model/continuation_loss': 0.25,
            'world_model/reconstruction_loss': 2.0,
            'world_model/kl': 1.0,
        },
    )

  def forecast(self, _):
    return self._found


def _looks(error, free, count=3.0, looks=30, spread=0.4, held_out=True):
  """Returns the scalars of the last look, and the lines shown until then."""
  lines = []
  drawn = sequences.Drawn('a batch', held_out)
  looker = forecasts.Forecasts(
      _Agent(error, count, spread), lambda: drawn, lines.append
  )
  for _ in range(looks):
    found = looker.measure({'world_model/free_share': free})
  return found, lines


def test_the_record_has_errors_by_horizon_and_losses_of_what_is_held_out():
  """The mean up to the horizon of imagination, and some of them alone."""
  found, _ = _looks(0.05, 0.1)
  assert found == pytest.approx(
      {
          'held_out/reward_loss': 0.5,
          'held_out/continuation_loss': 0.25,
          'held_out/reconstruction_loss': 2.0,
          'forecast/error': 0.05,
          'forecast/persistence': 0.1,
          'forecast/error_1': 0.05,
          'forecast/persistence_1': 0.1,
          'forecast/mean_1': 0.4,
          'forecast/error_5': 0.05,
          'forecast/persistence_5': 0.1,
          'forecast/mean_5': 0.4,
          'forecast/error_15': 7.05,
          'forecast/persistence_15': 7.1,
          'forecast/mean_15': 7.4,
      }
  )


def test_what_was_trained_on_is_not_called_held_out():
  """A loss on it would hide what it is to show."""
  found, _ = _looks(0.05, 0.1, held_out=False)
  assert {name.split('/')[0] for name in found} == {'forecast'}


def test_a_model_that_stands_still_is_warned_of_once():
  """In words, with both errors and the field to change."""
  _, [line] = _looks(0.101, 0.8)
  assert 'over the next 5 steps' in line
  assert 'squared error 0.101, standing still 0.1' in line
  assert '80% of the steps' in line and 'dynamics_free_nats' in line


@pytest.mark.parametrize(
    'error, free, count, looks, spread',
    [
        (0.05, 0.8, 3.0, 30, 0.4),  # It foresees.
        (0.101, 0.1, 3.0, 30, 0.4),  # Something else is the matter.
        (0.101, 0.8, 3.0, 9, 0.4),  # It has hardly begun.
        (0.101, 0.8, 0.0, 30, 0.4),  # No sequence would do.
        (0.101, 0.8, 3.0, 30, 9.0),  # Hardly anything moves.
    ],
)
def test_others_are_not(error, free, count, looks, spread):
  """A warning that comes too often is not read."""
  found, lines = _looks(error, free, count, looks, spread)
  assert not lines
  assert ('forecast/error' in found) == bool(count)
  assert 'held_out/reward_loss' in found


def test_without_sequences_nothing_is_measured():
  """A replay server has none to spare now."""
  looker = forecasts.Forecasts(_Agent(0.1, 3.0, 0.4), lambda: None, None)
  assert looker.measure({}) == {}
