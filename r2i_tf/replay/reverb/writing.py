"""From the steps of a collector to sequences in a replay server.

Each stream has a writer of its own. Its steps are sent in chunks, once, and a
sequence is a reference to the chunks that it consists of. A sequence has a
fixed length, runs across the ends of episodes, and starts a fixed number of
steps after the one before it, unless it is to start with an episode
(`streams`).

Fixed starts would be the same in all streams: a task whose episodes have the
length of a stride would be seen from one place only. So every stream first
drops some of its steps, a random number below the stride.
"""

from typing import Any

import numpy as np
import reverb
import tensorflow as tf

from r2i_tf.replay.reverb import connection
from r2i_tf.replay.reverb import streams as streams_lib
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
      data_spec: Tensor specs of one step of one stream, a trajectory.
      streams: How many there are.
      settings: How the experience is cut.
      seed: Of the phases, and of which sequences start with an episode.
    """
    self._address = address
    self._data_spec = data_spec
    self._settings = settings
    self._count = streams
    self._random = np.random.default_rng(seed)
    self._streams: list[streams_lib.Stream] = []
    self._open()

  def add(self, steps: Any) -> tf.Operation:
    """Adds the next step of every stream, in a graph.

    Args:
      steps: A trajectory of tensors [streams, ...].
    """
    flat = tf.nest.flatten(steps)

    def append(*arrays: np.ndarray) -> np.int64:
      self.append(tf.nest.pack_sequence_as(steps, arrays))
      return np.int64(0)

    return tf.numpy_function(append, flat, tf.int64, stateful=True)

  def append(self, steps: Any) -> None:
    """Adds the next step of every stream.

    Args:
      steps: A trajectory of arrays [streams, ...].
    """
    flat = [np.asarray(part) for part in tf.nest.flatten(steps)]
    step_types = np.asarray(steps.step_type)
    for index, stream in enumerate(self._streams):
      stream.append([part[index] for part in flat], step_types[index])

  def settle(self) -> bool:
    """Waits a moment; returns whether the server has all but a few sequences.

    Raises:
      connection.ServerGoneError: The server is not there any more.
    """
    try:
      for stream in self._streams:
        stream.writer.flush(
            block_until_num_items=_IN_FLIGHT, timeout_ms=_SHORT_MS
        )
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
    for stream in self._streams:
      stream.writer.close()
    self._streams = []

  def _open(self) -> None:
    client = reverb.Client(self._address)
    self._streams = [
        streams_lib.Stream(
            client, self._data_spec, self._settings, self._random
        )
        for _ in range(self._count)
    ]
