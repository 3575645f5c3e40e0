"""The record of a run: `metrics.jsonl` for programs, TensorBoard for eyes.

A record holds the return and the step of every episode that finished since the
one before it, so that the whole learning curve can be drawn from the file.
`records` reads it and lists its fields.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import json
import math
import pathlib
from typing import Any

import tensorflow as tf

from r2i_tf import errors
from r2i_tf import files
from r2i_tf.record import records


class MetricsWriter:
  """Appends records to both files."""

  def __init__(
      self,
      path: pathlib.Path,
      tensorboard: pathlib.Path,
      first_step: int,
      first_train_step: int,
  ):
    """Opens the files, and cuts the records beyond the last checkpoint.

    Args:
      path: The JSON Lines file.
      tensorboard: The directory of the TensorBoard events.
      first_step: Environment steps at which this start goes on; records beyond
        them, and a last line that is not whole, are dropped.
      first_train_step: Train steps there, beyond which records are dropped,
        too.

    Raises:
      errors.RunError: One of them cannot be opened.
    """
    try:
      with contextlib.ExitStack() as stack:
        _cut(path, first_step, first_train_step)
        self._file = stack.enter_context(open(path, 'a', encoding='utf-8'))
        self._summaries = tf.summary.create_file_writer(str(tensorboard))
        stack.pop_all()  # Both are open.
    except OSError as error:
      raise errors.RunError(
          f'the record {path} cannot be written: {error.strerror}.'
      ) from error
    except tf.errors.OpError as error:
      raise errors.RunError(
          f'the record {tensorboard} cannot be written: {error.message}.'
      ) from error

  def write(
      self, record: Mapping[str, Any], finished: Sequence[records.Episode]
  ) -> None:
    """Writes one record and flushes it.

    Args:
      record: Names to numbers or None, with the environment steps among them.
      finished: The episodes since the last record.
    """
    line = {name: _plain(value) for name, value in record.items()}
    line['episode_steps'] = [e.environment_step for e in finished]
    line['episode_returns'] = [_plain(e.episode_return) for e in finished]
    self._file.write(json.dumps(line) + '\n')
    self._file.flush()
    with self._summaries.as_default(step=record[records.STEP]):
      for name, value in record.items():
        if value is not None and name != records.STEP:
          tf.summary.scalar(name, value)
    self._summaries.flush()

  def close(self) -> None:
    """Closes both files."""
    self._file.close()
    self._summaries.close()


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
