"""From environments to observers, under a policy.

  environments -> policy -> environments -> ... each step -> observers

The collector knows nothing of training, of time, or of where steps end up;
`run` does.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tf_agents.drivers import dynamic_step_driver
from tf_agents.environments import py_environment
from tf_agents.environments import tf_py_environment
from tf_agents.policies import tf_policy
from tf_agents.trajectories import trajectory
from tf_agents.utils import common

from r2i_tf.training import episodes

Observer = Callable[[trajectory.Trajectory], Any]


class Collector:
  """Steps a batch of environments, and hands every step on.

  Attributes:
    recorder: Counts the steps and episodes of the environments.
  """

  def __init__(
      self,
      environment: py_environment.PyEnvironment,
      policy: tf_policy.TFPolicy,
      observers: Sequence[Observer],
      steps: int,
  ):
    """Resets the environments; takes no step.

    Args:
      environment: Batched; it resets each of its environments by itself.
      policy: Chooses the actions; its variables exist already.
      observers: Each gets every step of all environments, a trajectory of
        tensors [environments, ...], in a graph.
      steps: Steps that each environment takes in one `collect`.

    Raises:
      environments.FaultyEnvironmentError: As for `collect`.
      environments.CrashedEnvironmentError: As for `collect`.
    """
    self.recorder = episodes.EpisodeRecorder(environment)
    wrapped = tf_py_environment.TFPyEnvironment(self.recorder)
    driver = dynamic_step_driver.DynamicStepDriver(
        wrapped,
        policy,
        observers=list(observers),
        num_steps=steps * environment.batch_size,
    )
    self._run_driver = common.function(driver.run)
    # Environments are not part of a checkpoint: a run that goes on resets them,
    # and the FIRST step that comes from it cuts the sequence in the replay.
    self._time_step = self._called(wrapped.reset)
    self._policy_state = policy.get_initial_state(environment.batch_size)

  def collect(self) -> None:
    """Takes the steps, and returns when all observers have them.

    Raises:
      environments.FaultyEnvironmentError: One raised, or broke its specs.
      environments.CrashedEnvironmentError: One crashed once too often.
    """
    self._time_step, self._policy_state = self._called(
        self._run_driver, self._time_step, self._policy_state
    )

  def _called(self, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls TensorFlow; raises the exceptions of environments as they are."""
    try:
      return function(*arguments)
    except tf.errors.OpError:
      fault = self.recorder.fault
      if fault is None:
        raise
    # Not in the block above, whose error would only repeat this one.
    raise fault
