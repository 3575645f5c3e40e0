"""From the steps of a collector to sequences in a replay server.

Each stream has a writer of its own. Its steps are sent in chunks, once, and a
sequence is a reference to the chunks that it consists of. A sequence has a
fixed length, runs across the ends of episodes, and starts a fixed number of
steps after the one before it.

Fixed starts would be the same in all streams: a task whose episodes have the
length of a stride would be seen from one place only. So every stream first
drops some of its steps, a random number below the stride.
"""

from typing import Any

import numpy as np
import reverb
import tensorflow as tf

from r2i_tf.replay.reverb import connection
from r2i_tf.replay.reverb import tables

_IN_FLIGHT = 2  # Sequences of a stream that may wait for the server.
_SHORT_MS = 100  # A flush; between two of them Python runs signal handlers.


class SequenceWriter:
  """An observer for a driver of batched environments.

  `add` keeps steps and never waits. `settle` waits, where the server is slow or
  its rate limiter holds the collectors back; call it between two rounds of a
  driver.
  """

  def __init__(
      self,
      address: str,
      data_spec: Any,
      streams: int,
      settings: tables.Settings,
      seed: int,
  ):
    """Opens a writer for each stream; the server need not answer yet.

    Args:
      address: Of the server.
      data_spec: A nest of tensor specs, of one step of one stream.
      streams: How many there are.
      settings: How the experience is cut.
      seed: Of the phases.
    """
    self._address = address
    self._columns = len(tf.nest.flatten(data_spec))
    self._settings = settings
    self._streams = streams
    self._random = np.random.default_rng(seed)
    self._writers: list[reverb.TrajectoryWriter] = []
    self._skip: list[int] = []
    self._open()

  def add(self, steps: Any) -> tf.Operation:
    """Adds the next step of every stream, in a graph.

    Args:
      steps: A nest of tensors [streams, ...].
    """
    flat = tf.nest.flatten(steps)

    def append(*arrays: np.ndarray) -> np.int64:
      self.append(tf.nest.pack_sequence_as(steps, arrays))
      return np.int64(0)

    return tf.numpy_function(append, flat, tf.int64, stateful=True)

  def append(self, steps: Any) -> None:
    """Adds the next step of every stream.

    Args:
      steps: A nest of arrays [streams, ...].
    """
    flat = [np.asarray(part) for part in tf.nest.flatten(steps)]
    length, stride = self._settings.sequence_length, self._settings.stride
    for stream, writer in enumerate(self._writers):
      if self._skip[stream]:
        self._skip[stream] -= 1
        continue
      writer.append([part[stream] for part in flat])
      count = writer.episode_steps
      if count >= length and (count - length) % stride == 0:
        writer.create_item(
            tables.EXPERIENCE,
            1.0,
            [column[-length:] for column in writer.history],
        )

  def settle(self) -> bool:
    """Waits a moment; returns whether the server has all but a few sequences.

    Raises:
      connection.ServerGoneError: The server is not there any more.
    """
    try:
      for writer in self._writers:
        writer.flush(block_until_num_items=_IN_FLIGHT, timeout_ms=_SHORT_MS)
    except reverb.DeadlineExceededError:
      return False
    except RuntimeError as error:
      raise connection.ServerGoneError(str(error)) from error
    return True

  def reopen(self) -> None:
    """Drops what the server does not have, and begins new sequences."""
    self.close()
    self._open()

  def close(self) -> None:
    """Drops what the server does not have."""
    for writer in self._writers:
      writer.close()
    self._writers = []

  def _open(self) -> None:
    client = reverb.Client(self._address)
    length = self._settings.sequence_length
    for _ in range(self._streams):
      # To validate, it would ask the server, which need not be there.
      writer = client.trajectory_writer(length, validate_items=False)
      for column in range(self._columns):
        writer.configure(
            (column,),
            num_keep_alive_refs=length,
            max_chunk_length=self._settings.chunk_length,
        )
      self._writers.append(writer)
    self._skip = self._random.integers(
        self._settings.stride, size=self._streams
    ).tolist()
