"""A training run from start, or from where it stopped, to its end.

  check everything -> build -> restore -> collect and train -> save -> export

`train` is what `launch/train.py` calls, and what a program of one's own can
call instead.
"""

import dataclasses
import pathlib
import time
from typing import Any, Callable, Optional

import numpy as np
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment
from tf_agents.environments import tf_py_environment
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import trajectory

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import quiet
from r2i_tf import run_config
from r2i_tf.agents import r2i_agent
from r2i_tf.record import learning_curve
from r2i_tf.replay import memory
from r2i_tf.training import checkpoints
from r2i_tf.training import episodes
from r2i_tf.training import evaluation
from r2i_tf.training import export
from r2i_tf.training import interruption
from r2i_tf.training import monitor
from r2i_tf.training import schedule
from r2i_tf.training import trainer
from r2i_tf.training import workdir as workdir_lib

BuildAgent = Callable[
    [Any, Any, run_config.RunConfig, tf.Variable], tf_agent.TFAgent
]


@dataclasses.dataclass(frozen=True)
class RunParts:
  """What a run is made of, for those who bring their own.

  Attributes:
    build_agent: (time step spec, action spec, config, train step counter) to
      an agent whose variables all exist.
    load_batch: (task, seed, count, options, pool) to a batched environment, as
      `environments.load_batch`.
    load: (task, seed, options) to a single environment, for the evaluation.
  """

  build_agent: BuildAgent
  load_batch: Callable[..., py_environment.PyEnvironment]
  load: evaluation.LoadEnvironment


@dataclasses.dataclass(frozen=True)
class Summary:
  """What came of a run.

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


def _build_r2i_agent(time_step_spec, action_spec, config, train_step):
  return r2i_agent.R2IAgent(
      time_step_spec,
      action_spec,
      config=config.agent,
      seed=config.seed,
      train_step_counter=train_step,
  )


R2I_PARTS = RunParts(
    _build_r2i_agent, environments.load_batch, environments.load
)


def train(
    config: run_config.RunConfig, workdir: str, parts: RunParts = R2I_PARTS
) -> Summary:
  """Conducts the run, or the rest of it, and returns what came of it.

  Args:
    config: The run.
    workdir: Its directory; if it holds a run, that one goes on.
    parts: Agent and environments.

  Returns:
    The summary; everything else is under `workdir`.

  Raises:
    errors.RunError: `workdir` cannot be used, or the replay is too large.
    environments.UnknownTaskError: There is no such task.
    environments.UnsupportedSpecError: The agent cannot act in it.
    environments.FaultyEnvironmentError: An environment raised, or broke its
      specs. The run can go on from its last checkpoint.
    environments.CrashedEnvironmentError: One of a pool crashed once more than
      it is restarted. The same holds.
  """
  paths = workdir_lib.Workdir(workdir)
  paths.check(config)
  with interruption.Interruption() as interrupted:
    run = _Run(config, paths, parts, interrupted)
    try:
      stopped = run.loop()
      return run.finish(stopped)
    finally:
      run.close()


class _Run:
  """The state of `train`: its parts and its files."""

  def __init__(self, config, paths, parts, interrupted):
    self._config = config
    self._paths = paths
    self._parts = parts
    self._interrupted = interrupted
    newest = checkpoints.checkpoints_in(paths.checkpoints)
    seed = _seed(config.seed, int(newest[-1].name) if newest else 0)
    # Keras draws initial weights from Python's own generator: all are seeded.
    tf.keras.utils.set_random_seed(seed)
    quiet.first_compilation()
    if config.environment_processes:
      # A pool takes minutes and gigabytes of its own before the replay's turn.
      memory.check_replay(_data_spec(parts, config), config)
    self._recorder = episodes.EpisodeRecorder(
        parts.load_batch(
            config.task,
            seed,
            config.parallel_environments,
            config.environment,
            config.pool if config.environment_processes else None,
        )
    )
    environment = tf_py_environment.TFPyEnvironment(self._recorder)
    self._agent = parts.build_agent(
        environment.time_step_spec(),
        environment.action_spec(),
        config,
        tf.Variable(0, dtype=tf.int64, trainable=False, name='train_step'),
    )
    self._monitor = monitor.Monitor(config, self._recorder)
    self._monitor.note(
        memory.check_replay(self._agent.collect_data_spec, config)
    )
    self._trainer = trainer.Trainer(
        config, environment, self._recorder, self._agent
    )
    paths.create(config)
    self._store = checkpoints.CheckpointStore(
        paths.checkpoints,
        self._trainer.trackables(),
        self._monitor.note,
        [self._trainer.replay_files()],
    )
    self._restore()
    self._monitor.start(self._trainer, paths.metrics, paths.tensorboard)
    self._saved = time.monotonic()
    self._compiled = False

  def loop(self) -> schedule.StopReason:
    """Collects and trains, saves at the end, and returns why it stopped."""
    while True:
      stopped = self._stop_reason()
      if stopped is not None:
        break
      self._trainer.collect()
      while self._trainer.train_is_due() and not self._interrupted.requested:
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
          self._recorder,
          self._config.task,
          self._config.environment,
          self._paths.policies,
      )
      policy = self._paths.policies / 'greedy'
      result = self._evaluate(policy)
    return Summary(
        stopped=stopped,
        environment_steps=self._recorder.environment_steps,
        train_steps=self._trainer.train_steps,
        episodes=self._recorder.episodes,
        mean_return=self._recorder.mean_return(episodes.RECENT),
        minutes=minutes,
        evaluation=result,
        policy=policy,
        plot=self._plot(),
        workdir=self._paths.path,
    )

  def close(self) -> None:
    """Releases the terminal, the files and the environments."""
    self._monitor.close()
    self._recorder.close()

  def _restore(self) -> None:
    state = self._store.restore()
    if state is None:
      return
    self._trainer.restore(state)
    self._monitor.restore(state)
    self._monitor.note(
        f'going on from step {self._recorder.environment_steps:,}'
        f' of {self._paths.path}'
    )

  def _stop_reason(self) -> Optional[schedule.StopReason]:
    if self._interrupted.requested:
      return schedule.StopReason.INTERRUPTED
    minutes = self._monitor.seconds() / 60
    return schedule.stop_reason(self._recorder, minutes, self._config)

  def _train_step(self) -> None:
    if self._compiled:
      self._trainer.train()
      return
    self._monitor.note('compiling the train step, which takes a while')
    self._trainer.train()
    self._monitor.restart_rates()  # Compiling says nothing about the speed.
    self._compiled = True

  def _save(self) -> None:
    """Writes a record and then a checkpoint, which so holds nothing newer."""
    self._monitor.log()
    self._store.save(
        self._recorder.environment_steps,
        {**self._trainer.state(), **self._monitor.state()},
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


def _data_spec(parts: RunParts, config: run_config.RunConfig):
  """Returns what the replay keeps of a step, from one environment's specs."""
  environment = parts.load(config.task, config.seed, config.environment)
  time_step = environment.time_step_spec()
  action = policy_step.PolicyStep(environment.action_spec())
  environment.close()
  return tensor_spec.from_spec(
      trajectory.from_transition(time_step, action, time_step)
  )


def _seed(seed: int, step: int) -> int:
  """Returns the seed of a start of the run that goes on from `step`.

  A run that goes on must not live through the episodes of its beginning again.
  """
  state = np.random.SeedSequence([seed, step]).generate_state(1)
  return int(state[0]) % 2**31
