"""Which sequences of steps a batch has: one sampler for every replay here.

  (seed, number of the draw), the steps that are held -> streams, first steps

A replay numbers the steps of each stream from 0 on, as they come. The sampler
knows those numbers and where episodes begin and end, and nothing of how steps
are kept, so that two replays that hold the same steps give the same batches.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
from typing import Optional

import numpy as np

from r2i_tf import errors
from r2i_tf.replay import episodes
from r2i_tf.replay import held_out

_WORDS = 4  # 64-bit numbers that Philox gives for each value of its counter.


@dataclasses.dataclass(frozen=True)
class Sampling:
  """How sequences are drawn.

  Attributes:
    seed: Of the draws; each is a function of the seed and of its own number.
    episode_starts: The probability that a sequence starts at the first step of
      an episode. All others, and those for which the replay has no such start,
      are drawn uniformly from all sequences.
    whole_episodes: Whether a sequence holds one episode, from its first step to
      its last; a longer one is cut, a shorter one is padded with steps that no
      loss sees. Episodes are equally likely, whatever their length. While the
      replay has none, sequences are drawn uniformly.
    part: The steps that they are drawn from (`held_out`).
  """

  seed: int = 0
  episode_starts: float = 0.0
  whole_episodes: bool = False
  part: held_out.Part = held_out.Part.ALL

  @property
  def knows_episodes(self) -> bool:
    """Whether a draw depends on where episodes begin."""
    return self.whole_episodes or self.episode_starts > 0


UNIFORM = Sampling()


@dataclasses.dataclass(frozen=True)
class Draws:
  """Sequences of one batch.

  Attributes:
    streams: int64 [B].
    starts: The number of the first step, int64 [B].
    lengths: Steps that belong to the sequence, int64 [B]; the rest is padding.
  """

  streams: np.ndarray
  starts: np.ndarray
  lengths: np.ndarray


class NoSequenceError(errors.RunError):
  """The replay holds no sequence of the length asked for."""


class Sampler:
  """Draws sequences of one length from what a replay holds."""

  def __init__(
      self,
      sampling: Sampling,
      streams: int,
      length: int,
      step_types: Callable[[range], np.ndarray],
      kept: Optional[int] = None,
  ):
    """Draws nothing yet.

    Args:
      sampling: How.
      streams: Streams of the replay.
      length: Steps of a sequence (T).
      step_types: Returns the step types [streams, n] of a range of n steps that
        the replay holds; called only where episodes have to be known.
      kept: Steps of a stream that the replay keeps; None for any number.
    """
    self._sampling, self._streams, self._length = sampling, streams, length
    self._selection = held_out.Selection(sampling.part, length, kept)
    self._episodes = episodes.Episodes(
        streams,
        length,
        sampling.whole_episodes,
        step_types,
        self._selection.includes,
    )

  def draw(self, first: int, count: int, held: Sequence[range]) -> Draws:
    """Draws some sequences.

    Args:
      first: The number of the first draw. Draws `first` to `first + count` are
        the same, whether they are drawn in one call or in several.
      count: How many.
      held: Stretches of steps without a gap that the replay holds, in order. No
        sequence runs from one to the next.

    Raises:
      NoSequenceError: None of them has a sequence of the part.
    """
    uniforms = _uniforms(self._sampling.seed, first, count)
    streams = _below(uniforms[:, 0], self._streams)
    starts = self._uniform_starts(uniforms[:, 1], held)
    lengths = np.full([count], self._length, np.int64)
    if self._sampling.knows_episodes:
      known = self._episodes.held(held)
      chosen = np.full([count], len(known) > 0)
      if not self._sampling.whole_episodes:
        chosen &= uniforms[:, 2] < self._sampling.episode_starts
      rows = known[_below(uniforms[chosen, 3], len(known))]
      starts[chosen], streams[chosen], lengths[chosen] = rows.T
    return Draws(streams, starts, lengths)

  def _uniform_starts(
      self, uniforms: np.ndarray, held: Sequence[range]
  ) -> np.ndarray:
    """Returns first steps, each that begins a sequence equally likely."""
    firsts, stops = self._selection.bounds(held).T
    counts = np.maximum(0, stops - firsts - self._length + 1)
    ends = np.cumsum(counts)
    if not len(ends) or not ends[-1]:
      raise NoSequenceError(
          f'the replay holds no {self._length} steps in a row; add more before'
          ' sampling, or sample shorter sequences.'
      )
    chosen = _below(uniforms, int(ends[-1]))
    stretches = np.searchsorted(ends, chosen, side='right')
    return chosen - (ends - counts)[stretches] + firsts[stretches]


def _uniforms(seed: int, first: int, count: int) -> np.ndarray:
  """Returns numbers in [0, 1) of some draws, float64 [count, _WORDS]."""
  generator = np.random.Philox(key=seed, counter=first)
  words = generator.random_raw(count * _WORDS).reshape([count, _WORDS])
  return (words >> np.uint64(11)) * 2.0**-53


def _below(uniforms: np.ndarray, end: int) -> np.ndarray:
  """Returns integers in [0, end) of numbers in [0, 1), int64 of that shape."""
  # A product can round up to the end.
  return np.minimum((uniforms * end).astype(np.int64), end - 1)
