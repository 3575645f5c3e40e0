"""Tests of r2i_tf.agents.starts."""

import numpy as np
import tensorflow as tf

from r2i_tf import draws
from r2i_tf.agents import starts

_PLACES = tf.reshape(tf.range(16.0), [2, 8])
_FLAGS = tf.reshape(tf.range(16) % 3 > 0, [2, 8])


def test_as_many_as_asked_for_each_a_step_of_its_sequence():
  """Different ones from each sequence, and over time all of them."""
  seen = set()
  for seed in range(20):
    places = starts.draw(_FLAGS, 3, draws.Seed([seed, 0]))
    picked, kept = starts.pick((_PLACES, _FLAGS), places)
    picked = picked.numpy().astype(int)
    assert len(set(picked)) == 6
    np.testing.assert_array_equal(picked // 8, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(kept, _FLAGS.numpy().reshape(-1)[picked])
    seen.update(picked)
  assert len(seen) == 16  # No place is left out for good.


def test_all_of_them_in_order():
  """Without a number, or with one that is large enough."""
  for count in (None, 8, 9):
    places = starts.draw(_FLAGS, count, draws.Seed([0, 0]))
    np.testing.assert_array_equal(starts.pick(_PLACES, places), np.arange(16))


def test_values_go_back_to_where_they_come_from():
  """Elsewhere there is none, and the mask says so."""
  for count in (None, 3):
    places = starts.draw(_FLAGS, count, draws.Seed([5, 0]))
    values = 1 + starts.pick(_PLACES, places)
    back, started = starts.put_back(values, places, tf.constant([2, 8]))
    np.testing.assert_array_equal(
        back, np.where(started, 1 + _PLACES.numpy(), 0)
    )
    assert np.sum(started) == 2 * (count or 8)
