"""Files of steps that are written once, whole, and read in parts.

A chunk is a .npz file, which `np.load` reads: for each part of a step an array
[stream, step, ...] by its key, such as 'observation/camera', and another by
'crc32/' and that key, the checksum of each stream. Arrays are not compressed,
so that the steps of a stream lie one after the other in the file, from where
they are read into their place in a batch: docs/replay.md says what compression
would save and cost.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
import os
import pathlib
import struct
from typing import BinaryIO
import zipfile
import zlib

import numpy as np

from r2i_tf.replay import files

# Raised where a chunk is damaged, or is not there.
READ_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
UNFINISHED = '.unfinished'
_CHECKSUMS = 'crc32/'
_BLOCK = 2**20  # Bytes that are checked at once.
# Of an entry in a zip file: a header of so many bytes, at the end of which are
# the lengths of the two fields between it and the content.
_HEADER = struct.Struct('<26xHH')


@dataclasses.dataclass(frozen=True)
class _Part:
  """Where the file has an array: [streams, steps, ...]."""

  offset: int
  steps: int
  step_bytes: int
  checksums: np.ndarray

  @property
  def stream_bytes(self) -> int:
    return self.steps * self.step_bytes


def write(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
  """Writes a chunk beside its place, and renames it once it is whole.

  Args:
    path: Of the file; one that is there is replaced.
    arrays: By key, of [streams, steps, ...] each.

  Raises:
    OSError: It cannot be written; nothing is left of it.
  """
  unfinished = path.with_name(path.name + UNFINISHED)
  try:
    with zipfile.ZipFile(unfinished, 'w') as archive:
      for key, array in arrays.items():
        checksums = [
            zlib.crc32(np.ascontiguousarray(stream).view(np.uint8).data)
            for stream in array
        ]
        files.write_array(archive, key, array)
        files.write_array(
            archive, _CHECKSUMS + key, np.array(checksums, np.uint32)
        )
    os.replace(unfinished, path)
  except OSError:
    unfinished.unlink(missing_ok=True)
    raise


class Chunk:
  """A file of steps, opened for reading.

  No file stays open: a replay may have thousands of them.
  """

  def __init__(
      self,
      path: pathlib.Path,
      step_bytes: Mapping[str, int],
      streams: int,
      steps: int,
      is_trusted: bool = False,
  ):
    """Reads where everything is, and nothing else.

    Args:
      path: Of the file.
      step_bytes: By key, the bytes of one step.
      streams: How many it must have.
      steps: How many it must have of each stream.
      is_trusted: Whether its checksums have been compared, as they have if this
        process has written it.

    Raises:
      READ_ERRORS: It is damaged, or has other steps than these.
    """
    self._path = path
    self._is_checked = np.full([streams], is_trusted)
    self._parts: dict[str, _Part] = {}
    with open(path, 'rb') as file, zipfile.ZipFile(file) as archive:
      for key, size in step_bytes.items():
        info = archive.getinfo(f'{key}.npy')
        file.seek(info.header_offset)
        lengths = _HEADER.unpack(file.read(_HEADER.size))
        content = streams * steps * size
        # The content ends with the array; before it is NumPy's own header.
        offset = info.header_offset + _HEADER.size + sum(lengths)
        offset += info.file_size - content
        if info.file_size < content or info.compress_type:
          raise ValueError(f'{path} has not {steps} steps of {key}')
        with archive.open(f'{_CHECKSUMS}{key}.npy') as entry:
          checksums = np.lib.format.read_array(entry, allow_pickle=False)
        if checksums.shape != (streams,):
          raise ValueError(f'{path} has not {streams} streams')
        self._parts[key] = _Part(offset, steps, size, checksums)

  def is_intact(self, stream: int) -> bool:
    """Returns whether the steps of a stream are those that were written.

    They are read in full for that, once.

    Args:
      stream: Its number.

    Raises:
      OSError: The file cannot be read.
    """
    if not self._is_checked[stream]:
      try:
        with self._open() as file:
          self._is_checked[stream] = all(
              _checksum(file, part, stream) == part.checksums[stream]
              for part in self._parts.values()
          )
      except EOFError:
        return False
    return bool(self._is_checked[stream])

  def read(
      self, stream: int, first: int, targets: Mapping[str, memoryview]
  ) -> None:
    """Reads steps of one stream.

    Args:
      stream: Its number.
      first: Where in the chunk they begin.
      targets: By key, the bytes that they go to; their number says how many.

    Raises:
      OSError: The file cannot be read.
      EOFError: It is shorter than it was.
    """
    with self._open() as file:
      for key, target in targets.items():
        part = self._parts[key]
        file.seek(
            part.offset + stream * part.stream_bytes + first * part.step_bytes
        )
        _read_into(file, target)

  def _open(self) -> BinaryIO:
    return open(self._path, 'rb', buffering=0)


def _checksum(file: BinaryIO, part: _Part, stream: int) -> int:
  """Returns the checksum of what the file has of a stream."""
  file.seek(part.offset + stream * part.stream_bytes)
  checksum = 0
  for size in _sizes(part.stream_bytes):
    block = memoryview(bytearray(size))
    _read_into(file, block)
    checksum = zlib.crc32(block, checksum)
  return checksum


def _sizes(total: int) -> Iterator[int]:
  """Yields the sizes of blocks that make up `total` bytes."""
  for begin in range(0, total, _BLOCK):
    yield min(_BLOCK, total - begin)


def _read_into(file: BinaryIO, target: memoryview) -> None:
  """Fills `target` from where the file is."""
  while len(target):
    count = file.readinto(target)  # type: ignore[attr-defined]
    if not count:
      raise EOFError(f'{file.name} ends too early')
    target = target[count:]
