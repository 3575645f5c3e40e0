"""The kind `disk`: steps in files, of which only the newest are in memory.

  add -> the newest steps, in memory -> a chunk, once they are enough for one

A chunk holds the same steps of all streams and is written once (`chunks`):

  <directory>/chunk-000000000000-000000000130.npz   steps 0 to 129 of each

What is read again lies in the page cache of the system, which is as large as
memory allows. A checkpoint holds the steps that no chunk has yet, and the
numbers of all:

  replay-newest.npz   at most as many steps as a chunk
  replay.json         the range of steps, and how many make a chunk

so that to go on from it is to open the chunks. The steps in them that came
after the checkpoint are never opened; the run will write its own in their
place. Chunks that have left the replay are deleted by `save`, those after which
every checkpoint begins.
"""

from collections.abc import Iterator
import json
import pathlib
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from r2i_tf import errors
from r2i_tf import files as atomic_files
from r2i_tf.replay import base
from r2i_tf.replay import chunks
from r2i_tf.replay import numbered
from r2i_tf.replay import sampling as sampling_lib

_CHUNK_BYTES = 64 * 2**20  # What a chunk takes of memory, and to be written.
_CHUNKS = 16  # At least so many make up the replay.
_ALIGNMENT = 64  # TensorFlow takes such arrays as they are, without a copy.
_INDEX = 'replay.json'
_NEWEST = 'replay-newest.npz'
_DAMAGED = 'damaged-'


class DiskReplay(numbered.NumberedReplay):
  """Keeps the last steps of every stream in files."""

  def __init__(
      self,
      data_spec: Any,
      streams: int,
      capacity: int,
      directory: Optional[pathlib.Path] = None,
  ):
    """Takes the memory for the newest steps; touches no file.

    Args:
      data_spec: A nest of tensor specs, of one step of one stream.
      streams: How many there are.
      capacity: Steps to keep, over all streams.
      directory: Where the chunks are; made for the first of them.

    Raises:
      ValueError: There is no `directory`.
    """
    super().__init__(data_spec, streams, capacity, directory)
    if directory is None:
      raise ValueError('a replay on disk needs a directory')
    self._directory = directory
    self._length = capacity // streams
    leaves = tf.nest.flatten(data_spec)
    self._specs = dict(zip(numbered.keys_of(data_spec), leaves))
    self._step_bytes = {k: base.step_bytes(s) for k, s in self._specs.items()}
    self._reset(0, 0, _chunk_steps(data_spec, streams, self._length))

  @classmethod
  def size_of(cls, data_spec: Any, streams: int, capacity: int) -> base.Size:
    """Returns how large a replay would be; see the base class."""
    length = capacity // streams
    chunk = _chunk_steps(data_spec, streams, length) * streams
    return base.Size(length * streams, base.step_bytes(data_spec), chunk)

  def add(self, steps: Any) -> Any:
    """Adds the next step of every stream; see the base class."""
    return tf.numpy_function(
        self._guarded(self._append), tf.nest.flatten(steps), []
    )

  def save(
      self, directory: pathlib.Path, earlier: Optional[pathlib.Path]
  ) -> None:
    """Writes the steps that no chunk has, and the numbers of all.

    Args:
      directory: Of the new checkpoint. Those beside it may be gone back to:
        chunks from where one of them begins, or this one, are kept.
      earlier: Has no use here.

    Raises:
      OSError: A file cannot be written.
    """
    del earlier
    for path in self._unsynced:
      atomic_files.sync(path)
    if self._unsynced:
      atomic_files.sync(self._directory)
    self._unsynced.clear()
    count = self._stop - self._begin
    newest = {key: array[:, :count] for key, array in self._newest.items()}
    chunks.write(directory / _NEWEST, newest)
    index = {
        'start': self._start,
        'newest': self._begin,
        'stop': self._stop,
        'chunk_steps': self._chunk_steps,
    }
    atomic_files.write_json(directory / _INDEX, index)
    self._delete_before(min(_starts(directory.parent)))

  def restore(self, directory: pathlib.Path) -> None:
    """Opens the chunks of a checkpoint; changes no file.

    Chunks that are damaged or lost are left out: no sequence runs over the gap.

    Args:
      directory: Of the checkpoint.

    Raises:
      chunks.READ_ERRORS: What the checkpoint itself holds is damaged.
    """
    index = json.loads((directory / _INDEX).read_text(encoding='utf-8'))
    self._reset(index['newest'], index['stop'], index['chunk_steps'])
    count = self._stop - self._begin
    newest = self._opened(directory / _NEWEST, count)
    for stream in range(self.streams):
      if not newest.is_intact(stream):
        raise ValueError(f'{_NEWEST} is damaged')
      targets = {
          key: _bytes(array[stream, :count])
          for key, array in self._newest.items()
      }
      newest.read(stream, 0, targets)
    first = self._start // self._chunk_steps * self._chunk_steps
    for begin in range(first, self._begin, self._chunk_steps):
      try:
        self._chunks[begin] = self._opened(self._path(begin), self._chunk_steps)
      except chunks.READ_ERRORS:
        self._gaps.append(begin)
    if self._gaps:
      self._tell_of_gaps()

  @property
  def _start(self) -> int:
    """The number of the oldest step."""
    return max(0, self._stop - self._length)

  def _reset(self, begin: int, stop: int, chunk_steps: int) -> None:
    """Holds no chunk, and takes the steps before `stop` for added.

    Args:
      begin: The first step that is in memory.
      stop: The step that will come next.
      chunk_steps: How many steps of each stream make a chunk.
    """
    self._begin, self._stop, self._chunk_steps = begin, stop, chunk_steps
    self._newest = {
        key: np.empty(
            [self.streams, chunk_steps, *spec.shape], spec.dtype.as_numpy_dtype
        )
        for key, spec in self._specs.items()
    }
    self._chunks: dict[int, chunks.Chunk] = {}
    self._gaps: list[int] = []  # Chunks without which the replay has to do.
    self._unsynced: list[pathlib.Path] = []

  def _append(self, *leaves: np.ndarray) -> None:
    """Adds the next step of each stream."""
    if self._stop - self._begin == self._chunk_steps:
      self._write_chunk()
    for array, leaf in zip(self._newest.values(), leaves):
      array[:, self._stop - self._begin] = leaf
    self._stop += 1

  def _write_chunk(self) -> None:
    """Moves the steps that are in memory to a file."""
    path = self._path(self._begin)
    try:
      self._directory.mkdir(parents=True, exist_ok=True)
      chunks.write(path, self._newest)
    except OSError as error:
      raise errors.RunError(
          f'the replay cannot write to {self._directory} ({error.strerror});'
          ' its files and the last checkpoint are intact, so free some room'
          ' and give the same command again.'
      ) from error
    self._chunks[self._begin] = self._opened(path, self._chunk_steps, True)
    self._unsynced.append(path)
    self._begin = self._stop

  def _opened(
      self, path: pathlib.Path, steps: int, is_trusted: bool = False
  ) -> chunks.Chunk:
    return chunks.Chunk(path, self._step_bytes, self.streams, steps, is_trusted)

  def _path(self, begin: int) -> pathlib.Path:
    end = begin + self._chunk_steps
    return self._directory / f'chunk-{begin:012d}-{end:012d}.npz'

  def _delete_before(self, step: int) -> None:
    """Deletes the chunks that end before `step`, and those of no checkpoint."""
    self._gaps = [
        gap for gap in self._gaps if gap + self._chunk_steps > self._start
    ]
    kept = {self._path(begin) for begin in self._chunks}
    for path in self._directory.glob('chunk-*'):
      # A gap may be a file of a disk that is not to be read just now.
      begin, end = map(int, path.name.split('.')[0].split('-')[1:])
      if end <= step or (path not in kept and begin not in self._gaps):
        path.unlink(missing_ok=True)
    for path in self._directory.glob(f'{_DAMAGED}*'):
      path.unlink(missing_ok=True)
    for begin in list(self._chunks):
      if begin + self._chunk_steps <= step:
        del self._chunks[begin]

  def _held(self) -> list[range]:
    """Returns the stretches of steps between the gaps."""
    stretches, begin = [], self._start
    for gap in sorted(self._gaps):
      if gap > begin:
        stretches.append(range(begin, gap))
      begin = max(begin, gap + self._chunk_steps)
    stretches.append(range(begin, self._stop))
    return [stretch for stretch in stretches if len(stretch)]

  def _step_types(self, steps: range) -> np.ndarray:
    """Returns the step types [streams, len(steps)]."""
    spec = self._specs[numbered.STEP_TYPE]
    types = np.empty(
        [self.streams, len(steps), *spec.shape], spec.dtype.as_numpy_dtype
    )
    for stream in range(self.streams):
      self._read(stream, steps, {numbered.STEP_TYPE: types[stream]})
    return types

  def _can_read(self, draws: sampling_lib.Draws) -> bool:
    """Returns whether all chunks of the draws are intact; or notes the gaps."""
    gaps = set()
    for stream, start, length in zip(
        draws.streams, draws.starts, draws.lengths
    ):
      for begin, _ in self._pieces(range(start, start + length)):
        if begin in self._chunks and not self._is_intact(begin, stream):
          gaps.add(begin)
    for begin in gaps:
      del self._chunks[begin]
    self._gaps.extend(gaps)
    if gaps:
      self._tell_of_gaps()
    return not gaps

  def _is_intact(self, begin: int, stream: int) -> bool:
    """Returns whether a chunk has a stream's steps; sets it aside if not.

    Were it left in its place, a replay of nothing but damaged chunks would pass
    for a full one at each start of the run, and end it at each first batch.
    """
    path = self._path(begin)
    try:
      if self._chunks[begin].is_intact(stream):
        return True
      if self.is_read_only:
        return False
      path.rename(path.with_name(_DAMAGED + path.name))
    except OSError:
      pass  # It cannot be read now; it may be at the next start.
    return False

  def _sequences(
      self,
      streams: tf.Tensor,
      starts: tf.Tensor,
      lengths: tf.Tensor,
      length: int,
  ) -> Any:
    """Returns sequences [B, T, ...], in a graph."""

    def read(
        streams: np.ndarray, starts: np.ndarray, lengths: np.ndarray
    ) -> list[np.ndarray]:
      batch = {
          key: _aligned([len(starts), length, *spec.shape], spec.dtype)
          for key, spec in self._specs.items()
      }
      # One after the other: threads that read small pieces wait for each other
      # (measured: 100 times as long at pieces of some hundred bytes).
      for index, (stream, start, count) in enumerate(
          zip(streams, starts, lengths)
      ):
        targets = {key: array[index, :count] for key, array in batch.items()}
        self._read(stream, range(start, start + count), targets)
      return list(batch.values())

    dtypes = [spec.dtype for spec in self._specs.values()]
    leaves = tf.numpy_function(
        self._guarded(read), [streams, starts, lengths], dtypes
    )
    for leaf, spec in zip(leaves, self._specs.values()):
      leaf.set_shape([streams.shape[0], length, *spec.shape])
    return tf.nest.pack_sequence_as(self.data_spec, leaves)

  def _read(
      self, stream: int, steps: range, targets: dict[str, np.ndarray]
  ) -> None:
    """Reads steps of a stream, of some keys, into arrays [len(steps), ...]."""
    for begin, piece in self._pieces(steps):
      place = slice(piece.start - steps.start, piece.stop - steps.start)
      first = piece.start - begin
      if begin == self._begin:
        for key, target in targets.items():
          newest = self._newest[key][stream]
          target[place] = newest[first : first + len(piece)]
      else:
        pieces = {key: _bytes(target[place]) for key, target in targets.items()}
        try:
          self._chunks[begin].read(stream, first, pieces)
        except chunks.READ_ERRORS as error:
          raise errors.RunError(
              f'{self._path(begin)} cannot be read any more ({error}); the run'
              ' goes on without it if you give the same command again.'
          ) from error

  def _pieces(self, steps: range) -> Iterator[tuple[int, range]]:
    """Yields (first step of a chunk, those of `steps` that are in it)."""
    start = int(steps.start)
    while start < steps.stop:
      begin = start // self._chunk_steps * self._chunk_steps
      stop = min(begin + self._chunk_steps, int(steps.stop))
      yield begin, range(start, stop)
      start = stop

  def _tell_of_gaps(self) -> None:
    steps = len(self._gaps) * self._chunk_steps * self.streams
    self.report(
        f'{len(self._gaps)} files in {self._directory} are damaged or missing:'
        f' the replay goes on without their {steps:,} steps'
    )


def _chunk_steps(data_spec: Any, streams: int, length: int) -> int:
  """Returns how many steps of each stream make a chunk.

  Args:
    data_spec: Of one step of one stream.
    streams: How many there are.
    length: Steps of each that are kept.
  """
  fit = _CHUNK_BYTES // (streams * base.step_bytes(data_spec))
  return max(1, min(fit, length // _CHUNKS))


def _starts(checkpoints: pathlib.Path) -> Iterator[int]:
  """Yields the number of the oldest step of each checkpoint in a directory."""
  for path in checkpoints.glob(f'*/{_INDEX}'):
    try:
      yield int(json.loads(path.read_text(encoding='utf-8'))['start'])
    except (OSError, ValueError, KeyError, TypeError):
      yield 0  # To be on the safe side.


def _bytes(array: np.ndarray) -> memoryview:
  """Returns the bytes of a contiguous array, to be written to."""
  return array.reshape(-1).view(np.uint8).data


def _aligned(shape: list[int], dtype: tf.DType) -> np.ndarray:
  """Returns an array that TensorFlow takes without a copy."""
  size = int(np.prod(shape)) * dtype.size
  raw = np.empty([size + _ALIGNMENT], np.uint8)
  offset = -raw.ctypes.data % _ALIGNMENT
  return raw[offset : offset + size].view(dtype.as_numpy_dtype).reshape(shape)
