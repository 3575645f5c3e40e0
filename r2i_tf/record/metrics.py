"""The record of a run: `metrics.jsonl` for programs, TensorBoard for eyes.

A record holds the return and the step of every episode that finished since the
one before it, so that the whole learning curve can be drawn from the file.
`records` reads it and lists its fields.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import json
import math
import os
import pathlib
from typing import Any

import tensorflow as tf

from r2i_tf import errors
from r2i_tf import files
from r2i_tf.record import records


class MetricsWriter:
  """Appends records to both files, also to new ones where they were deleted.

  What a full disk does not take is kept and written with the next record.
  """

  def __init__(
      self,
      path: pathlib.Path,
      tensorboard: pathlib.Path,
      first_step: int,
      first_train_step: int,
      prepare: Callable[[], None],
  ):
    """Opens the files, and cuts the records beyond the last checkpoint.

    Args:
      path: The JSON Lines file.
      tensorboard: The directory of the TensorBoard events.
      first_step: Environment steps at which this start goes on; records beyond
        them, and a last line that is not whole, are dropped.
      first_train_step: Train steps there, beyond which records are dropped,
        too.
      prepare: Called before something is written: sees to the directory, and
        may raise what `write` then passes on.

    Raises:
      errors.RunError: One of them cannot be opened.
    """
    self._prepare = prepare
    self._path = path
    self._tensorboard = tensorboard
    self._unwritten = b''
    try:
      _cut(path, first_step, first_train_step)
      self._append()
      self._summaries = tf.summary.create_file_writer(str(tensorboard))
    except (OSError, tf.errors.OpError) as error:
      raise self._explained(error) from error

  def write(
      self, record: Mapping[str, Any], finished: Sequence[records.Episode]
  ) -> None:
    """Writes one record and flushes it.

    Args:
      record: Names to numbers or None, with the environment steps among them.
      finished: The episodes since the last record.

    Raises:
      errors.RunError: It cannot be written now. `metrics.jsonl` gets it with
        the next one, TensorBoard does not.
    """
    line = {name: _plain(value) for name, value in record.items()}
    line['episode_steps'] = [e.environment_step for e in finished]
    line['episode_returns'] = [_plain(e.episode_return) for e in finished]
    names = dict.fromkeys(name for e in finished for name in e.info)
    if names:
      line['episode_info'] = {
          name: [_plain(e.info.get(name)) for e in finished] for name in names
      }
    self._unwritten += json.dumps(line).encode() + b'\n'
    try:
      self._append()
      self._summarize(record)
    except (OSError, tf.errors.OpError) as error:
      raise self._explained(error) from error

  def show(self, step: int, pictures: Mapping[str, bytes]) -> None:
    """Writes pictures for TensorBoard.

    Args:
      step: Environment steps.
      pictures: PNGs by title.

    Raises:
      errors.RunError: They cannot be written.
    """
    try:
      self._prepare()
      self._find_summaries()
      with self._summaries.as_default(step=step):
        for title, png in pictures.items():
          image = tf.io.decode_png(png, channels=3)
          tf.summary.image(title, image[tf.newaxis])
      self._summaries.flush()
    except (OSError, tf.errors.OpError) as error:
      raise self._explained(error) from error

  def close(self) -> None:
    """Closes the files."""
    self._summaries.close()

  def _append(self) -> None:
    """Writes what is not written yet, all of it or nothing."""
    self._prepare()
    # Opened each time: the file that was there may have been deleted.
    with open(self._path, 'ab', buffering=0) as file:
      size = file.tell()
      try:
        rest = memoryview(self._unwritten)
        while rest:  # A disk takes what still fits before it says anything.
          rest = rest[file.write(rest) :]
      except OSError:
        os.ftruncate(file.fileno(), size)
        raise
    self._unwritten = b''

  def _summarize(self, record: Mapping[str, Any]) -> None:
    """Writes a record for TensorBoard."""
    self._find_summaries()
    with self._summaries.as_default(step=record[records.STEP]):
      for name, value in record.items():
        if value is not None and name != records.STEP:
          tf.summary.scalar(name, value)
    self._summaries.flush()

  def _find_summaries(self) -> None:
    """Makes new events, if those that were there have been deleted."""
    if not any(self._tensorboard.glob('*')):
      # TensorFlow would go on writing to the file that was deleted.
      self._summaries = tf.summary.create_file_writer(str(self._tensorboard))

  def _explained(self, error: Exception) -> errors.RunError:
    """Returns the error that tells the user what cannot be written, and why."""
    if isinstance(error, tf.errors.OpError):
      path = self._tensorboard
    else:
      path = self._path
    return errors.RunError(
        f'the record {path} cannot be written: {errors.first_line(error)}.'
    )


def _cut(path: pathlib.Path, step: int, train_step: int) -> None:
  """Keeps the whole records up to these counts only."""
  if not path.exists():
    return
  kept = [
      record
      for record in records.read(path)
      if record[records.STEP] <= step
      and record.get(records.TRAIN_STEP, 0) <= train_step
  ]
  text = ''.join(json.dumps(record) + '\n' for record in kept)
  if text != path.read_text(encoding='utf-8', errors='replace'):
    files.write_text(path, text)


def _plain(value: Any) -> Any:
  """Returns `value` as JSON has it, which knows no NaN and no infinity."""
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value
