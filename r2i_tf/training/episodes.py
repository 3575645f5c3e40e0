"""Counts of transitions and episodes, taken where the environment steps.

`EpisodeRecorder` sits between the batch of environments and the driver. It is
plain Python in a call that is Python already, so that counting costs neither
a graph operation nor a read from the device.
"""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any, Optional, Protocol

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.environments import wrappers
from tf_agents.trajectories import time_step as ts

from r2i_tf.record import records
from r2i_tf.record import returns as returns_lib


class Counts(Protocol):
  """What a run is shown and ended by: an `EpisodeRecorder`, or another's.

  Attributes:
    environment_steps: Transitions of all environments.
    episodes: Episodes that have finished.
  """

  environment_steps: int
  episodes: int

  @property
  def restarts(self) -> int:
    """Crashes of environments that were survived."""

  def mean_return(self, episodes: int) -> Optional[float]:
    """Returns the mean of the last returns; see `EpisodeRecorder`."""

  def take_finished(self) -> list[records.Episode]:
    """Returns the episodes that finished since the last call."""


class EpisodeRecorder(wrappers.PyEnvironmentBaseWrapper):
  """Passes a batch of environments through and counts its steps and episodes.

  A step that only starts the next episode is a boundary, not a transition, and
  is not counted.

  Attributes:
    environment_steps: Transitions of all environments.
    episodes: Episodes that have finished.
    fault: The last exception of the environments; None before. The driver, a
      TensorFlow function, passes on no more of an exception than its text.
  """

  def __init__(self, environment: py_environment.PyEnvironment):
    """Wraps a batched environment.

    Args:
      environment: Batched; it resets each of its environments by itself.
    """
    super().__init__(environment)
    self.environment_steps = 0
    self.episodes = 0
    self.fault: Optional[Exception] = None
    self._earlier_restarts = 0
    self._running = np.zeros([environment.batch_size], np.float64)
    self._returns = returns_lib.Returns()

  def send(self, action: Any) -> None:
    """Has a pool begin a step; see `EnvironmentPool.send`."""
    self._env.send(action)

  def receive(self) -> ts.TimeStep:
    """Returns the step that was begun; it counts from now on."""
    self._current_time_step = self._counted(self._called(self._env.receive))
    return self._current_time_step

  def _reset(self) -> ts.TimeStep:
    self._running[:] = 0.0
    return self._called(super()._reset)

  def _step(self, action: Any) -> ts.TimeStep:
    return self._counted(self._called(super()._step, action))

  def _counted(self, time_step: ts.TimeStep) -> ts.TimeStep:
    kinds = time_step.step_type
    first = kinds == ts.StepType.FIRST
    self._running = np.where(first, 0.0, self._running + time_step.reward)
    self.environment_steps += int(np.count_nonzero(~first))
    for index in np.flatnonzero(kinds == ts.StepType.LAST):
      self.episodes += 1
      self._returns.add(
          self.environment_steps,
          float(self._running[index]),
          self._info(int(index)),
      )
    return time_step

  def _info(self, index: int) -> Optional[Mapping[str, float]]:
    """Returns what an environment says of the episode that it has ended.

    A pool of processes says nothing.
    """
    members = getattr(self._env, 'envs', None)
    if members is None:
      return None
    try:
      return members[index].get_info()
    except NotImplementedError:
      return None

  @property
  def restarts(self) -> int:
    """How many crashes a pool of processes has survived, over all starts."""
    return self._earlier_restarts + getattr(self._env, 'restarts', 0)

  def mean_return(self, episodes: int) -> Optional[float]:
    """Returns the mean of the last `episodes` returns, None before the first.

    Args:
      episodes: At most `records.WINDOW`; while fewer have finished, those.
    """
    return self._returns.mean(episodes)

  def sum_of_returns(self, episodes: int) -> tuple[float, int]:
    """Returns the sum of the last `episodes` returns, and of how many it is.

    Args:
      episodes: At most `records.WINDOW`; while fewer have finished, those.
    """
    return self._returns.sum(episodes)

  def take_finished(self) -> list[records.Episode]:
    """Returns the episodes that finished since the last call, oldest first."""
    return self._returns.take()

  def state(self) -> Mapping[str, Any]:
    """Returns the counts for `restore`, as plain values."""
    return {
        'environment_steps': self.environment_steps,
        'episodes': self.episodes,
        'recent_returns': self._returns.recent,
        'restarts': self.restarts,
    }

  def restore(self, state: Mapping[str, Any]) -> None:
    """Continues the counts of `state`; the environments stay as they are."""
    self.environment_steps = state['environment_steps']
    self.episodes = state['episodes']
    self._returns = returns_lib.Returns(state['recent_returns'])
    self._earlier_restarts = state['restarts']

  def _called(
      self, function: Callable[..., ts.TimeStep], *arguments: Any
  ) -> ts.TimeStep:
    try:
      return function(*arguments)
    except Exception as error:
      self.fault = error
      raise
