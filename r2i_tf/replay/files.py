"""A replay's steps in files, of which a checkpoint writes only the new ones.

TensorFlow's own checkpoint of a replay buffer holds its whole table, filled or
not, each time: for images, gigabytes every few minutes. Here steps go to a file
each of a fixed number, in the order in which they came:

  replay-000000000000-000000004096.npz   steps 0 to 4,095 of each stream
  replay-000000004096-000000005000.npz   the rest
  replay.json                            the range of steps in the replay

A full file never changes again, so that a later checkpoint need not write it:
it links to it. It does so to the files of the last checkpoint but one. Of the
two checkpoints that are kept, each then has files of its own, and a damaged
file costs one of them.

The files can be read without this package: `np.load` gives arrays [stream,
step, ...] by the key of their place in the trajectory, such as
'observation/camera', and the numbers of the steps as 'step'. The zip format has
a checksum of each array.
"""

from collections.abc import Callable
from collections.abc import Iterator
import json
import os
import pathlib
from typing import Optional, Protocol
import zipfile

import numpy as np

from r2i_tf import files

_INDEX = 'replay.json'
_STEP = 'step'


class Table(Protocol):
  """Where a replay has its steps, which are numbered as they came, from 0."""

  def read(self, steps: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yields key and values [streams, len(steps), ...], one after the other."""

  def write(
      self, steps: np.ndarray, values_of: Callable[[str], np.ndarray]
  ) -> None:
    """Puts steps in their places.

    Args:
      steps: Their numbers.
      values_of: Returns the values [streams, len(steps), ...] of a key.
    """


def save(
    table: Table,
    held: range,
    file_steps: int,
    directory: pathlib.Path,
    earlier: Optional[pathlib.Path],
) -> None:
  """Writes steps to a checkpoint's directory.

  Args:
    table: Has them.
    held: The numbers of those that the replay holds.
    file_steps: Steps of each stream in a full file.
    directory: Of the new checkpoint; it holds nothing of the replay.
    earlier: The directory of a checkpoint that this run went through; None if
      there is none. Full files that it has are linked to, not written.

  Raises:
    OSError: A file cannot be written.
  """
  first_file = held.start // file_steps * file_steps
  for begin in range(first_file, held.stop, file_steps):
    end = min(begin + file_steps, held.stop)
    name = f'replay-{begin:012d}-{end:012d}.npz'
    is_full = end == begin + file_steps
    if is_full and earlier and _link(earlier / name, directory / name):
      continue
    # Of the oldest file, the first steps may have left the replay.
    steps = np.arange(max(begin, held.start), end)
    _write_file(directory / name, steps, table)
  index = {'start': held.start, 'stop': held.stop}
  files.write_json(directory / _INDEX, index)


def load(table: Table, directory: pathlib.Path) -> int:
  """Puts the steps that `save` has written back into a table.

  Args:
    table: Takes them.
    directory: Of the checkpoint.

  Returns:
    The number of the step that will come next.

  Raises:
    OSError: A file is not there.
    ValueError: Steps are missing.
    KeyError: A part of the steps is missing.
    zipfile.BadZipFile: A file is damaged.
  """
  index = json.loads((directory / _INDEX).read_text(encoding='utf-8'))
  missing = index['stop'] - index['start']
  for path in sorted(directory.glob('replay-*.npz')):
    missing -= _read_file(path, index['start'], table)
  if missing:
    raise ValueError(f'{missing} steps of the replay are missing')
  return int(index['stop'])


def _write_file(path: pathlib.Path, steps: np.ndarray, table: Table) -> None:
  """Writes some steps in NumPy's format, one array after the other."""
  # `np.savez` would need all at once, and would leave the archive open, to
  # complain when it is collected, where the disk is full.
  with zipfile.ZipFile(path, 'w') as archive:
    write_array(archive, _STEP, steps)
    for key, values in table.read(steps):
      write_array(archive, key, values)


def _read_file(path: pathlib.Path, start: int, table: Table) -> int:
  """Puts a file's steps from `start` on into a table; returns how many."""
  with np.load(path) as arrays:
    steps = arrays[_STEP]
    # A linked file still has steps that have left the replay since.
    kept = steps >= start
    table.write(steps[kept], lambda key: arrays[key][:, kept])
  return int(np.count_nonzero(kept))


def write_array(archive: zipfile.ZipFile, key: str, array: np.ndarray) -> None:
  """Adds an array to an archive, as `np.savez` would."""
  with archive.open(f'{key}.npy', 'w', force_zip64=True) as file:
    np.lib.format.write_array(file, array, allow_pickle=False)


def _link(source: pathlib.Path, target: pathlib.Path) -> bool:
  """Makes `target` another name of `source`; returns whether it could."""
  try:
    os.link(source, target)
  except OSError:
    return False  # There is none, or the file system knows no links.
  return True
