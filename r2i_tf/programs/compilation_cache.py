"""Compiled programs that are kept for the next start, on disk.

TensorFlow can keep what XLA has compiled in a directory, by the program's hash.
It trusts what it finds there: a file that is damaged, or that was compiled for
another processor, ends the run. So each kind of machine, TensorFlow and flags
has a directory of its own here, and what is in it is checked before TensorFlow
may use it. It also lets a run fail when it cannot write there, which is why
nothing is kept where little is free.
"""

from collections.abc import Iterator
import hashlib
import json
import os
import pathlib
import platform
import shutil

from r2i_tf import files
from r2i_tf import stack
from r2i_tf.programs import runtime

_VARIABLE = 'TF_XLA_FLAGS'
_LARGEST = 512 << 20  # Bytes of a directory; a program has some megabytes.
_LEAST_FREE = 1 << 30
_SUMS = 'sha256.json'
# Of TensorFlow's XlaSerializedCacheEntry, the field with the machine code.
_EXECUTABLE = 3


def use() -> None:
  """Has TensorFlow keep and find compiled programs; call it before it loads.

  Does nothing where the variable `TF_XLA_FLAGS` is set, on the classic stack,
  whose TensorFlow cannot load what it has kept, where there is a GPU, for which
  none of this was tried, and where the directory cannot be used.
  """
  if _VARIABLE in os.environ or runtime.has_gpu():
    return
  version = stack.tensorflow_that_keeps_programs()
  base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  if version is None or not os.path.isabs(base):  # There may be no home.
    return
  if any(map(str.isspace, base)):  # TensorFlow's variable ends there.
    return
  directory = pathlib.Path(base, 'r2i_tf', 'xla', f'{version}-{_machine()}')
  try:
    directory.mkdir(parents=True, exist_ok=True)
    if not os.access(directory, os.W_OK):
      return
    if shutil.disk_usage(directory).free < _LEAST_FREE:
      return
    clean(directory)
  except OSError:
    return
  os.environ[_VARIABLE] = f'--tf_xla_persistent_cache_directory={directory}'


def clean(directory: pathlib.Path) -> None:
  """Removes what is damaged, and the oldest of what is too much.

  A file is damaged if it is not what it was when it was first seen whole.

  Args:
    directory: Of TensorFlow's files; it also has a JSON file of their sums.

  Raises:
    OSError: It cannot be written.
  """
  sums = _read(directory / _SUMS)
  kept: dict[str, str] = {}
  size = 0
  for path in _newest_first(directory):
    content = path.read_bytes()
    size += len(content)
    found = hashlib.sha256(content).hexdigest()
    is_whole = found == sums.get(path.name, found) and _has_program(content)
    if is_whole and size <= _LARGEST:
      kept[path.name] = found
    else:
      path.unlink(missing_ok=True)
  if kept != sums:
    files.write_json(directory / _SUMS, kept)


def _newest_first(directory: pathlib.Path) -> list[pathlib.Path]:
  paths = [path for path in directory.glob('*.pb') if path.is_file()]
  return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)


def _read(path: pathlib.Path) -> dict[str, str]:
  try:
    sums = json.loads(path.read_text())
  except (OSError, ValueError):
    return {}
  return sums if isinstance(sums, dict) else {}


def _has_program(content: bytes) -> bool:
  """Returns whether a file is a whole entry of the cache.

  Args:
    content: Of the file, a serialized protocol buffer.
  """
  try:
    return _EXECUTABLE in list(_fields(content))
  except (IndexError, ValueError):
    return False


def _fields(message: bytes) -> Iterator[int]:
  """Yields the numbers of the fields of a protocol buffer of submessages.

  Args:
    message: The serialized protocol buffer.

  Raises:
    IndexError: It ends too early.
    ValueError: It is none.
  """
  place = 0
  while place < len(message):
    tag, place = _varint(message, place)
    length, place = _varint(message, place)
    if tag & 7 == 2:
      place += length
    elif tag & 7:
      raise ValueError(f'wire type {tag & 7}')
    if place > len(message):
      raise IndexError
    yield tag >> 3


def _varint(message: bytes, place: int) -> tuple[int, int]:
  """Returns the number at a place, and the place behind it."""
  number = shift = 0
  while True:
    byte = message[place]
    number |= (byte & 127) << shift
    place, shift = place + 1, shift + 7
    if byte < 128:
      return number, place


def _machine() -> str:
  """Returns what a program was compiled for, as a short hash."""
  try:
    with open('/proc/cpuinfo') as file:
      processor = [
          line
          for line in file
          if line.startswith(('model name', 'flags', 'Features'))
      ][:2]
  except OSError:
    processor = [platform.processor()]
  parts = [platform.machine(), *processor, os.environ.get('XLA_FLAGS', '')]
  return hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:16]
