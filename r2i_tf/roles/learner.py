"""The role that trains: batches from the server, weights back to it.

It keeps the run: record, checkpoints, exported policies, all in its --workdir,
and ends it. The experience is the server's own business; so is the ratio of
replayed to collected steps, which the server's rate limiter keeps. The learner
takes a train step whenever there is a batch.

Under a strategy of several hosts each reads its own batches and trains with the
others; the first, the chief, does all the rest.
"""

import contextlib
import functools
import time
from typing import Optional

import tensorflow as tf
from tf_agents.specs import tensor_spec

from r2i_tf import errors
from r2i_tf import quiet
from r2i_tf import run_config
from r2i_tf.record import metrics
from r2i_tf.record import progress as progress_lib
from r2i_tf.replay.reverb import connection
from r2i_tf.replay.reverb import identity as identity_lib
from r2i_tf.replay.reverb import reading
from r2i_tf.roles import counts as counts_lib
from r2i_tf.roles import deadline
from r2i_tf.roles import publishing
from r2i_tf.roles import setup
from r2i_tf.training import checkpoints
from r2i_tf.training import ending
from r2i_tf.training import forecasts as forecasts_lib
from r2i_tf.training import hosts as hosts_lib
from r2i_tf.training import interruption
from r2i_tf.training import learner as learner_lib
from r2i_tf.training import monitor as monitor_lib
from r2i_tf.training import parts as parts_lib
from r2i_tf.training import reporting as reporting_lib
from r2i_tf.training import saving as saving_lib
from r2i_tf.training import schedule
from r2i_tf.training import sequences
from r2i_tf.training import strategies
from r2i_tf.training import workdir as workdir_lib

_PAUSE = 0.002  # While there is no batch.
_STOP_SECONDS = 20.0


def train(
    config: run_config.RunConfig,
    workdir: str,
    address: str,
    connect_seconds: float = 60.0,
    parts: parts_lib.RunParts = parts_lib.R2I_PARTS,
    strategy: Optional[tf.distribute.Strategy] = None,
) -> Optional[ending.Summary]:
  """Conducts the run, or the rest of it, and returns its outcome.

  Args:
    config: The run.
    workdir: Its directory; a run that is in it goes on.
    address: Of the replay server.
    connect_seconds: How long to wait at the start for a server to listen.
    parts: The parts of the run.
    strategy: Where its replicas are; None for one device.

  Returns:
    The summary; None if it was asked to stop while it waited for a server.

  Raises:
    errors.RunError: The directory is not for this run, or another is in it,
      there is no such server or it is for something else, replicas do not
      divide the batch, or a host is gone.
  """
  connection.check_address(address)
  strategy = strategy or tf.distribute.get_strategy()
  hosts = hosts_lib.Hosts(strategy)
  paths = workdir_lib.Workdir(workdir).of_host(hosts.index)
  with contextlib.ExitStack() as stack:
    stack.enter_context(paths.held(config))
    interrupted = stack.enter_context(interruption.Interruption())
    limit = stack.enter_context(deadline.Deadline(_STOP_SECONDS))
    try:
      with limit.expendable('the run was set up'):
        learning = _Learning(
            config,
            paths,
            address,
            connect_seconds,
            parts,
            interrupted,
            stack,
            strategy,
            hosts,
            limit,
        )
    except _StoppedError:
      return None
    with hosts.watched():
      summary = learning.finish(learning.loop())
  return summary


class _StoppedError(Exception):
  """Asked to stop before there was a server."""


class _Learning:
  """The state of `train`."""

  def __init__(
      self,
      config: run_config.RunConfig,
      paths: workdir_lib.Workdir,
      address: str,
      connect_seconds: float,
      parts: parts_lib.RunParts,
      interrupted: interruption.Interruption,
      stack: contextlib.ExitStack,
      strategy: tf.distribute.Strategy,
      hosts: hosts_lib.Hosts,
      limit: deadline.Deadline,
  ):
    batch_size = strategies.check_batch(config.replay.batch_size, strategy)
    replicas = strategy.num_replicas_in_sync // hosts.count
    self._hosts = hosts
    self._config = config
    self._paths = paths
    self._interrupted = interrupted
    self._limit = limit
    progress = stack.enter_context(
        contextlib.closing(progress_lib.Progress(config.steps))
    )
    # One that takes no step: for its specs, here and in the export.
    environment = stack.enter_context(
        contextlib.closing(
            parts.load(config.task, config.seed, config.environment)
        )
    )
    data_spec = setup.data_spec(environment)
    own = setup.identity(config, data_spec)
    _check_server(address, own, lambda: interrupted.requested, connect_seconds)
    tf.keras.utils.set_random_seed(config.seed)
    quiet.first_compilation()
    with strategy.scope():
      self._agent = parts.build_agent(
          tensor_spec.from_spec(environment.time_step_spec()),
          tensor_spec.from_spec(environment.action_spec()),
          config,
          learner_lib.train_step_counter(),
      )
    self._counts = counts_lib.RemoteCounts()
    self._reader = stack.enter_context(
        reading.BatchReader(
            address,
            data_spec,
            config.replay.sequence_length,
            batch_size,
            replicas * config.train_steps_per_call,
            progress.note,
        )
    )
    self._learner = learner_lib.Learner(
        self._agent,
        self._reader.dataset(),
        strategy,
        config.train_steps_per_call,
    )
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
    if not checkpoints.checkpoints_in(paths.checkpoints):
      self._ending.try_export()  # One that goes on has passed.
    keep = functools.partial(paths.keep, config, progress.note)
    trackables = self._learner.trackables()
    store = checkpoints.CheckpointStore(
        paths.checkpoints, trackables, progress.note
    )
    seconds = self._restore(store, progress) if hosts.is_chief else 0.0
    self._learner.train_steps = hosts.of_chief(self._learner.train_steps)
    hosts.take_from_chief(trackables)
    paths.create(config)
    writer = stack.enter_context(
        contextlib.closing(
            metrics.MetricsWriter(
                paths.metrics,
                paths.tensorboard,
                self._counts.environment_steps,
                self._learner.train_steps,
                keep,
            )
        )
    )
    draw = self._draw()
    self._monitor = monitor_lib.Monitor(
        config,
        self._counts,
        self._learner,
        writer,
        progress,
        seconds,
        forecasts_lib.create(self._agent, draw, progress.note),
    )
    self._reporting = reporting_lib.Reporting(
        self._agent,
        draw,
        paths.look,
        writer,
        keep,
        progress.note,
        config.report_seconds,
        self._learner.train_steps,
    )
    self._saving = saving_lib.Saving(
        config.checkpoint_seconds, store, self._monitor, keep
    )
    self._publisher: Optional[publishing.Publisher] = None
    if hosts.is_chief:
      self._publisher = stack.enter_context(
          contextlib.closing(
              publishing.Publisher(
                  address,
                  self._agent.collect_policy.acting_variables,
                  self._counts,
                  config.roles.weights_seconds,
                  lambda: _check_again(address, own),
              )
          )
      )
    self._exported = time.monotonic()
    self._compiled = False

  def loop(self) -> schedule.StopReason:
    """Trains, saves at the end, and returns why it stopped."""
    while True:
      self._exchange()
      stopped, is_ready = self._agree()
      if stopped is not None:
        break
      if not is_ready:
        time.sleep(_PAUSE)
      elif self._compiled:
        self._learner.train()
      else:
        self._monitor.note('compiling the train step, which takes a while')
        with self._limit.expendable('the train step was compiled'):
          self._learner.train()
        self._monitor.restart_rates()  # Compiling says nothing of the speed.
        self._compiled = True
      if not self._hosts.is_chief:
        continue
      self._monitor.show()
      self._reporting.look_if_due(*self._now())
      if self._saving.is_due():
        self._save()
      unexported = time.monotonic() - self._exported
      if unexported >= self._config.roles.export_seconds:
        self._save()  # Exporting may be broken off.
        with self._limit.expendable('the policies were exported'):
          self._export()
    if self._hosts.is_chief:
      self._save()
      if stopped != schedule.StopReason.INTERRUPTED:
        self._reporting.look(*self._now())
    return stopped

  def finish(self, stopped: schedule.StopReason) -> ending.Summary:
    """Exports and evaluates, unless the run was asked to stop.

    Args:
      stopped: What `loop` has returned.
    """
    with self._limit.expendable('the end of the run was written'):
      return self._ending.finish(
          stopped,
          self._counts,
          self._learner.train_steps,
          self._monitor.seconds(),
          self._counts.episodes > 0,
          self._saving.failures(),
      )

  def _draw(self) -> Optional[sequences.Draw]:
    """Returns what draws sequences to look at the agent's world model with.

    Returns:
      None on a host that does not look, or if the agent has no such model here.
    """
    if not sequences.are_wanted(self._agent, self._learner, self._hosts):
      return None
    batches = iter(self._reader.dataset())

    def draw() -> Optional[sequences.Drawn]:
      if not self._reader.is_ready():
        return None
      # A server holds nothing out.
      return sequences.Drawn(next(batches), held_out=False)

    return draw

  def _restore(
      self,
      store: checkpoints.CheckpointStore,
      progress: progress_lib.Progress,
  ) -> float:
    """Goes back to the last checkpoint; returns the seconds until then."""
    state = store.restore()
    if state is None:
      return 0.0
    self._learner.restore(state)
    self._counts.restore(state)
    progress.note(
        f'going on from train step {self._learner.train_steps:,} of'
        f' {self._paths.path}'
    )
    return state['seconds']

  def _exchange(self) -> None:
    """Gives weights to the server and takes reports from it, if it is time."""
    if self._publisher is None:
      return
    try:
      self._publisher.exchange(self._learner.train_steps)
    except errors.RunError:
      self._save()
      raise

  def _agree(self) -> tuple[Optional[schedule.StopReason], bool]:
    """Returns why all hosts stop now, and whether all have their batches."""
    reasons = list(schedule.StopReason)
    reason = self._stop_reason() if self._hosts.is_chief else None
    number = 0 if reason is None else 1 + reasons.index(reason)
    requested, agreed, waiting = self._hosts.add(
        [self._interrupted.requested, number, not self._reader.is_ready()]
    )
    if requested:
      return schedule.StopReason.INTERRUPTED, False
    return (reasons[round(agreed) - 1] if agreed else None), not waiting

  def _now(self) -> tuple[int, int]:
    """Returns environment and train steps."""
    return self._counts.environment_steps, self._learner.train_steps

  def _stop_reason(self) -> Optional[schedule.StopReason]:
    minutes = self._monitor.seconds() / 60
    return schedule.stop_reason(self._counts, minutes, self._config)

  def _save(self) -> None:
    self._saving.save(
        # Not by environment steps: collectors may rest while this one trains.
        [self._learner.train_steps],
        {
            **self._learner.state(),
            **self._counts.state(),
        },
    )

  def _export(self) -> None:
    try:
      self._ending.export()
    except errors.RunError as error:
      self._monitor.note(f'the run goes on, but {error}')
    self._exported = time.monotonic()


def _check_server(
    address: str,
    own: identity_lib.Identity,
    stop: setup.Stop,
    seconds: float,
) -> None:
  """Waits for the server, and refuses one that is for something else."""
  try:
    found = connection.join(address, stop, seconds)
  except connection.ServerGoneError:
    raise _StoppedError from None
  identity_lib.check_same(found, own, address, setup.SHARED)


def _check_again(address: str, own: identity_lib.Identity) -> None:
  """Refuses a server that has come back as another; it may be gone again."""
  found = connection.read_identity(address)
  identity_lib.check_same(found, own, address, setup.SHARED)
