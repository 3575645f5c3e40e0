"""From environments to observers, with one step in flight.

  receive -> policy -> send -> observers | train | receive -> ...

`OverlappedCollector` is the collector of a run whose environments step while it
trains. A stock driver cannot be that: it waits for a step inside of the
TensorFlow function that asks for it.
"""

from collections.abc import Sequence
from typing import Any, Optional

import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.policies import tf_policy
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory
from tf_agents.utils import common

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf.training import collector
from r2i_tf.training import episodes


class OverlappedCollector:
  """Steps a pool of environments; the next step is under way at each return.

  What the observers get is what a `Collector` gives them: a policy that never
  changes lives the same episodes. But the actions of the step in flight were
  chosen when it was sent, by the weights of then. Policy and observers run
  inside of `collect` only, so whoever trains between two calls finds no one who
  reads the weights.

  A step is counted, and goes to the observers, when it has come in. One that is
  still in flight when a checkpoint is written, or the run ends, has not been
  taken, as far as counts and experience say.

  Attributes:
    recorder: Counts the steps and episodes of the environments.
  """

  def __init__(
      self,
      environment: py_environment.PyEnvironment,
      policy: tf_policy.TFPolicy,
      observers: Sequence[collector.Observer],
      steps: int,
  ):
    """Resets the environments; takes no step.

    Args:
      environment: An `EnvironmentPool`. A wrapper of one would be passed by,
        for it knows nothing of steps in flight.
      policy: Chooses the actions; its variables exist already.
      observers: Each gets every step of all environments, a trajectory of
        tensors [environments, ...], in a graph.
      steps: Steps that each environment takes in one `collect`.

    Raises:
      errors.RunError: The environment is no pool.
      environments.CrashedEnvironmentError: As for `collect`.
    """
    if not isinstance(environment, environments.EnvironmentPool):
      raise errors.RunError(
          'collect_while_training is True, but the environments of this run are'
          f' a {type(environment).__name__} where it takes an EnvironmentPool;'
          ' have load_batch of its parts return that, or set it to False.'
      )
    self.recorder = episodes.EpisodeRecorder(environment)
    self._observers = list(observers)
    self._steps = steps * environment.batch_size
    self._act = common.function(policy.action)
    self._observe = common.function(self._observe_in_graph)
    # Environments are not part of a checkpoint: a run that goes on resets them,
    # and the FIRST step that comes from it cuts the sequence in the replay.
    self._time_step = _tensors(self.recorder.reset())
    self._policy_state = policy.get_initial_state(environment.batch_size)
    self._in_flight: Optional[policy_step.PolicyStep] = None

  def collect(self) -> None:
    """Receives the steps, and returns when all observers have them.

    Raises:
      environments.CrashedEnvironmentError: One crashed once too often, in a
        step that was in flight or in one of these.
    """
    in_flight = self._in_flight or self._send(self._policy_state)
    enough = self.recorder.environment_steps + self._steps
    while self.recorder.environment_steps < enough:
      before = self._time_step
      self._time_step = _tensors(self.recorder.receive())
      taken, in_flight = in_flight, self._send(in_flight.state)
      # While the environments are at the next one already.
      self._observe(before, taken, self._time_step)
    self._in_flight = in_flight

  def _send(self, policy_state: Any) -> policy_step.PolicyStep:
    """Chooses actions for the last step that came in, and sends them."""
    chosen = self._act(self._time_step, policy_state)
    self.recorder.send(chosen.action)
    return chosen

  def _observe_in_graph(
      self,
      time_step: ts.TimeStep,
      taken: policy_step.PolicyStep,
      next_time_step: ts.TimeStep,
  ) -> None:
    step = trajectory.from_transition(time_step, taken, next_time_step)
    for observer in self._observers:
      observer(step)


def _tensors(time_step: ts.TimeStep) -> ts.TimeStep:
  return tf.nest.map_structure(tf.convert_to_tensor, time_step)
