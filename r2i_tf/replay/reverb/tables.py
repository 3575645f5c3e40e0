"""The tables of a replay server, and the arithmetic of its rate limiter.

  experience   sequences of a fixed length, one for each stride of steps
  weights      what the learner published last: one item
  identity     what the server is for: one item, JSON
  reports      what the collectors have done, read once: JSON

With sequences of L steps, one for each S steps that come in, and s samples for
each of them,

  replayed steps for each environment step = s L / S,
  capacity in sequences = steps / S.
"""

from collections.abc import Sequence
import dataclasses
import math
from typing import Any, Optional

import reverb
import tensorflow as tf

from r2i_tf import errors

EXPERIENCE = 'experience'
WEIGHTS = 'weights'
IDENTITY = 'identity'
REPORTS = 'reports'
_LONGEST_CHUNK = 128
_SHORTEST_STRIDE = 16
_REPORTS = 100_000  # A learner may be away for as long as they last.


@dataclasses.dataclass(frozen=True)
class Settings:
  """How the experience is cut, kept and paced.

  Attributes:
    sequence_length: Steps in a sequence (L).
    stride: Steps from the start of one to the start of the next (S).
    capacity: Sequences that are kept.
    min_size: Sequences that have to be there before the first is sampled.
    samples_per_insert: How often each is sampled, in the mean (s).
    error_buffer: How far the samples may be off, either way.
    episode_starts: The probability that a sequence starts at the first step of
      an episode.
    whole_episodes: Whether a sequence is one episode, cut or padded.
  """

  sequence_length: int
  stride: int
  capacity: int
  min_size: int
  samples_per_insert: float
  error_buffer: float
  episode_starts: float = 0.0
  whole_episodes: bool = False

  @classmethod
  def of(
      cls,
      sequence_length: int,
      batch_size: int,
      capacity: int,
      prefill: int,
      train_ratio: float,
      stride: Optional[int] = None,
      episode_starts: float = 0.0,
      whole_episodes: bool = False,
  ) -> 'Settings':
    """Returns the settings for what a run is configured with.

    Args:
      sequence_length: L.
      batch_size: Sequences in a batch.
      capacity: Steps to keep.
      prefill: Steps that have to be there before training.
      train_ratio: Replayed steps for each step that comes in.
      stride: S, a divisor of L; None for the default.
      episode_starts: As the attribute.
      whole_episodes: As the attribute.

    Raises:
      errors.RunError: The rate limiter could never be satisfied.
    """
    stride = stride or default_stride(sequence_length)
    sequences = capacity // stride
    min_size = max(1, (prefill - sequence_length) // stride + 1)
    if min_size > sequences:
      raise errors.RunError(
          f'prefill = {prefill:,} steps are {min_size:,} sequences with a'
          f' stride of {stride}, but replay.capacity = {capacity:,} keeps only'
          f' {sequences:,}, so that training would never begin: lower prefill'
          ' or raise replay.capacity.'
      )
    samples_per_insert = train_ratio * stride / sequence_length
    return cls(
        sequence_length=sequence_length,
        stride=stride,
        capacity=sequences,
        min_size=min_size,
        samples_per_insert=samples_per_insert,
        # Whole batches, one in the train step and one on its way, and whole
        # inserts: less could block both sides.
        error_buffer=2 * max(1.0, samples_per_insert, float(batch_size)),
        episode_starts=episode_starts,
        whole_episodes=whole_episodes,
    )

  @property
  def chunk_length(self) -> int:
    """Steps that are compressed and sent together; divides S and L.

    A sequence then consists of whole chunks, and none is stored twice.
    """
    return max(n for n in range(1, _LONGEST_CHUNK + 1) if self.stride % n == 0)


def default_stride(sequence_length: int) -> int:
  """Returns the divisor of L that is near L / 8, and not far below 16.

  Args:
    sequence_length: L.
  """
  most = max(
      1, sequence_length // 8, min(_SHORTEST_STRIDE, sequence_length // 4)
  )
  return max(n for n in range(1, most + 1) if sequence_length % n == 0)


def create(settings: Settings, data_spec: Any) -> Sequence[reverb.Table]:
  """Returns the tables of a server.

  Args:
    settings: Of the experience.
    data_spec: A nest of tensor specs, of one step.
  """
  signature = tf.nest.map_structure(
      lambda spec: tf.TensorSpec(
          [settings.sequence_length, *spec.shape], spec.dtype
      ),
      data_spec,
  )
  return [
      reverb.Table(
          EXPERIENCE,
          sampler=reverb.selectors.Uniform(),
          remover=reverb.selectors.Fifo(),
          max_size=settings.capacity,
          rate_limiter=reverb.rate_limiters.SampleToInsertRatio(
              settings.samples_per_insert,
              settings.min_size,
              settings.error_buffer,
          ),
          signature=signature,
      ),
      _small(WEIGHTS, 1),
      _small(IDENTITY, 1),
      _small(REPORTS, _REPORTS, max_times_sampled=1),
  ]


def differences(
    settings: Settings, info: reverb.server.reverb_types.TableInfo
) -> list[tuple[str, float, float]]:
  """Returns (name, found, configured) of what a server has otherwise.

  A checkpoint that Reverb loads brings its settings with it, in silence.

  Args:
    settings: What was configured.
    info: Of the table `EXPERIENCE`.
  """
  limiter = info.rate_limiter_info
  offset = settings.samples_per_insert * settings.min_size
  pairs = [
      ('its capacity in sequences', info.max_size, settings.capacity),
      (
          'its samples for each sequence',
          limiter.samples_per_insert,
          settings.samples_per_insert,
      ),
      (
          'its first sequences',
          limiter.min_size_to_sample,
          settings.min_size,
      ),
      (
          'its tolerance in samples',
          limiter.max_diff - offset,
          settings.error_buffer,
      ),
  ]
  return [
      (name, found, configured)
      for name, found, configured in pairs
      if not math.isclose(found, configured, rel_tol=1e-6)
  ]


def _small(name: str, size: int, max_times_sampled: int = 0) -> reverb.Table:
  """A table whose oldest items give way, and which blocks nobody."""
  return reverb.Table(
      name,
      sampler=reverb.selectors.Fifo(),
      remover=reverb.selectors.Fifo(),
      max_size=size,
      max_times_sampled=max_times_sampled,
      rate_limiter=reverb.rate_limiters.MinSize(1),
  )
