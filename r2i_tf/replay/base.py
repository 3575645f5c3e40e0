"""The interface of a replay: where steps come in, and batches come out.

A collector adds steps, a learner samples sequences of them, and a checkpoint
saves and restores them. None of the three knows more of a replay than this.
"""

import abc
import dataclasses
import pathlib
from typing import Any, Optional

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Size:
  """How large a replay is in the memory of this process.

  Attributes:
    capacity: Steps that it holds, over all streams.
    step_bytes: Bytes that it takes for each of them.
  """

  capacity: int
  step_bytes: int

  @property
  def total_bytes(self) -> int:
    """Bytes of a replay that is full."""
    return self.capacity * self.step_bytes


class Replay(abc.ABC):
  """The experience that is kept.

  Steps come in as streams, one for each environment: sequences of steps that
  follow one another, through the ends of episodes. A sequence that is sampled
  lies within one stream.
  """

  def __init__(self, data_spec: Any, streams: int, capacity: int):
    """Makes an empty replay.

    Args:
      data_spec: A nest of tensor specs, of one step of one stream.
      streams: How many there are.
      capacity: Steps to keep, over all streams. Every stream has the same
        share, so that a remainder is dropped.
    """
    self.data_spec = data_spec
    self.streams = streams
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
  def sample(self, batch_size: int, sequence_length: int) -> tf.data.Dataset:
    """Returns batches of sequences without end.

    Each batch is drawn when it is asked for, from the steps held then.
    One fetched ahead would depend on the timing of threads, and the same seed
    would no longer give the same run.

    Args:
      batch_size: Sequences in a batch (B).
      sequence_length: Steps in a sequence (T).

    Returns:
      A dataset of nests like `data_spec` of tensors [B, T, ...].
    """

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
