"""The collector: environments and a policy, without replay and training."""

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import batched_py_environment
from tf_agents.policies import random_tf_policy
from tf_agents.specs import tensor_spec

from r2i_tf import environments
from r2i_tf.training import collector as collector_lib
from tests.environments import fakes as rooms
from tests.training import fakes


def _policy(environment):
  return random_tf_policy.RandomTFPolicy(
      tensor_spec.from_spec(environment.time_step_spec()),
      tensor_spec.from_spec(environment.action_spec()),
  )


def test_every_step_goes_to_every_observer():
  """From call to call, without a gap; resets are seen but not counted."""
  environment = batched_py_environment.BatchedPyEnvironment(
      [fakes.Countdown(3), fakes.Countdown(3)], multithreading=False
  )
  seen = ([], [])

  def observer(index):
    return lambda trajectory: tf.numpy_function(
        seen[index].append, [trajectory.observation[:, 0]], []
    )

  collector = collector_lib.Collector(
      environment, _policy(environment), [observer(0), observer(1)], steps=2
  )
  for _ in range(5):
    collector.collect()
  steps = np.stack(seen[0], 1).tolist()
  assert steps == [[3, 2, 1, 0] * 3 + [3]] * 2
  assert np.stack(seen[1], 1).tolist() == steps
  # Each took ten steps; the three that only started an episode count not.
  assert collector.recorder.environment_steps == 20
  assert collector.recorder.episodes == 6


class _NoFirstLife(rooms.Room):

  def reset(self):
    raise ZeroDivisionError('no first life')


def test_an_error_of_an_environment_comes_out_as_it_is():
  """As it was raised, not as TensorFlow's text of it."""
  environment = environments.load_batch(lambda: rooms.Room('raise', 2), 0, 1)
  policy = _policy(environment)
  collector = collector_lib.Collector(environment, policy, [], steps=1)
  collector.collect()
  with pytest.raises(
      environments.FaultyEnvironmentError, match='the floor is lava'
  ):
    collector.collect()


def test_so_does_an_error_of_the_first_reset():
  """A run of an environment that cannot begin ends with one sentence, too."""
  environment = environments.load_batch(_NoFirstLife, 0, 1)
  policy = _policy(environment)
  with pytest.raises(
      environments.FaultyEnvironmentError, match='no first life'
  ):
    collector_lib.Collector(environment, policy, [], steps=1)
