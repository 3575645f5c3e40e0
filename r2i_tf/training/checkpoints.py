"""Checkpoints that a kill, a full disk or a bad sector cannot take away.

Each checkpoint is a directory named by the counts of its run, such as
environment steps and train steps, written beside its final place and renamed
once it is whole:

  checkpoints/000000012000-000000003000/
    variables.index, variables.data-...   TensorFlow's, with checksums
    replay-...npz, replay.json            see `replay.files`
    manifest.json                         the counters, the sizes of the files
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import json
import pathlib
import shutil
from typing import Any, Optional, Protocol
import zipfile

import tensorflow as tf

from r2i_tf import errors
from r2i_tf import files

_KEPT = 2
_MANIFEST = 'manifest.json'
_PREFIX = 'variables'
_BROKEN = 'broken-'
_UNFINISHED = '.unfinished'
# Raised where a damaged checkpoint is read, by TensorFlow or by Python.
_READ_ERRORS = (
    tf.errors.OpError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    EOFError,
    zipfile.BadZipFile,
    AssertionError,
    RuntimeError,
)


class Part(Protocol):
  """Something with files of its own in a checkpoint's directory: a `Replay`."""

  def save(
      self, directory: pathlib.Path, earlier: Optional[pathlib.Path]
  ) -> None:
    """Writes its files; may link to those of `earlier`, an old checkpoint."""

  def restore(self, directory: pathlib.Path) -> None:
    """Reads its files back, or raises one of `_READ_ERRORS`."""


class CheckpointStore:
  """Saves and restores TensorFlow objects together with plain counters.

  A part may share files with an earlier checkpoint, as links. That is the last
  but one, never the last: the two that are kept have no file in common, and one
  damaged file costs one of them.
  """

  def __init__(
      self,
      directory: pathlib.Path,
      trackables: Mapping[str, Any],
      report: Callable[[str], None],
      parts: Sequence[Part] = (),
  ):
    """Opens a store; touches no file.

    Args:
      directory: Where the checkpoints are; made by the first `save`.
      trackables: Names to TensorFlow objects whose variables all exist.
      report: Takes one line for the user about a damaged checkpoint.
      parts: Those that TensorFlow does not save.
    """
    self._directory = directory
    self._checkpoint = tf.train.Checkpoint(**trackables)
    self._report = report
    self._parts = parts

  def save(self, counts: Sequence[int], state: Mapping[str, Any]) -> None:
    """Writes a checkpoint; only then removes those older than the last two.

    Args:
      counts: How far the run is, none of which ever falls; counts that are
        saved already are left alone.
      state: Counters, as JSON can hold them.

    Raises:
      errors.RunError: It could not be written. The earlier ones are intact.
    """
    target = self._directory / '-'.join(f'{count:012d}' for count in counts)
    unfinished = self._directory / _UNFINISHED
    try:
      if target.exists():
        return
      self._directory.mkdir(parents=True, exist_ok=True)
      shutil.rmtree(unfinished, ignore_errors=True)
      unfinished.mkdir()
      self._checkpoint.write(str(unfinished / _PREFIX))
      kept = checkpoints_in(self._directory)
      earlier = kept[-2] if len(kept) > 1 else None
      for part in self._parts:
        part.save(unfinished, earlier)
      sizes = {file.name: file.stat().st_size for file in unfinished.iterdir()}
      manifest = {'state': state, 'sizes': sizes}
      files.write_json(unfinished / _MANIFEST, manifest)
      files.replace_directory(unfinished, target)
    except (tf.errors.OpError, OSError) as error:
      shutil.rmtree(unfinished, ignore_errors=True)
      raise errors.RunError(
          f'the checkpoint at step {counts[0]} could not be written to'
          f' {self._directory}: {errors.first_line(error)}; the earlier ones'
          ' are intact.'
      ) from error
    self._prune()

  def restore(
      self, with_parts: Callable[[Mapping[str, Any]], bool] = lambda _: True
  ) -> Optional[Mapping[str, Any]]:
    """Restores the newest checkpoint that can be read.

    Damaged ones are set aside and reported; they are deleted when a newer
    checkpoint is complete.

    Args:
      with_parts: Takes the counters of a checkpoint; false leaves the parts as
        they are and restores the rest.

    Returns:
      The counters it was saved with, None where there is no checkpoint.

    Raises:
      errors.RunError: There are checkpoints, and none can be read.
    """
    candidates = checkpoints_in(self._directory)
    broken: list[pathlib.Path] = []
    reason = ''
    for path in reversed(candidates):
      try:
        state = self._read(path, with_parts)
      except _READ_ERRORS as error:
        reason = errors.first_line(error)
        broken.append(path)
        self._report(
            f'checkpoint {path} cannot be read and is skipped: {reason}'
        )
      else:
        for other in broken:
          other.rename(other.with_name(_BROKEN + other.name))
        return state
    if broken:
      raise errors.RunError(
          f'none of the {len(broken)} checkpoints in {self._directory} can be'
          f' read ({reason}); start with another --workdir.'
      )
    return None

  def peek(self) -> Optional[tuple[pathlib.Path, Mapping[str, Any]]]:
    """Reads the newest checkpoint that can be read, and changes no file.

    For those who look at a run that may go on meanwhile, and may replace its
    checkpoints by newer ones while they are read.

    Returns:
      Its directory and the counters it was saved with; None where there is no
      checkpoint.

    Raises:
      errors.RunError: There are checkpoints, and none can be read.
    """
    tried: set[pathlib.Path] = set()
    reason = ''
    while True:
      candidates = checkpoints_in(self._directory)
      untried = [path for path in candidates if path not in tried]
      if not untried:
        break
      tried.add(untried[-1])
      try:
        return untried[-1], self._read(untried[-1], lambda _: True)
      except _READ_ERRORS as error:
        reason = errors.first_line(error)
    if not tried:
      return None
    raise errors.RunError(
        f'none of the {len(tried)} checkpoints in {self._directory} can be read'
        f' ({reason}): wait for the run to write another one, or look at'
        ' another --workdir.'
    )

  def _read(
      self,
      path: pathlib.Path,
      with_parts: Callable[[Mapping[str, Any]], bool],
  ) -> Mapping[str, Any]:
    """Restores one checkpoint or raises one of `_READ_ERRORS`."""
    manifest = json.loads((path / _MANIFEST).read_text(encoding='utf-8'))
    if not {'state', 'sizes'} <= set(manifest):
      raise ValueError(f'{_MANIFEST} is damaged')
    for name, size in manifest['sizes'].items():
      found = (path / name).stat().st_size
      if found != size:
        raise ValueError(f'{name} has {found} bytes of {size}')
    status = self._checkpoint.read(str(path / _PREFIX))
    status.assert_existing_objects_matched().expect_partial()
    if with_parts(manifest['state']):
      for part in self._parts:
        part.restore(path)
    return manifest['state']

  def _prune(self) -> None:
    for path in checkpoints_in(self._directory)[:-_KEPT]:
      shutil.rmtree(path, ignore_errors=True)
    for path in self._directory.glob(_BROKEN + '*'):
      shutil.rmtree(path, ignore_errors=True)


def checkpoints_in(directory: pathlib.Path) -> list[pathlib.Path]:
  """Returns the checkpoints in `directory`, oldest first."""
  if not directory.is_dir():
    return []
  return sorted(
      path
      for path in directory.iterdir()
      if path.name.replace('-', '').isdigit()
  )


def step_of(checkpoint: pathlib.Path) -> int:
  """Returns the first count of a checkpoint.

  Args:
    checkpoint: Its directory.
  """
  return int(checkpoint.name.partition('-')[0])
