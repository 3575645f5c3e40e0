"""The role that acts: environments and a policy, at a server's address.

It asks the server what it is for, waits for the first weights, and from then on
steps its environments, writes sequences, and takes in new weights now and then.
It keeps nothing: if it dies, the sequences that were not finished are lost.
"""

import contextlib
import time
from typing import Optional
import uuid

import numpy as np
import reverb
import tensorflow as tf
from tf_agents.specs import tensor_spec

from r2i_tf import errors
from r2i_tf import quiet
from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf.agents import acting
from r2i_tf.replay.reverb import connection
from r2i_tf.replay.reverb import identity as identity_lib
from r2i_tf.replay.reverb import reports
from r2i_tf.replay.reverb import weights
from r2i_tf.replay.reverb import writing
from r2i_tf.roles import setup
from r2i_tf.training import collector as collector_lib
from r2i_tf.training import interruption
from r2i_tf.training import parts as parts_lib

_PAUSE = 0.2
_REPORT_SECONDS = 1.0
_KNOCK_SECONDS = 1.0  # Between two knocks while the server takes nothing.


def collect(
    address: str,
    environments: Optional[int] = None,
    seed: Optional[int] = None,
    connect_seconds: float = 60.0,
    parts: parts_lib.RunParts = parts_lib.R2I_PARTS,
) -> None:
  """Collects until SIGTERM or Ctrl-C.

  Args:
    address: Of the replay server.
    environments: How many to step; None for the run's parallel_environments.
    seed: Of environments and policy; None draws one, so that no two collectors
      live through the same.
    connect_seconds: How long to wait at the start for a server to listen.
    parts: The parts of the run.

  Raises:
    errors.RunError: There is no such server, or it is for something else.
    schema.ConfigError: The server's configuration is of another version.
  """
  connection.check_address(address)
  with contextlib.ExitStack() as stack:
    interrupted = stack.enter_context(interruption.Interruption())

    def stop() -> bool:
      return interrupted.requested

    try:
      identity = connection.join(address, stop, connect_seconds)
    except connection.ServerGoneError:
      return  # Asked to stop.
    _Collector(address, identity, environments, seed, stop, parts, stack).loop()


class _Collector:
  """The state of `collect`."""

  def __init__(
      self,
      address: str,
      identity: identity_lib.Identity,
      environments: Optional[int],
      seed: Optional[int],
      stop: setup.Stop,
      parts: parts_lib.RunParts,
      stack: contextlib.ExitStack,
  ):
    self._address = address
    self._stop = stop
    self._config = config = schema.from_mapping(
        run_config.RunConfig, identity.config
    )
    if seed is None:
      seed = int(np.random.SeedSequence().generate_state(1)[0]) % 2**31
    tf.keras.utils.set_random_seed(seed)
    quiet.first_compilation()
    count = environments or config.parallel_environments
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
    data_spec = setup.data_spec(environment)
    self._identity = setup.identity(config, data_spec)
    identity_lib.check_same(identity, self._identity, address, setup.SHARED)
    policy = acting.collect_policy(
        tensor_spec.from_spec(environment.time_step_spec()),
        tensor_spec.from_spec(environment.action_spec()),
        config.agent,
    )
    self._variables = policy.acting_variables
    self._writer = stack.enter_context(
        contextlib.closing(
            writing.SequenceWriter(
                address, data_spec, count, setup.settings(config), seed
            )
        )
    )
    self._collector = collector_lib.Collector(
        environment, policy, [self._writer.add], config.collect_steps
    )
    self._recorder = self._collector.recorder
    self._client: Optional[reverb.Client] = reverb.Client(address)
    self._name = uuid.uuid4().hex
    self._reports = 0
    self._unsent: list[float] = []
    self._pulled = self._reported = -np.inf
    self._weights_step = -1

  def loop(self) -> None:
    """Collects until it is to stop, through outages of the server."""
    lost = False
    while not self._stop():
      try:
        if lost:
          self._go_on()
          lost = False
        self._collect()
      except connection.ServerGoneError as error:
        lost = True
        if connection.is_open(self._address):
          setup.note(f'the replay server broke off: {errors.first_line(error)}')
          time.sleep(_PAUSE)
        else:
          self._wait_for_server()

  def _collect(self) -> None:
    """Collects until it is to stop.

    Raises:
      connection.ServerGoneError: The server is gone.
    """
    self._wait_for_weights()
    while not self._stop():
      self._collector.collect()
      self._exchange()
      knocked = time.monotonic()
      # While the rate limiter holds collectors back, this is where they wait.
      while not self._writer.settle() and not self._stop():
        self._exchange()
        if time.monotonic() - knocked >= _KNOCK_SECONDS:
          if not connection.is_open(self._address):
            raise connection.ServerGoneError('nothing listens any more')
          knocked = time.monotonic()
    with contextlib.suppress(connection.ServerGoneError):
      self._report()

  def _wait_for_weights(self) -> None:
    """Pulls the first weights, or those of now after an outage."""
    waiting = False
    while not self._stop():
      client = self._connected()
      if connection.call(weights.are_there, client):
        self._pull()
        return
      if not waiting:
        setup.note(
            'waiting for the first weights: the table of weights of the replay'
            f' server at {self._address} is empty until a learner (r2i-train'
            ' --config.replay.kind=reverb) has started'
        )
        waiting = True
      time.sleep(_PAUSE)

  def _exchange(self) -> None:
    """Reports, and takes in new weights, when it is time."""
    now = time.monotonic()
    if now - self._reported >= _REPORT_SECONDS:
      self._report()
    if now - self._pulled >= self._config.roles.weights_seconds:
      self._pull()

  def _pull(self) -> None:
    client = self._connected()
    step = connection.call(weights.pull, client, self._variables)
    if self._weights_step < 0:
      setup.note(
          f'collecting {self._config.task} with the weights of train step'
          f' {step:,}'
      )
    self._weights_step = step
    self._pulled = time.monotonic()

  def _report(self) -> None:
    finished = self._recorder.take_finished()
    self._unsent += [episode.episode_return for episode in finished]
    self._reports += 1
    report = reports.Report(
        collector=self._name,
        number=self._reports,
        environment_steps=self._recorder.environment_steps,
        episodes=self._recorder.episodes,
        restarts=self._recorder.restarts,
        returns=tuple(self._unsent),
    )
    client = self._connected()
    connection.call(reports.push, client, report)
    self._unsent = []
    self._reported = time.monotonic()

  def _connected(self) -> reverb.Client:
    if self._client is None:
      self._client = reverb.Client(self._address)
    return self._client

  def _wait_for_server(self) -> None:
    # All that is open is closed: see `connection`.
    self._client = None
    self._writer.close()
    setup.note(f'the replay server at {self._address} is gone; waiting for it')
    if connection.wait_until_open(self._address, self._stop):
      setup.note(f'the replay server at {self._address} is back')

  def _go_on(self) -> None:
    """Begins anew with the server, if it is the same."""
    self._client = None
    found = connection.read_identity(self._address)
    identity_lib.check_same(found, self._identity, self._address, setup.SHARED)
    self._writer.reopen()
