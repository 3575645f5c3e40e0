"""A pool's step in two halves: it is sent, and later received."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import environments
from tests.environments import fakes

FIRST, MID, LAST = (int(k) for k in (0, 1, 2))
RUN, RAISE = fakes.Fragile.RUN, fakes.Fragile.RAISE


@pytest.fixture(name='make')
def _make():
  """Makes pools that are closed at the end of the test."""
  pools = []

  def make(task=fakes.Fragile, **options):
    pool_options = environments.PoolOptions(**options)
    pool = environments.EnvironmentPool(task, [5, 6], None, pool_options)
    pools.append(pool)
    return pool

  yield make
  for pool in pools:
    pool.close()


def _sent(pool, *actions):
  pool.send(np.array(actions, np.int32))
  return pool.receive()


def test_two_halves_make_a_step(make):
  """Same steps, dtypes and current step, across the ends of episodes."""
  whole, halves = make(fakes.Diary), make(fakes.Diary)
  pairs = [(whole.reset(), halves.reset())]
  for action in np.random.default_rng(0).integers(0, 3, [20, 2]):
    pairs.append((whole.step(action), _sent(halves, *action)))
    assert halves.current_time_step() is pairs[-1][1]
  for expected, found in pairs:
    for a, b in zip(tf.nest.flatten(expected), tf.nest.flatten(found)):
      np.testing.assert_array_equal(a, b)
      assert a.dtype == b.dtype


def test_nothing_else_is_asked_while_a_step_is_in_flight(make):
  """Its answer would be taken for that of another request."""
  pool = make()
  with pytest.raises(RuntimeError, match='no step is in flight'):
    pool.receive()
  first = pool.reset()
  action = np.array([RUN, RUN], np.int32)
  pool.send(action)
  for ask in (lambda: pool.send(action), lambda: pool.step(action), pool.reset):
    with pytest.raises(RuntimeError, match='a step is in flight'):
      ask()
  after = pool.receive()
  np.testing.assert_array_equal(after.observation[:, 0], [1, 1])
  np.testing.assert_array_equal(first.observation[:, 0], [0, 0])
  with pytest.raises(RuntimeError, match='no step is in flight'):
    pool.receive()


def test_a_crash_in_flight_is_that_of_a_step(make):
  """It cuts an episode, or ends the run, where the step is received."""
  pool = make(max_restarts=1)
  pool.reset()
  cut = _sent(pool, RAISE, RUN)
  np.testing.assert_array_equal(cut.step_type, [LAST, MID])
  np.testing.assert_array_equal(cut.discount, [1.0, 1.0])
  np.testing.assert_array_equal(_sent(pool, RUN, RUN).step_type, [FIRST, MID])
  pool.send(np.array([RUN, RAISE], np.int32))
  with pytest.raises(environments.CrashedEnvironmentError) as caught:
    pool.receive()
  assert str(caught.value).startswith('environment 1 of Fragile crashed: ')
  assert 'raised ZeroDivisionError: the floor is lava' in str(caught.value)
  assert 'fakes.py' in str(caught.value.__cause__)


def test_a_pool_is_closed_with_a_step_in_flight(make):
  """No process is left that would answer."""
  pool = make()
  pool.reset()
  pool.send(np.array([RUN, RUN], np.int32))
  pool.close()
  pids = [member.pid for member in pool.processes]
  assert not any(pathlib.Path(f'/proc/{pid}').exists() for pid in pids)
