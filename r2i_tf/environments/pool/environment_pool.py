"""A batch of environments that have a process each, and survive a crash.

TF-Agents' `ParallelPyEnvironment` ends the run at the first crash and names no
environment, needs the program to start through its own `handle_main`, and
imports TensorFlow into every process: 2 to 3 seconds and 370 MB each. So the
processes here are our own, of 50 MB and the memory that the suite needs.

A step is a few kilobytes to send, so pipes do; memory is not shared.
"""

from collections.abc import Sequence
from typing import Any, Optional
import weakref

from absl import logging
import numpy as np
import tensorflow as tf
from tf_agents.environments import dm_control_wrapper
from tf_agents.environments import py_environment
from tf_agents.trajectories import time_step as ts

from r2i_tf.environments import checks
from r2i_tf.environments import errors
from r2i_tf.environments import options as options_lib
from r2i_tf.environments import own
from r2i_tf.environments.pool import process
from r2i_tf.environments.pool import worker
from r2i_tf.environments.suites import registry as suites


class EnvironmentPool(py_environment.PyEnvironment):
  """Environments that step together, each in a process of its own.

  An environment has crashed when it raises, breaks its specs, gives a reward
  that is no number, does not answer in time or when its process ends, whatever
  ended it. Then it is restarted with a new seed. Its episode ends as at a time
  limit: with a LAST step of discount 1 and reward 0, and the last observation
  that it gave. A crash between two episodes loses nothing: the next one begins
  after the restart. Each crash is logged.
  """

  def __init__(
      self,
      task: suites.Task,
      seeds: Sequence[int],
      options: Optional[options_lib.Options] = None,
      pool_options: Optional[options_lib.PoolOptions] = None,
  ) -> None:
    """Starts the processes and waits until all environments are made.

    Args:
      task: A name, or a function that makes an environment, as `load` takes it.
        The function is pickled, by `cloudpickle`.
      seeds: One for each environment.
      options: Of the task; see `load`.
      pool_options: How crashes are dealt with; None takes the defaults.

    Raises:
      CrashedEnvironmentError: An environment did not start. Where the reason is
        an exception, it is raised as it is.
      InvalidTaskError: `task` is an environment, which cannot be in many
        processes, or a function that cannot be pickled.
      UnsupportedSpecError: The environments differ in their specs.
    """
    super().__init__()
    if not isinstance(task, str) and (
        own.is_environment(task) or not callable(task)
    ):
      raise errors.InvalidTaskError(
          'a pool takes the name of a task or a function that makes an'
          f' environment, but found a {type(task).__name__}.'
      )
    self._task, self._options = task, options
    self._pool_options = pool_options or options_lib.PoolOptions()
    self._seeds = list(seeds)
    self._restarts = [0] * len(self._seeds)
    self._steps: list[Optional[worker.Step]] = [None] * len(self._seeds)
    self._asked: Optional[worker.Request] = None  # And not answered yet.
    self._processes: list[process.EnvironmentProcess] = []
    # Also when the program ends, or nobody holds the pool any more.
    self._finalizer = weakref.finalize(self, _close, self._processes)
    try:
      for index in range(len(self._seeds)):
        self._processes.append(self._start(index))
      specs = self._first_specs()
      self._observation_spec = tf.nest.map_structure(
          dm_control_wrapper.convert_spec, specs.observation
      )
      self._action_spec = dm_control_wrapper.convert_spec(specs.action)
      self._action_dtype = specs.action.dtype
    except BaseException:
      self.close()
      raise

  @property
  def batched(self) -> bool:
    """True."""
    return True

  @property
  def batch_size(self) -> int:
    """The number of environments."""
    return len(self._seeds)

  @property
  def restarts(self) -> int:
    """How many crashes there were, over all environments."""
    return sum(self._restarts)

  @property
  def processes(self) -> Sequence[process.EnvironmentProcess]:
    """The process of each environment; a restart puts another one in place."""
    return self._processes

  def observation_spec(self) -> Any:
    """Returns the specs of one observation, without the batch dimension."""
    return self._observation_spec

  def action_spec(self) -> Any:
    """Returns the spec of one action, without the batch dimension."""
    return self._action_spec

  def send(self, action: Any) -> None:
    """Has all environments begin a step, and does not wait for it.

    `step` is `send` and `receive` in one. Between the two the environments work
    while the caller does something else; nothing else may be asked of them.

    Args:
      action: An array [environments, ...], as for `step`.

    Raises:
      RuntimeError: The step before has not been received, or the pool is
        closed.
      ValueError: There are more or fewer actions than environments.
    """
    self._ask(
        worker.Request.STEP, np.asarray(action).astype(self._action_dtype)
    )

  def receive(self) -> ts.TimeStep:
    """Waits for the step that `send` began, and returns it as `step` does.

    A crash is found here, whenever it was, and the time in which an environment
    has to answer begins here.

    Raises:
      CrashedEnvironmentError: One crashed once more than it is restarted.
      RuntimeError: No step was sent.
    """
    if self._asked is None:
      raise RuntimeError('no step is in flight: call send before receive.')
    self._current_time_step = self._answers(self._asked)
    return self._current_time_step

  def close(self) -> None:
    """Ends all processes, also in the middle of a step."""
    self._finalizer()

  def _reset(self) -> ts.TimeStep:
    self._ask(worker.Request.RESET, [None] * self.batch_size)
    return self._answers(worker.Request.RESET)

  def _step(self, action: Any) -> ts.TimeStep:
    self.send(action)
    return self._answers(worker.Request.STEP)

  def _ask(self, request: worker.Request, actions: Any) -> None:
    """Asks all environments."""
    if not self._finalizer.alive:
      raise RuntimeError('the pool is closed, and takes no step more.')
    if len(actions) != self.batch_size:
      raise ValueError(
          f'there are {len(actions)} actions, but the pool has'
          f' {self.batch_size} environments, and each takes one.'
      )
    if self._asked is not None:
      raise RuntimeError(
          'a step is in flight: call receive before the next send, step or'
          ' reset.'
      )
    self._asked = request
    for member, action in zip(self._processes, actions):
      member.request(request, action)

  def _answers(self, request: worker.Request) -> ts.TimeStep:
    """Waits for the answers of all environments."""
    self._asked = None
    steps = [self._step_of(i, request) for i in range(self.batch_size)]
    self._steps[:] = steps
    observation = tf.nest.pack_sequence_as(
        self._observation_spec,
        [np.stack(leaves) for leaves in zip(*(step.leaves for step in steps))],
    )
    return ts.TimeStep(
        np.array([step.step_type for step in steps], np.int32),
        np.array([step.reward for step in steps], np.float32),
        np.array([step.discount for step in steps], np.float32),
        observation,
    )

  def _step_of(self, index: int, request: worker.Request) -> worker.Step:
    """Returns the answer of one environment, or a substitute after a crash."""
    try:
      return self._processes[index].step()
    except process.ProcessFault as lost:
      self._restart(index, lost.fault)
    before = self._steps[index]
    if (
        request is worker.Request.STEP
        and before is not None
        and before.step_type != ts.StepType.LAST
    ):
      return worker.Step(int(ts.StepType.LAST), 0.0, 1.0, before.leaves)
    self._processes[index].request(worker.Request.RESET)
    return self._step_of(index, worker.Request.RESET)

  def _restart(self, index: int, fault: worker.Fault) -> None:
    """Puts a new process in the place of a lost one, if there may be more."""
    self._processes[index].kill()
    limit = self._pool_options.max_restarts
    name = f'environment {index} of {suites.name_of(self._task)}'
    if self.restarts >= limit:
      self.close()  # The others have answers that nobody will take.
      raise errors.CrashedEnvironmentError(
          f'{name} crashed: {fault.reason.rstrip(".")}; it is not restarted'
          f' again, since pool.max_restarts is {limit}.'
      ) from process.cause_of(fault)
    self._restarts[index] += 1
    logging.error(
        '%s crashed: %s; restart %d of at most %d.%s',
        name,
        fault.reason.rstrip('.'),
        self.restarts,
        limit,
        f'\n{fault.traceback}' if fault.traceback else '',
    )
    self._processes[index] = self._start(index)

  def _start(self, index: int) -> process.EnvironmentProcess:
    """Starts an environment; after a crash, with another seed than before."""
    seed = self._seeds[index]
    if self._restarts[index]:
      # The same seed would lead to the same crash.
      sequence = np.random.SeedSequence([seed, self._restarts[index]])
      seed = int(sequence.generate_state(1)[0])
    return process.EnvironmentProcess(
        self._task,
        seed,
        self._options,
        index,
        self._pool_options.timeout_seconds,
    )

  def _first_specs(self) -> worker.Specs:
    """Returns the specs, the same for all environments."""
    all_specs = []
    for index, member in enumerate(self._processes):
      try:
        all_specs.append(member.specs())
      except process.ProcessFault as lost:
        name = f'environment {index} of {suites.name_of(self._task)}'
        raise process.error_of(
            lost.fault, f'{name} did not start', self._task
        ) from process.cause_of(lost.fault)
    checks.check_alike(suites.name_of(self._task), all_specs)
    return all_specs[0]


def _close(processes: list[process.EnvironmentProcess]) -> None:
  # First all hear of it, then each is waited for.
  for member in processes:
    member.hang_up()
  for member in processes:
    member.close()
