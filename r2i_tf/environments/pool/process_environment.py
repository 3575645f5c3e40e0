"""One environment in a process of its own, as `dm_env` has it.

Without a batch, and without a second life: what a pool makes of a crash is
`environment_pool`.
"""

from collections.abc import Iterator
import contextlib
from typing import Any, Optional
import weakref

import dm_env
import numpy as np
import tree

from r2i_tf.environments import options as options_lib
from r2i_tf.environments.pool import process
from r2i_tf.environments.pool import worker
from r2i_tf.environments.suites import registry as suites


class ProcessEnvironment(dm_env.Environment):
  """Steps an environment in another process, and raises what it raises."""

  def __init__(
      self,
      task: suites.Task,
      seed: int,
      options: Optional[options_lib.Options] = None,
      drawn: bool = False,
  ) -> None:
    """Starts the process and waits until the environment is made.

    Args:
      task: A name, or a function that makes an environment.
      seed: Of the environment.
      options: Of the task.
      drawn: Whether `render` is asked for; only of a task that `can_draw`.

    Raises:
      CrashedEnvironmentError: The process ended. What the environment raises is
        raised as it is, here and at every step.
      InvalidTaskError: `task` is a function that cannot be pickled.
    """
    self._task, self._name = task, suites.name_of(task)
    self._process = process.EnvironmentProcess(
        task,
        seed,
        options,
        None,
        options_lib.PoolOptions().timeout_seconds,
        drawn,
    )
    # Also when the program ends, or nobody holds the environment any more.
    self._finalizer = weakref.finalize(self, self._process.close)
    try:
      self._specs = self._process.specs()
    except process.ProcessFault as lost:
      self.close()
      raise process.error_of(
          lost.fault, f'{self._name} did not start', task
      ) from process.cause_of(lost.fault)

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    return self._ask(worker.Request.RESET)

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step; after the end of an episode, starts one."""
    array = np.asarray(action).astype(self._specs.action.dtype)
    return self._ask(worker.Request.STEP, array)

  def render(self) -> np.ndarray:
    """Returns an image of now, uint8 [height, width, 3]."""
    self._process.request(worker.Request.RENDER)
    with self._told():
      return self._process.image()

  def observation_spec(self) -> Any:
    """Returns the specs of an observation."""
    return self._specs.observation

  def action_spec(self) -> Any:
    """Returns the spec of an action."""
    return self._specs.action

  def close(self) -> None:
    """Ends the process; once is enough."""
    self._finalizer()

  def _ask(
      self, request: worker.Request, action: Any = None
  ) -> dm_env.TimeStep:
    self._process.request(request, action)
    with self._told():
      step = self._process.step()
    specs = tree.flatten(self._specs.observation)
    leaves = [
        leaf.astype(spec.dtype, copy=False)
        for spec, leaf in zip(specs, step.leaves)
    ]
    first = step.step_type == dm_env.StepType.FIRST
    return dm_env.TimeStep(
        dm_env.StepType(step.step_type),
        None if first else step.reward,
        None if first else step.discount,
        tree.unflatten_as(self._specs.observation, leaves),
    )

  @contextlib.contextmanager
  def _told(self) -> Iterator[None]:
    """Returns a context in which a fault is raised as what it was."""
    try:
      yield
    except process.ProcessFault as lost:
      self.close()
      raise process.error_of(
          lost.fault, f'{self._name} crashed', self._task
      ) from process.cause_of(lost.fault)
