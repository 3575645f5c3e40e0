"""The replay server: Reverb's, with its checkpoints and its port."""

import pathlib
import shutil
from typing import Any

import reverb

from r2i_tf import errors
from r2i_tf.replay.reverb import connection
from r2i_tf.replay.reverb import identity as identity_lib
from r2i_tf.replay.reverb import tables

_CHECKPOINT_SECONDS = 600.0


class ReplayServer:
  """Listens on all interfaces of the machine until it is closed.

  Attributes:
    sequences: Sequences that came with the checkpoint.
  """

  def __init__(
      self,
      identity: identity_lib.Identity,
      settings: tables.Settings,
      data_spec: Any,
      port: int,
      directory: pathlib.Path,
  ):
    """Starts the server, from its last checkpoint where there is one.

    Args:
      identity: What it is for.
      settings: Of the experience.
      data_spec: A nest of tensor specs, of one step.
      port: One that is free: Reverb starts without an error, and is never
        reached, where another server has it.
      directory: Of the checkpoints.

    Raises:
      errors.RunError: The checkpoint is of other settings or cannot be read.
    """
    self._address = f'localhost:{port}'
    self._directory = directory
    directory.mkdir(parents=True, exist_ok=True)
    try:
      self._server = reverb.Server(
          tables.create(settings, data_spec),
          port,
          reverb.checkpointers.DefaultCheckpointer(str(directory)),
      )
    except (RuntimeError, ValueError) as error:
      raise errors.RunError(
          f'the replay server cannot start from {directory}:'
          f' {str(error).strip().splitlines()[0]}; remove that directory to'
          ' begin with no experience.'
      ) from error
    try:
      self._client = reverb.Client(self._address)
      info = self._client.server_info(timeout=10)
      self.sequences = info[tables.EXPERIENCE].current_size
      self._check(identity, settings, info)
    except BaseException:
      self.close()
      raise

  def _check(
      self,
      identity: identity_lib.Identity,
      settings: tables.Settings,
      info: Any,
  ) -> None:
    """Publishes the identity, unless a checkpoint holds another one."""
    if info[tables.IDENTITY].current_size:
      found = identity_lib.Identity.from_json(
          connection.read_text(self._client, tables.IDENTITY), self._address
      )
      for name in ('task', 'specs', 'sequence_length', 'stride'):
        before, now = getattr(found, name), getattr(identity, name)
        if before != now:
          raise errors.RunError(
              f'the checkpoint in {self._directory} has the {name} {before!r},'
              f' but this server is for {now!r}: use the old value or another'
              ' --workdir.'
          )
      for name, was, is_now in tables.differences(
          settings, info[tables.EXPERIENCE]
      ):
        raise errors.RunError(
            f'the checkpoint in {self._directory} brings its settings with it,'
            f' and {name} are {was:g} there and {is_now:g} here: use the old'
            ' configuration or another --workdir.'
        )
    connection.write_text(self._client, tables.IDENTITY, identity.to_json())

  def size(self) -> int:
    """Returns how many sequences it holds."""
    return self._client.server_info(timeout=10)[tables.EXPERIENCE].current_size

  def save(self) -> None:
    """Writes a checkpoint; only then removes the ones before it.

    Raises:
      errors.RunError: It could not be written.
    """
    try:
      path = pathlib.Path(
          connection.call(self._client.checkpoint, seconds=_CHECKPOINT_SECONDS)
      )
    except connection.ServerGoneError as error:
      raise errors.RunError(
          f"the replay server's checkpoint could not be written to"
          f' {self._directory}: {str(error).strip().splitlines()[0]}.'
      ) from error
    for other in self._directory.iterdir():
      if other.is_dir() and other.name < path.name:
        shutil.rmtree(other, ignore_errors=True)

  def close(self) -> None:
    """Stops listening."""
    self._server.stop()
