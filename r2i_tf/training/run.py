"""A training run from start, or from where it stopped, to its end.

  check everything -> build -> restore -> collect and train -> save -> export

`train` is the way in, of the command line and of programs of one's own.
"""

import contextlib
import dataclasses
import pathlib
import time
from typing import Optional

import numpy as np
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import trajectory

from r2i_tf import errors
from r2i_tf import quiet
from r2i_tf import run_config
from r2i_tf.record import learning_curve
from r2i_tf.record import metrics
from r2i_tf.record import progress as progress_lib
from r2i_tf.record import records
from r2i_tf.replay import memory
from r2i_tf.training import checkpoints
from r2i_tf.training import collector as collector_lib
from r2i_tf.training import evaluation
from r2i_tf.training import export
from r2i_tf.training import interruption
from r2i_tf.training import learner as learner_lib
from r2i_tf.training import monitor as monitor_lib
from r2i_tf.training import parts as parts_lib
from r2i_tf.training import schedule
from r2i_tf.training import workdir as workdir_lib


@dataclasses.dataclass(frozen=True)
class Summary:
  """The outcome of a run.

  Attributes:
    stopped: Why it ended.
    environment_steps: Transitions over all starts.
    train_steps: Train steps over all starts.
    episodes: Episodes finished.
    mean_return: Mean return of the last 200 episodes; None before the first.
    minutes: Wall time over all starts.
    evaluation: Of the greedy policy; None without one.
    policy: The greedy policy's directory; None if it was not exported.
    plot: The learning curve; None without finished episodes.
    workdir: Where everything is.
  """

  stopped: schedule.StopReason
  environment_steps: int
  train_steps: int
  episodes: int
  mean_return: Optional[float]
  minutes: float
  evaluation: Optional[evaluation.Evaluation]
  policy: Optional[pathlib.Path]
  plot: Optional[pathlib.Path]
  workdir: pathlib.Path


def train(
    config: run_config.RunConfig,
    workdir: str,
    parts: parts_lib.RunParts = parts_lib.R2I_PARTS,
) -> Summary:
  """Conducts the run, or the rest of it, and returns its outcome.

  Args:
    config: The run.
    workdir: Its directory; if it holds a run, that one goes on.
    parts: Agent, environments and replay.

  Returns:
    The summary; everything else is under `workdir`.

  Raises:
    errors.RunError: `workdir` cannot be used, or the replay is too large.
    environments.UnknownTaskError: There is no such task.
    specs.UnsupportedSpecError: The agent cannot act in it.
    environments.FaultyEnvironmentError: An environment raised, or broke its
      specs. The run can go on from its last checkpoint.
    environments.CrashedEnvironmentError: One of a pool crashed once more than
      it is restarted. The same holds.
  """
  if config.replay.kind == run_config.ReplayKind.REVERB:
    raise errors.RunError(
        "replay.kind is 'reverb', but this run has a replay of its own: give"
        ' r2i-train a --replay_address, or call r2i_tf.roles.learner.train.'
    )
  paths = workdir_lib.Workdir(workdir)
  paths.check(config)
  # Closes, at the end or where the set-up fails, all that has been opened.
  with contextlib.ExitStack() as stack:
    interrupted = stack.enter_context(interruption.Interruption())
    run = _Run(config, paths, parts, interrupted, stack)
    summary = run.finish(run.loop())
  return summary


class _Run:
  """The state of `train`: its parts and its files."""

  def __init__(
      self,
      config: run_config.RunConfig,
      paths: workdir_lib.Workdir,
      parts: parts_lib.RunParts,
      interrupted: interruption.Interruption,
      stack: contextlib.ExitStack,
  ):
    self._config = config
    self._paths = paths
    self._parts = parts
    self._interrupted = interrupted
    progress = stack.enter_context(
        contextlib.closing(progress_lib.Progress(config.steps))
    )
    # First of all: the rest takes minutes and gigabytes of its own.
    progress.note(_check_memory(config, parts))
    newest = checkpoints.checkpoints_in(paths.checkpoints)
    seed = _seed(config.seed, int(newest[-1].name) if newest else 0)
    # Keras draws initial weights from Python's own generator: all are seeded.
    tf.keras.utils.set_random_seed(seed)
    quiet.first_compilation()
    self._environment = stack.enter_context(
        contextlib.closing(
            parts.load_batch(
                config.task,
                seed,
                config.parallel_environments,
                config.environment,
                config.pool if config.environment_processes else None,
            )
        )
    )
    self._agent = parts.build_agent(
        tensor_spec.from_spec(self._environment.time_step_spec()),
        tensor_spec.from_spec(self._environment.action_spec()),
        config,
        tf.Variable(0, dtype=tf.int64, trainable=False, name='train_step'),
    )
    replay = parts.replay(
        self._agent.collect_data_spec,
        config.parallel_environments,
        config.replay.capacity,
    )
    self._collector = collector_lib.Collector(
        self._environment,
        self._agent.collect_policy,
        [replay.add],
        config.collect_steps,
    )
    self._recorder = self._collector.recorder
    self._learner = learner_lib.Learner(
        self._agent,
        replay.sample(config.replay.batch_size, config.replay.sequence_length),
    )
    paths.create(config)
    self._store = checkpoints.CheckpointStore(
        paths.checkpoints, self._learner.trackables(), progress.note, [replay]
    )
    seconds = self._restore(progress)
    writer = stack.enter_context(
        contextlib.closing(
            metrics.MetricsWriter(
                paths.metrics,
                paths.tensorboard,
                self._recorder.environment_steps,
            )
        )
    )
    self._monitor = monitor_lib.Monitor(
        config, self._recorder, self._learner, writer, progress, seconds
    )
    self._saved = time.monotonic()
    self._compiled = False

  def loop(self) -> schedule.StopReason:
    """Collects and trains, saves at the end, and returns why it stopped."""
    while True:
      stopped = self._stop_reason()
      if stopped is not None:
        break
      self._collector.collect()
      while self._train_is_due() and not self._interrupted.requested:
        self._train_step()
      self._monitor.show()
      if time.monotonic() - self._saved >= self._config.checkpoint_seconds:
        self._save_or_go_on()
    self._save()
    return stopped

  def finish(self, stopped: schedule.StopReason) -> Summary:
    """Exports and evaluates, unless the run was asked to stop."""
    minutes = self._monitor.seconds() / 60
    policy, result = None, None
    if stopped != schedule.StopReason.INTERRUPTED:
      self._monitor.note(f'exporting the policies to {self._paths.policies}')
      export.export(
          self._agent,
          self._environment,
          self._config.task,
          self._config.environment,
          self._paths.policies,
      )
      policy = self._paths.policies / 'greedy'
      result = self._evaluate(policy)
    return Summary(
        stopped=stopped,
        environment_steps=self._recorder.environment_steps,
        train_steps=self._learner.train_steps,
        episodes=self._recorder.episodes,
        mean_return=self._recorder.mean_return(records.WINDOW),
        minutes=minutes,
        evaluation=result,
        policy=policy,
        plot=self._plot(),
        workdir=self._paths.path,
    )

  def _restore(self, progress: progress_lib.Progress) -> float:
    """Goes back to the last checkpoint; returns the seconds until then."""
    state = self._store.restore()
    if state is None:
      return 0.0
    self._learner.restore(state)
    self._recorder.restore(state)
    progress.note(
        f'going on from step {self._recorder.environment_steps:,}'
        f' of {self._paths.path}'
    )
    return state['seconds']

  def _stop_reason(self) -> Optional[schedule.StopReason]:
    if self._interrupted.requested:
      return schedule.StopReason.INTERRUPTED
    minutes = self._monitor.seconds() / 60
    return schedule.stop_reason(self._recorder, minutes, self._config)

  def _train_is_due(self) -> bool:
    """Returns whether the train ratio asks for another train step."""
    steps = self._recorder.environment_steps
    due = schedule.train_steps_after(steps, self._config)
    return self._learner.train_steps < due

  def _train_step(self) -> None:
    if self._compiled:
      self._learner.train()
      return
    self._monitor.note('compiling the train step, which takes a while')
    self._learner.train()
    self._monitor.restart_rates()  # Compiling says nothing about the speed.
    self._compiled = True

  def _save(self) -> None:
    """Writes a record and then a checkpoint, which so holds nothing newer."""
    self._monitor.log()
    self._store.save(
        self._recorder.environment_steps,
        {
            **self._learner.state(),
            **self._recorder.state(),
            **self._monitor.state(),
        },
    )
    self._saved = time.monotonic()

  def _save_or_go_on(self) -> None:
    try:
      self._save()
    except errors.RunError as error:
      self._monitor.note(f'the run goes on, but {error}')
      self._saved = time.monotonic()

  def _evaluate(self, policy: pathlib.Path) -> Optional[evaluation.Evaluation]:
    count = self._config.evaluation_episodes
    if not count:
      return None
    self._monitor.note(f'evaluating the greedy policy for {count} episodes')
    return evaluation.evaluate(
        policy,
        count,
        load=self._parts.load,
        stop=lambda: self._interrupted.requested,
    )

  def _plot(self) -> Optional[pathlib.Path]:
    if not self._recorder.episodes:
      return None
    path = self._paths.plots / 'learning_curve.png'
    learning_curve.plot({self._config.task: self._paths.metrics}, path)
    return path


def _check_memory(
    config: run_config.RunConfig, parts: parts_lib.RunParts
) -> str:
  """Refuses a replay that does not fit; returns a line that says how it does.

  One environment, which is closed again, tells how large a step is.
  """
  with contextlib.closing(
      parts.load(config.task, config.seed, config.environment)
  ) as environment:
    time_step = environment.time_step_spec()
    action = policy_step.PolicyStep(environment.action_spec())
  data_spec = tensor_spec.from_spec(
      trajectory.from_transition(time_step, action, time_step)
  )
  size = parts.replay.size_of(
      data_spec, config.parallel_environments, config.replay.capacity
  )
  return memory.check(size)


def _seed(seed: int, step: int) -> int:
  """Returns the seed of a start of the run that goes on from `step`.

  A run that goes on must not live through the episodes of its beginning again.
  """
  state = np.random.SeedSequence([seed, step]).generate_state(1)
  return int(state[0]) % 2**31
