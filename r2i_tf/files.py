"""Writing so that a kill at any moment leaves the old or the new, whole."""

import contextlib
import json
import os
import pathlib
import shutil
from typing import Any


def write_text(path: pathlib.Path, text: str) -> None:
  """Replaces the file at `path` by one that holds `text`, atomically."""
  write_bytes(path, text.encode('utf-8'))


def write_bytes(path: pathlib.Path, content: bytes) -> None:
  """Replaces the file at `path` by one of this content, atomically."""
  temporary = path.with_name(f'.{path.name}.{os.getpid()}')
  try:
    with open(temporary, 'wb') as file:
      file.write(content)
      file.flush()
      os.fsync(file.fileno())
    os.replace(temporary, path)
  finally:
    with contextlib.suppress(OSError):
      temporary.unlink(missing_ok=True)  # A full disk has no room for a half.
  sync(path.parent)


def write_json(path: pathlib.Path, value: Any) -> None:
  """Replaces the file at `path` by `value` as JSON, atomically."""
  write_text(path, json.dumps(value, indent=2) + '\n')


def replace_directory(new: pathlib.Path, target: pathlib.Path) -> None:
  """Moves the directory `new` to `target`, in place of what stands there.

  A directory that is not empty cannot be replaced in one system call: between
  the two renames `target` is absent, but never half-written.

  Args:
    new: A complete directory on the same file system.
    target: Where it goes.
  """
  for file in new.rglob('*'):
    sync(file)
  retired = target.with_name(f'.{target.name}.retired')
  shutil.rmtree(retired, ignore_errors=True)
  if target.exists():
    os.rename(target, retired)
  os.rename(new, target)
  sync(target.parent)
  shutil.rmtree(retired, ignore_errors=True)


def sync(path: pathlib.Path) -> None:
  """Waits until the file or directory at `path` has reached the disk."""
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)
