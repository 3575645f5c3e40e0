"""The role that keeps the experience: a Reverb server and its checkpoints."""

import contextlib
import socket
import time

from r2i_tf import errors
from r2i_tf import locks
from r2i_tf import run_config
from r2i_tf.replay.reverb import server as server_lib
from r2i_tf.roles import ports
from r2i_tf.roles import setup
from r2i_tf.training import interruption
from r2i_tf.training import parts as parts_lib
from r2i_tf.training import workdir as workdir_lib

_PAUSE = 0.2  # Between two looks at the clock and at signals.


def serve(
    config: run_config.RunConfig,
    workdir: str,
    port: int,
    parts: parts_lib.RunParts = parts_lib.R2I_PARTS,
) -> None:
  """Serves until SIGTERM or Ctrl-C, and then writes a checkpoint.

  Args:
    config: The run.
    workdir: Directory of the server; it goes on from a checkpoint there.
    port: The port; 0 for any that is free.
    parts: The parts of the run.

  Raises:
    errors.RunError: It cannot start, or another has its directory, or it
      cannot write its last checkpoint.
  """
  settings = setup.settings(config)
  paths = workdir_lib.Workdir(workdir)
  paths.check_writable()
  with contextlib.closing(
      parts.load(config.task, config.seed, config.environment)
  ) as environment:
    data_spec = setup.data_spec(environment)
  directory = paths.replay
  # Not that of the directory itself, in which a learner may be at home.
  lock = locks.Lock(
      paths.path / '.server.lock',
      f'--workdir {paths.path} is that of a replay server in',
      'stop that one first, or use another --workdir',
  )
  with lock, interruption.Interruption() as interrupted:
    port = ports.free_port(port)
    # Before Reverb's own lines: it is the first that is to be known.
    setup.note(
        f'the replay server listens on port {port} of all interfaces of'
        f' {socket.gethostname()}, without authentication: let it be reached'
        ' from a private network only'
    )
    server = server_lib.ReplayServer(
        setup.identity(config, data_spec), settings, data_spec, port, directory
    )
    with contextlib.closing(server):
      setup.note(
          f'it keeps {settings.capacity:,} sequences of'
          f' {settings.sequence_length:,} steps, one for each'
          f' {settings.stride:,} steps, samples each'
          f' {settings.samples_per_insert:g} times, and has'
          f' {server.sequences:,} of them from its last checkpoint'
      )
      saved = time.monotonic()
      while not interrupted.requested:
        time.sleep(_PAUSE)
        if time.monotonic() - saved >= config.checkpoint_seconds:
          try:
            server.save()
          except errors.RunError as error:
            setup.note(f'the server goes on, but {error}')
          saved = time.monotonic()
      server.save()
      setup.note(f'saved {server.size():,} sequences to {directory}')
