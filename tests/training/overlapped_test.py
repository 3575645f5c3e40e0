"""The collector that keeps a step in flight, without replay and training."""

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.policies import tf_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf.training import collector as collector_lib
from r2i_tf.training import overlapped
from tests.environments import fakes as rooms

_SEEDS = (1, 2, 3)


class _Scripted(tf_policy.TFPolicy):
  """Acts by what it sees and by how often it has acted, its state."""

  def __init__(self, environment):
    super().__init__(
        tensor_spec.from_spec(environment.time_step_spec()),
        tensor_spec.from_spec(environment.action_spec()),
        policy_state_spec=tf.TensorSpec([], tf.int32, 'acted'),
    )

  def _variables(self):
    return []

  def _action(self, time_step, policy_state, seed):
    del seed
    seen = tf.cast(time_step.observation[:, 0], tf.int32)
    action = (seen * seen + 2 * policy_state) % 3
    return policy_step.PolicyStep(action, policy_state + 1)

  def _distribution(self, time_step, policy_state):
    raise NotImplementedError


@pytest.fixture(name='pool_of')
def _pool_of():
  """Makes pools that are closed at the end of the test."""
  pools = []

  def make(task):
    pools.append(environments.EnvironmentPool(task, _SEEDS))
    return pools[-1]

  yield make
  for pool in pools:
    pool.close()


def _collect(make, pool, steps, calls):
  """Returns the trajectory of all calls [T, ...], and counts after each."""
  seen, counts = [], []

  def observer(trajectory):
    flat = tf.nest.flatten(trajectory)
    return tf.numpy_function(lambda *parts: seen.append(parts), flat, [])

  policy = _Scripted(pool)
  collector = make(pool, policy, [observer], steps)
  for _ in range(calls):
    collector.collect()
    recorder = collector.recorder
    counts.append((len(seen), recorder.environment_steps, recorder.episodes))
  returns = recorder.take_finished()
  whole = [np.stack(parts) for parts in zip(*seen)]
  trajectory = tf.nest.pack_sequence_as(policy.trajectory_spec, whole)
  return trajectory, counts, returns


@pytest.mark.parametrize('steps', [1, 4])
def test_it_lives_what_a_driver_lives(pool_of, steps):
  """The same steps, policy states and counts after each call, in order."""
  found, counts, returns = _collect(
      overlapped.OverlappedCollector, pool_of(rooms.Diary), steps, calls=12
  )
  expected, expected_counts, expected_returns = _collect(
      collector_lib.Collector, pool_of(rooms.Diary), steps, calls=12
  )
  for a, b in zip(tf.nest.flatten(expected), tf.nest.flatten(found)):
    np.testing.assert_array_equal(a, b)
  assert counts == expected_counts and returns == expected_returns
  # Every time step of each environment's life, with the action really taken.
  number, led_here = np.moveaxis(found.observation, 2, 0)
  np.testing.assert_array_equal(
      number, np.broadcast_to(np.arange(len(number))[:, None], number.shape)
  )
  is_first = found.step_type[1:] == ts.StepType.FIRST
  assert is_first.any()
  np.testing.assert_array_equal(
      led_here[1:], np.where(is_first, -1, found.action[:-1])
  )


def test_a_step_is_in_flight_between_two_calls(pool_of):
  """And none before the first, which has nothing to act on yet."""
  pool = pool_of(rooms.Diary)
  collector = overlapped.OverlappedCollector(pool, _Scripted(pool), [], steps=1)
  with pytest.raises(RuntimeError, match='no step is in flight'):
    pool.receive()
  collector.collect()
  assert collector.recorder.environment_steps == len(_SEEDS)
  in_flight = pool.receive()
  np.testing.assert_array_equal(in_flight.observation[:, 0], [2, 2, 2])


def test_only_a_pool_has_steps_in_flight():
  """A batch in this process steps when it is asked to, or not at all."""
  batch = environments.load_batch(rooms.Diary, 0, 2)
  with pytest.raises(errors.RunError, match='a BatchedPyEnvironment where'):
    overlapped.OverlappedCollector(batch, _Scripted(batch), [], steps=1)
