"""The replay in files, of which a checkpoint writes only what is new.

TensorFlow's own checkpoint of a replay buffer holds its whole table, filled or
not, each time: for images, gigabytes every few minutes. Here steps go to a file
each of a fixed number, in the order in which they came:

  replay-000000000000-000000004096.npz   steps 0 to 4,095 of each environment
  replay-000000004096-000000005000.npz   the rest
  replay.json                            which steps are in the replay

A full file never changes again, so that a later checkpoint need not write it:
it links to it. It does so to the files of the last checkpoint but one. Of the
two checkpoints that are kept, each then has files of its own, and a damaged
file costs one of them.

The files can be read without this package: `np.load` gives arrays [environment,
step, ...] by their place in the trajectory, such as 'observation/camera', and
their numbers as 'step'. The zip format has a checksum of each array.
"""

import json
import os
import pathlib
from typing import Optional
import zipfile

import numpy as np
import tensorflow as tf
from tf_agents.replay_buffers import tf_uniform_replay_buffer
import tree

from r2i_tf import files
from r2i_tf.replay import memory

_INDEX = 'replay.json'
_STEP = 'step'
# What a checkpoint takes of memory while it is written or read.
_FILE_BYTES = 64 * 2**20


class ReplayFiles:
  """Writes a replay buffer to a checkpoint's directory, and reads it back."""

  def __init__(
      self,
      replay: tf_uniform_replay_buffer.TFUniformReplayBuffer,
      streams: int,
      file_bytes: int = _FILE_BYTES,
  ):
    """Writes and reads nothing yet.

    Args:
      replay: The buffer.
      streams: Its batch size, the number of environments.
      file_bytes: About how large a full file is.
    """
    *leaves, self._ids, self._last_id = replay.variables()
    paths = tree.flatten_with_path(replay.data_spec)
    self._leaves = {
        '/'.join(str(part) for part in path): leaf
        for (path, _), leaf in zip(paths, leaves)
    }
    self._streams = streams
    self._length = self._ids.shape[0] // streams
    step_bytes = streams * memory.step_bytes(replay.data_spec)
    self._file_steps = max(1, file_bytes // step_bytes)

  def write(
      self, directory: pathlib.Path, earlier: Optional[pathlib.Path]
  ) -> None:
    """Writes the steps that are in the replay.

    Args:
      directory: Of the new checkpoint; it holds nothing of the replay.
      earlier: The directory of a checkpoint that this run went through; None
        if there is none. What it has is linked to, not written.

    Raises:
      OSError: A file cannot be written.
    """
    stop = int(self._last_id) + 1
    start = max(0, stop - self._length)
    size = self._file_steps
    for begin in range(start // size * size, stop, size):
      end = min(begin + size, stop)
      name = f'replay-{begin:012d}-{end:012d}.npz'
      is_full = end == begin + size
      if is_full and earlier and _link(earlier / name, directory / name):
        continue
      # Of the oldest file, the first steps may be overwritten in the buffer.
      steps = np.arange(max(begin, start), end)
      self._write_file(directory / name, steps)
    files.write_json(directory / _INDEX, {'start': start, 'stop': stop})

  def read(self, directory: pathlib.Path) -> None:
    """Fills the replay with what `write` has written.

    Args:
      directory: Of the checkpoint.

    Raises:
      OSError: A file is not there.
      ValueError: Steps are missing.
      zipfile.BadZipFile: A file is damaged.
    """
    index = json.loads((directory / _INDEX).read_text(encoding='utf-8'))
    missing = index['stop'] - index['start']
    for path in sorted(directory.glob('replay-*.npz')):
      with np.load(path) as arrays:
        steps = arrays[_STEP]
        # A linked file still has steps that have left the replay since.
        kept = steps >= index['start']
        rows = self._rows(steps[kept])
        for key, leaf in self._leaves.items():
          values = arrays[key][:, kept]
          # NumPy takes bfloat16, which it does not know, for bare bytes.
          values = values.reshape([len(rows), *leaf.shape[1:]]).view(
              leaf.dtype.as_numpy_dtype
          )
          leaf.scatter_update(tf.IndexedSlices(values, rows))
        self._ids.scatter_update(
            tf.IndexedSlices(np.tile(steps[kept], self._streams), rows)
        )
        missing -= np.count_nonzero(kept)
    if missing:
      raise ValueError(f'{missing} steps of the replay are missing')
    self._last_id.assign(index['stop'] - 1)

  def _write_file(self, path: pathlib.Path, steps: np.ndarray) -> None:
    """Writes some steps in NumPy's format, one array after the other."""
    rows = self._rows(steps)
    # `np.savez` would need all at once, and would leave the archive open, to
    # complain when it is collected, where the disk is full.
    with zipfile.ZipFile(path, 'w') as archive:
      _write_array(archive, _STEP, steps)
      for key, leaf in self._leaves.items():
        # A slice of a variable would copy all of it first, a gather does not.
        values = tf.gather(leaf, rows).numpy()
        shape = [self._streams, len(steps), *leaf.shape[1:]]
        _write_array(archive, key, values.reshape(shape))

  def _rows(self, steps: np.ndarray) -> np.ndarray:
    """Returns where the table has these steps of all environments."""
    offsets = np.arange(self._streams)[:, np.newaxis] * self._length
    return (offsets + steps % self._length).reshape(-1)


def _write_array(archive: zipfile.ZipFile, key: str, array: np.ndarray):
  with archive.open(f'{key}.npy', 'w', force_zip64=True) as file:
    np.lib.format.write_array(file, array, allow_pickle=False)


def _link(source: pathlib.Path, target: pathlib.Path) -> bool:
  """Makes `target` another name of `source`; returns whether it could."""
  try:
    os.link(source, target)
  except OSError:
    return False  # There is none, or the file system knows no links.
  return True
