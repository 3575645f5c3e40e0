"""The interface of a replay: where steps come in, and batches come out.

A collector adds steps, a learner samples sequences of them, and a checkpoint
saves and restores them. None of the three knows more of a replay than this.
"""

import abc
from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import dataclasses
import pathlib
from typing import Any, Optional

from absl import logging
import numpy as np
import tensorflow as tf

from r2i_tf.replay import held_out
from r2i_tf.replay import sampling as sampling_lib


@dataclasses.dataclass(frozen=True)
class Size:
  """How large a replay is.

  Attributes:
    capacity: Steps that it holds, over all streams.
    step_bytes: Bytes that it takes for each of them.
    chunk: Of a replay on disk, the steps that are in memory until so many have
      come and are written; None for a replay whose steps are all in memory.
  """

  capacity: int
  step_bytes: int
  chunk: Optional[int] = None

  @property
  def memory_bytes(self) -> int:
    """Bytes that its steps take in the memory of this process."""
    steps = self.capacity if self.chunk is None else self.chunk
    return steps * self.step_bytes

  @property
  def disk_bytes(self) -> int:
    """Bytes on disk of a replay that is full, beside those of checkpoints."""
    return 0 if self.chunk is None else self.capacity * self.step_bytes


class Replay(abc.ABC):
  """The experience that is kept.

  Steps come in as streams, one for each environment: sequences of steps that
  follow one another, through the ends of episodes. A sequence that is sampled
  lies within one stream.

  Attributes:
    report: Takes one line for the user, about files that cannot be read; by
      default it is logged.
    is_read_only: Whether it only reads the files of a run, which may go on, and
      leaves them all as they are; false unless it is set.
    fault: What went wrong inside of it, if anything did. TensorFlow, which
      calls it, passes on no more of an exception than its text.
  """

  def __init__(
      self,
      data_spec: Any,
      streams: int,
      capacity: int,
      directory: Optional[pathlib.Path] = None,
  ):
    """Makes an empty replay; touches no file.

    Args:
      data_spec: A nest of tensor specs, of one step of one stream.
      streams: How many there are.
      capacity: Steps to keep, over all streams. Every stream has the same
        share, so that a remainder is dropped.
      directory: Where it may keep files while the run goes on, beside those in
        checkpoints; not made yet, unless the run has stopped before.
    """
    self.data_spec = data_spec
    self.streams = streams
    self.directory = directory
    self.is_read_only = False
    self.fault: Optional[Exception] = None
    self.report: Callable[[str], Any] = logging.warning
    self.size = self.size_of(data_spec, streams, capacity)

  @classmethod
  @abc.abstractmethod
  def size_of(cls, data_spec: Any, streams: int, capacity: int) -> Size:
    """Returns how large a replay would be, and makes none.

    Args:
      data_spec: As for the constructor.
      streams: As for the constructor.
      capacity: As for the constructor.
    """

  @abc.abstractmethod
  def add(self, steps: Any) -> Any:
    """Adds the next step of every stream; an observer for a driver.

    Args:
      steps: A nest like `data_spec` of tensors [streams, ...].

    Returns:
      In a graph, the operation that adds them.
    """

  @abc.abstractmethod
  def sample(
      self,
      batch_size: int,
      sequence_length: int,
      sampling: sampling_lib.Sampling = sampling_lib.UNIFORM,
  ) -> tf.data.Dataset:
    """Returns batches of sequences without end.

    Each batch is drawn when it is asked for, from the steps held then.
    One fetched ahead would depend on the timing of threads, and the same seed
    would no longer give the same run.

    Args:
      batch_size: Sequences in a batch (B).
      sequence_length: Steps in a sequence (T).
      sampling: How they are drawn.

    Returns:
      A dataset of nests like `data_spec` of tensors [B, T, ...].
    """

  def has_sequence(
      self,
      sequence_length: int,
      part: held_out.Part = held_out.Part.ALL,
  ) -> bool:
    """Returns whether there are so many steps in a row to be sampled.

    Once a run has collected its prefill there are, unless files were lost.

    Args:
      sequence_length: Steps in a sequence (T).
      part: The steps that it is to be sampled from.
    """
    del sequence_length
    return part != held_out.Part.HELD_OUT

  @contextlib.contextmanager
  def raising(self) -> Iterator[None]:
    """Within it, a fault of the replay is raised as it was, by no other name.

    Raises:
      Exception: `fault`, in place of the error of TensorFlow that repeats it.
    """
    try:
      yield
    except tf.errors.OpError:
      if self.fault is None:
        raise
    else:
      return
    # Not in the block above, whose error would only repeat this one.
    raise self.fault

  @abc.abstractmethod
  def save(
      self, directory: pathlib.Path, earlier: Optional[pathlib.Path]
  ) -> None:
    """Writes all steps that it holds.

    Args:
      directory: Of the new checkpoint; it holds nothing of the replay.
      earlier: The directory of a checkpoint that this run went through, whose
        files may be linked to in place of writing them again; None if there is
        none.

    Raises:
      OSError: A file cannot be written.
    """

  @abc.abstractmethod
  def restore(self, directory: pathlib.Path) -> None:
    """Takes in the steps that `save` has written, and drops all others.

    Args:
      directory: Of the checkpoint.

    Raises:
      OSError: A file is not there.
      ValueError: Steps are missing, or are not like `data_spec`.
      KeyError: A part of the steps is missing.
      zipfile.BadZipFile: A file is damaged.
    """


def step_bytes(data_spec: Any) -> int:
  """Returns how many bytes the tensors of one step have.

  Args:
    data_spec: A nest of tensor specs.
  """
  return sum(
      int(np.prod(spec.shape)) * spec.dtype.size
      for spec in tf.nest.flatten(data_spec)
  )
