"""A training run from start, or from where it stopped, to its end.

  check everything -> build -> restore -> collect and train -> save -> export

With a strategy of several hosts, each conducts the run on its share of the
environments and of the replay (`hosts`).

`train` is the way in, of the command line and of programs of one's own.
"""

from collections.abc import Mapping
import contextlib
import functools
import math
from typing import Any, Optional, Union

import tensorflow as tf
from tf_agents.specs import tensor_spec

from r2i_tf import quiet
from r2i_tf import replay as replay_lib
from r2i_tf import run_config
from r2i_tf.agents import acting
from r2i_tf.agents import r2i_policy
from r2i_tf.record import metrics
from r2i_tf.record import progress as progress_lib
from r2i_tf.replay import room
from r2i_tf.replay import sampling
from r2i_tf.training import checkpoints
from r2i_tf.training import collector as collector_lib
from r2i_tf.training import ending
from r2i_tf.training import forecasts as forecasts_lib
from r2i_tf.training import hosts as hosts_lib
from r2i_tf.training import interruption
from r2i_tf.training import learner as learner_lib
from r2i_tf.training import monitor as monitor_lib
from r2i_tf.training import overlapped
from r2i_tf.training import parts as parts_lib
from r2i_tf.training import reporting as reporting_lib
from r2i_tf.training import saving as saving_lib
from r2i_tf.training import schedule
from r2i_tf.training import seeds
from r2i_tf.training import sequences
from r2i_tf.training import strategies
from r2i_tf.training import workdir as workdir_lib

# In the counters of a checkpoint: how many hosts there were, and their sums.
_HOSTS, _TOTAL = 'hosts', 'total'


def train(
    config: run_config.RunConfig,
    workdir: str,
    parts: parts_lib.RunParts = parts_lib.R2I_PARTS,
    strategy: Optional[tf.distribute.Strategy] = None,
) -> ending.Summary:
  """Conducts the run, or the rest of it, and returns its outcome.

  Args:
    config: The run.
    workdir: Its directory; if it holds a run, that one goes on.
    parts: Agent, environments and replay.
    strategy: Where the learner's replicas are; None for one device.

  Returns:
    The summary; everything else is under `workdir`. The hosts of a strategy
    but the first have a directory of their own there, `hosts/<number>`.

  Raises:
    errors.RunError: `workdir` cannot be used, or another run is in it, the
      replay is too large or its disk is full, hosts or replicas do not divide
      what they share, or a host is gone.
    environments.UnknownTaskError: There is no such task.
    specs.UnsupportedSpecError: The agent cannot act in it.
    environments.FaultyEnvironmentError: An environment raised, or broke its
      specs. The run can go on from its last checkpoint.
    environments.CrashedEnvironmentError: One of a pool crashed once more than
      it is restarted. The same holds.
  """
  strategy = strategy or tf.distribute.get_strategy()
  hosts = hosts_lib.Hosts(strategy)
  paths = workdir_lib.Workdir(workdir).of_host(hosts.index)
  # Closes, at the end or where the set-up fails, all that has been opened.
  with contextlib.ExitStack() as stack:
    stack.enter_context(paths.held(config))
    interrupted = stack.enter_context(interruption.Interruption())
    run = _Run(config, paths, parts, interrupted, stack, strategy, hosts)
    with hosts.watched(), run.replay.raising():
      stopped = run.loop()
    with hosts.watched():
      summary = run.finish(stopped)
  return summary


class _Run:
  """The state of `train`: its parts and its files.

  Attributes:
    replay: Of the run.
  """

  def __init__(
      self,
      config: run_config.RunConfig,
      paths: workdir_lib.Workdir,
      parts: parts_lib.RunParts,
      interrupted: interruption.Interruption,
      stack: contextlib.ExitStack,
      strategy: tf.distribute.Strategy,
      hosts: hosts_lib.Hosts,
  ):
    batch_size = strategies.check_batch(config.replay.batch_size, strategy)
    count = hosts.share('parallel_environments', config.parallel_environments)
    capacity = hosts.share('replay.capacity', config.replay.capacity)
    self._config = config
    self._hosts = hosts
    self._paths = paths
    self._interrupted = interrupted
    progress = stack.enter_context(
        contextlib.closing(progress_lib.Progress(config.steps))
    )
    # First of all: the rest takes minutes and gigabytes of its own.
    replay_class = parts.replay_class(config)
    size = parts.replay_size(config, count, capacity)
    progress.note(room.check(size, paths.replay))
    newest = checkpoints.checkpoints_in(paths.checkpoints)
    step = checkpoints.step_of(newest[-1]) if newest else 0
    seed = seeds.of_start(config.seed, step, hosts.index)
    # Keras draws initial weights from Python's own generator: all are seeded.
    tf.keras.utils.set_random_seed(seed)
    quiet.first_compilation()
    self._part = replay_lib.Part.ALL
    if config.replay.held_out:
      self._part = replay_lib.Part.TRAINED
    environment = stack.enter_context(
        contextlib.closing(
            parts.load_batch(
                config.task,
                seed,
                count,
                config.environment,
                config.pool if config.environment_processes else None,
            )
        )
    )
    with strategy.scope():
      self._agent = parts.build_agent(
          tensor_spec.from_spec(environment.time_step_spec()),
          tensor_spec.from_spec(environment.action_spec()),
          config,
          learner_lib.train_step_counter(),
      )
    replay = replay_class(
        self._agent.collect_data_spec, count, capacity, paths.replay
    )
    replay.report = progress.note
    self.replay = replay
    policy = self._agent.collect_policy
    self._host_copy: Optional[acting.HostCopy] = None
    if strategies.is_remote(strategy) and isinstance(
        policy, r2i_policy.R2IPolicy
    ):
      self._host_copy = acting.HostCopy(policy, config.agent)
      # Where a program would be put beside a TPU, no test has shown.
      policy = self._host_copy.policy.plain()
    collector: type[
        Union[collector_lib.Collector, overlapped.OverlappedCollector]
    ] = collector_lib.Collector
    if config.collect_while_training:
      collector = overlapped.OverlappedCollector
    self._collector = collector(
        environment,
        policy,
        [replay.add],
        config.collect_steps,
    )
    self._recorder = self._collector.recorder
    self._learner = learner_lib.Learner(
        self._agent,
        replay.sample(
            batch_size,
            config.replay.sequence_length,
            sampling.Sampling(
                seed,
                config.replay.episode_starts,
                config.replay.whole_episodes,
                self._part,
            ),
        ),
        strategy,
        config.train_steps_per_call,
    )
    self._learner.trace()
    self._ending = ending.Ending(
        config,
        paths,
        parts,
        self._agent,
        environment,
        hosts,
        interrupted,
        progress.note,
    )
    if not newest:  # One that goes on has passed.
      self._ending.try_export()
    keep = functools.partial(paths.keep, config, progress.note)
    trackables = self._learner.trackables()
    store = checkpoints.CheckpointStore(
        paths.checkpoints,
        trackables if hosts.is_chief else {},
        progress.note,
        [replay],
    )
    seconds, lost = self._restore(store, progress)
    hosts.take_from_chief(trackables)
    paths.create(config)
    self._agreement = hosts_lib.Agreement(
        hosts, self._recorder, lost + math.ceil(config.prefill / hosts.count)
    )
    self._agree(seconds, save_is_due=False)
    self._update_copy()
    writer = stack.enter_context(
        contextlib.closing(
            metrics.MetricsWriter(
                paths.metrics,
                paths.tensorboard,
                self._recorder.environment_steps,
                self._learner.train_steps,
                keep,
            )
        )
    )
    self._monitor = monitor_lib.Monitor(
        config,
        self._agreement,
        self._learner,
        writer,
        progress,
        seconds,
        forecasts_lib.create(self._agent, self._draw(seed + 1), progress.note),
    )
    self._saving = saving_lib.Saving(
        config.checkpoint_seconds, store, self._monitor, keep
    )
    self._reporting = reporting_lib.Reporting(
        self._agent,
        # Apart from those of the record, which repeat whenever this one looks.
        self._draw(seed + 2),
        paths.look,
        writer,
        keep,
        progress.note,
        config.report_seconds,
        self._learner.train_steps,
    )
    self._compiled = False
    self._stretch = schedule.Stretch()

  def loop(self) -> schedule.StopReason:
    """Collects and trains, saves at the end, and returns why it stopped."""
    while True:
      self._agree(self._monitor.seconds(), self._saving.is_due())
      self._train()
      self._monitor.show()
      self._reporting.look_if_due(*self._counts())
      if self._agreement.save_is_due:
        self._save()
      stopped = self._stop_reason()
      if stopped is not None:
        break
      if not self._train_is_due():
        self._collector.collect()
    self._save()
    if stopped != schedule.StopReason.INTERRUPTED:
      self._reporting.look(*self._counts())
    return stopped

  def finish(self, stopped: schedule.StopReason) -> ending.Summary:
    """Exports and evaluates, unless the run was asked to stop."""
    return self._ending.finish(
        stopped,
        self._agreement,
        self._learner.train_steps,
        self._monitor.seconds(),
        self._recorder.episodes > 0,
        self._saving.failures(),
    )

  def _draw(self, seed: int) -> Optional[sequences.Draw]:
    """Returns what draws sequences to look at the agent's world model with.

    Args:
      seed: Of the draws.

    Returns:
      None on a host that does not look, or if the agent has no such model here.
    """
    if not sequences.are_wanted(self._agent, self._learner, self._hosts):
      return None
    return sequences.from_replay(self.replay, self._config.replay, seed)

  def _restore(
      self,
      store: checkpoints.CheckpointStore,
      progress: progress_lib.Progress,
  ) -> tuple[float, int]:
    """Goes back to the last checkpoint.

    Args:
      store: Of the checkpoints.
      progress: Shows where the run goes on.

    Returns:
      The seconds of the run until then, and how many of its steps are not in
      the replay because it cannot be taken over.
    """
    lost = 0
    state = store.restore(with_parts=self._has_these_hosts)
    if state is not None:
      self._learner.restore(state)
      self._restore_counts(state)
      progress.note(
          f'going on from step {self._recorder.environment_steps:,}'
          f' of {self._paths.path}'
      )
      if not self._has_these_hosts(state):
        lost = self._recorder.environment_steps
        progress.note(
            f'it was a run of {state[_HOSTS]} hosts and is one of'
            f' {self._hosts.count} now: each begins with an empty replay, and'
            ' trains when it has collected the prefill again'
        )
    # Not that of another host, whose last checkpoint may be older.
    self._learner.train_steps = self._hosts.of_chief(self._learner.train_steps)
    return state['seconds'] if state else 0.0, lost

  def _restore_counts(self, state: Mapping[str, Any]) -> None:
    """Goes on from this host's counts, or else from those of all hosts."""
    if self._has_these_hosts(state):
      self._recorder.restore(state)
    elif self._hosts.is_chief:
      self._recorder.restore({**state, **state[_TOTAL]})

  def _has_these_hosts(self, state: Mapping[str, Any]) -> bool:
    return state[_HOSTS] == self._hosts.count

  def _agree(self, seconds: float, save_is_due: bool) -> None:
    requested = self._interrupted.requested
    length = self._config.replay.sequence_length
    self._agreement.renew(
        requested,
        seconds,
        save_is_due,
        self.replay.has_sequence(length, self._part),
    )

  def _is_interrupted(self) -> bool:
    """Returns whether to stop, as soon as all hosts can know of it."""
    at_once = self._hosts.count == 1 and self._interrupted.requested
    return self._agreement.interrupted or at_once

  def _stop_reason(self) -> Optional[schedule.StopReason]:
    if self._is_interrupted():
      return schedule.StopReason.INTERRUPTED
    return schedule.stop_reason(
        self._agreement,
        self._agreement.seconds / 60,
        self._config,
        self._train_is_due(),
    )

  def _train_is_due(self) -> bool:
    """Returns whether the train ratio asks for another call of the learner."""
    steps = self._agreement.environment_steps
    due = schedule.train_steps_after(steps, self._config)
    after = self._learner.train_steps + self._learner.steps_per_call
    return self._agreement.is_ready and after <= due

  def _train(self) -> None:
    """Trains until the train ratio is met, or for a stretch."""
    self._stretch.begin(self._agreement.seconds)
    trained = False
    while (
        self._train_is_due()
        and not self._is_interrupted()
        and self._stretch.take()
    ):
      self._train_step()
      trained = True
    if trained:
      self._update_copy()

  def _update_copy(self) -> None:
    if self._host_copy is not None:
      self._host_copy.update()

  def _train_step(self) -> None:
    if self._compiled:
      self._learner.train()
      return
    self._monitor.note('compiling the train step, which takes a while')
    self._learner.train()
    self._monitor.restart_rates()  # Compiling says nothing about the speed.
    self._compiled = True

  def _counts(self) -> tuple[int, int]:
    return self._agreement.environment_steps, self._learner.train_steps

  def _save(self) -> None:
    self._saving.save(
        self._counts(),
        {
            **self._learner.state(),
            **self._recorder.state(),
            _HOSTS: self._hosts.count,
            _TOTAL: {
                'environment_steps': self._agreement.environment_steps,
                'episodes': self._agreement.episodes,
            },
        },
    )
