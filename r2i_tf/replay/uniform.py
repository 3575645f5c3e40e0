"""The kind `memory`, the default: TF-Agents' TFUniformReplayBuffer.

It is in this process and keeps the steps; which of them make a batch is the
business of `sampling`.
"""

from collections.abc import Callable
from collections.abc import Iterator
import pathlib
from typing import Any, Optional

import numpy as np
import tensorflow as tf
from tf_agents.replay_buffers import tf_uniform_replay_buffer

from r2i_tf.replay import base
from r2i_tf.replay import files
from r2i_tf.replay import numbered

# The memory that a checkpoint takes while it is written or read.
_FILE_BYTES = 64 * 2**20
_ID_BYTES = 8  # TF-Agents' buffer numbers its steps.


class UniformReplay(numbered.NumberedReplay):
  """Keeps the last steps of every stream in memory.

  The whole table is allocated when the replay is made.
  """

  def __init__(
      self,
      data_spec: Any,
      streams: int,
      capacity: int,
      directory: Optional[pathlib.Path] = None,
      file_bytes: int = _FILE_BYTES,
  ):
    """Allocates the table.

    Args:
      data_spec: A nest of tensor specs, of one step of one stream.
      streams: How many there are.
      capacity: Steps to keep, over all streams.
      directory: Has no use here: all files are in checkpoints.
      file_bytes: About how large a full file of a checkpoint is.
    """
    super().__init__(data_spec, streams, capacity, directory)
    self._buffer = _Buffer(data_spec, streams, self.size.capacity // streams)
    self._file_steps = max(1, file_bytes // (streams * self.size.step_bytes))

  @classmethod
  def size_of(cls, data_spec: Any, streams: int, capacity: int) -> base.Size:
    """Returns how large a replay would be; see the base class."""
    return base.Size(
        capacity // streams * streams, base.step_bytes(data_spec) + _ID_BYTES
    )

  def add(self, steps: Any) -> Any:
    """Adds the next step of every stream; see the base class."""
    return self._buffer.add_batch(steps)

  def save(
      self, directory: pathlib.Path, earlier: Optional[pathlib.Path]
  ) -> None:
    """Writes the steps that it holds; see the base class."""
    held = self._buffer.held()
    files.save(self._buffer, held, self._file_steps, directory, earlier)

  def restore(self, directory: pathlib.Path) -> None:
    """Takes in the steps that `save` has written; see the base class."""
    self._buffer.go_on_from(files.load(self._buffer, directory))

  def _held(self) -> list[range]:
    """Returns the one stretch of steps that are held."""
    return [self._buffer.held()]

  def _step_types(self, steps: range) -> np.ndarray:
    """Returns the step types [streams, len(steps)]."""
    return self._buffer.values(numbered.STEP_TYPE, np.asarray(steps))

  def _sequences(
      self,
      streams: tf.Tensor,
      starts: tf.Tensor,
      lengths: tf.Tensor,
      length: int,
  ) -> Any:
    """Returns sequences [B, T, ...], in a graph."""
    del lengths
    return self._buffer.sequences(streams, starts, length)


class _Buffer(tf_uniform_replay_buffer.TFUniformReplayBuffer):
  """TF-Agents' buffer, whose steps can be read and put back by number.

  It is a `files.Table`. TF-Agents numbers the steps of all streams alike, from
  0, and calls the numbers ids.
  """

  def __init__(self, data_spec: Any, streams: int, length: int):
    """Allocates the tables of data and ids.

    Args:
      data_spec: Of one step of one stream.
      streams: How many there are.
      length: Steps of each that are kept.
    """
    super().__init__(data_spec, batch_size=streams, max_length=length)
    self._streams, self._length = streams, length
    # By key: the table's name for this part of a step, and its spec.
    self._parts = dict(
        zip(
            numbered.keys_of(data_spec),
            zip(
                tf.nest.flatten(self._data_table.slots),
                tf.nest.flatten(data_spec),
            ),
        )
    )

  def held(self) -> range:
    """Returns the numbers of the steps that are in the buffer."""
    stop = int(self._last_id) + 1
    return range(max(0, stop - self._length), stop)

  def go_on_from(self, number: int) -> None:
    """Takes the steps before `number` for added, and it for the next."""
    self._last_id.assign(number - 1)

  def read(self, steps: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yields key and values [streams, len(steps), ...]."""
    for key in self._parts:
      yield key, self.values(key, steps)

  def values(self, key: str, steps: np.ndarray) -> np.ndarray:
    """Returns the values [streams, len(steps), ...] of one key."""
    slot, spec = self._parts[key]
    values = self._data_table.read(self._rows(steps), slot).numpy()
    return values.reshape([self._streams, len(steps), *spec.shape])

  def sequences(
      self, streams: tf.Tensor, starts: tf.Tensor, length: int
  ) -> Any:
    """Returns sequences [B, T, ...] of given streams and first steps [B]."""
    steps = starts[:, tf.newaxis] + tf.range(length, dtype=tf.int64)
    rows = steps % self._length + streams[:, tf.newaxis] * self._length
    return self._data_table.read(rows)

  def write(
      self, steps: np.ndarray, values_of: Callable[[str], np.ndarray]
  ) -> None:
    """Puts the values [streams, len(steps), ...] of each key in their rows."""
    rows = self._rows(steps)
    for key, (slot, spec) in self._parts.items():
      values = values_of(key).reshape([len(rows), *spec.shape])
      # NumPy takes bfloat16, which it does not know, for bare bytes.
      values = values.view(spec.dtype.as_numpy_dtype)
      self._data_table.write(rows, values, slot)
    self._id_table.write(rows, np.tile(steps, self._streams))

  def _rows(self, steps: np.ndarray) -> np.ndarray:
    """Returns where the tables have these steps of all streams."""
    offsets = np.arange(self._streams)[:, np.newaxis] * self._length
    return (offsets + steps % self._length).reshape(-1)
