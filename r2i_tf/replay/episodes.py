"""Where episodes begin and end in a replay, found as steps come in.

The sampler asks, and only where it has to know. What has come since it last
asked is read then, the step types alone, so that adding steps costs nothing.
"""

from collections.abc import Callable
from collections.abc import Sequence

import numpy as np
from tf_agents.trajectories import time_step as ts

_BLOCK = 2**16  # Steps of each stream that are read at once.
_NONE = -1


class Episodes:
  """The sequences of a replay that begin where an episode does.

  Such a sequence is known once its last step has come. That is the last of T
  steps, or, where whole episodes are asked for, that of the episode, if it is
  shorter. An episode that ends without a LAST step, because its environment
  crashed or the run was started again, is no whole one: to be padded, it would
  have to be over.
  """

  def __init__(
      self,
      streams: int,
      length: int,
      whole: bool,
      step_types: Callable[[range], np.ndarray],
      includes: Callable[[np.ndarray, np.ndarray], np.ndarray],
  ):
    """Reads nothing yet.

    Args:
      streams: Streams of the replay.
      length: Steps of a sequence (T).
      whole: Whether a sequence ends with its episode.
      step_types: Returns the step types [streams, n] of a range of n steps.
      includes: Of first steps and numbers of steps, both [n], returns which
        such sequences are wanted at all, bool [n].
    """
    self._includes = includes
    self._streams, self._length, self._whole = streams, length, whole
    self._step_types = step_types
    self._gaps: set[tuple[int, int]] = set()
    self._forget()

  def _forget(self) -> None:
    """Starts again: all that is held will be read anew."""
    self._known = _Rows()
    self._read_until = 0
    self._open = np.full([self._streams], _NONE, np.int64)

  def held(self, stretches: Sequence[range]) -> np.ndarray:
    """Returns the sequences that are held, int64 [n, 3].

    Args:
      stretches: Steps without a gap that the replay holds, in order.

    Returns:
      (first step, stream, steps) of each, sorted.
    """
    gaps = {(a.stop, b.start) for a, b in zip(stretches, stretches[1:])}
    if gaps - self._gaps:
      self._forget()  # Steps have gone that were held.
    self._gaps = gaps
    # Where episodes do not matter beyond their first steps, a first step counts
    # once the steps that follow it are there.
    wait = 0 if self._whole else self._length - 1
    for stretch in stretches:
      stop = stretch.stop - wait
      if stop > self._read_until:
        self._read(range(max(stretch.start, self._read_until), stop))
    if stretches:
      self._known.drop_before(stretches[0].start)
    return self._known.rows

  def _read(self, steps: range) -> None:
    """Takes in steps that follow one another."""
    if steps.start != self._read_until:
      self._open[:] = _NONE  # Steps are missing before these.
    for begin in range(steps.start, steps.stop, _BLOCK):
      end = min(begin + _BLOCK, steps.stop)
      types = self._step_types(range(begin, end))
      if self._whole:
        self._add_episodes(types, begin)
      else:
        streams, firsts = np.nonzero(types == ts.StepType.FIRST)
        lengths = np.full_like(firsts, self._length)
        self._add(np.stack([firsts + begin, streams, lengths], 1))
      self._read_until = end

  def _add_episodes(self, types: np.ndarray, begin: int) -> None:
    """Adds the whole episodes that end in a block of step types."""
    stop = begin + types.shape[1]
    firsts, lasts = types == ts.StepType.FIRST, types == ts.StepType.LAST
    grown = (self._open != _NONE) & (stop - self._open >= self._length)
    for stream in np.flatnonzero((firsts | lasts).any(1) | grown):
      begins = np.flatnonzero(firsts[stream]) + begin
      if self._open[stream] != _NONE:
        begins = np.append(self._open[stream], begins)
      ends = np.flatnonzero(lasts[stream]) + begin
      self._add(self._of_stream(int(stream), begins, ends, stop))

  def _add(self, rows: np.ndarray) -> None:
    """Adds those of some sequences that are wanted."""
    self._known.add(rows[self._includes(rows[:, 0], rows[:, 2])])

  def _of_stream(
      self, stream: int, begins: np.ndarray, ends: np.ndarray, stop: int
  ) -> np.ndarray:
    """Returns the sequences of one stream that have become known.

    Args:
      stream: Its number.
      begins: First steps of episodes, in order.
      ends: Last steps of episodes, in order.
      stop: The number of the step that will come next.
    """
    never = np.iinfo(np.int64).max
    following = np.append(begins[1:], never)
    ends = np.append(ends, never)[np.searchsorted(ends, begins)]
    is_over = ends < following
    steps = np.minimum(np.where(is_over, ends + 1, following), stop) - begins
    is_known = (steps >= self._length) | is_over
    self._open[stream] = _NONE
    if len(begins) and not is_known[-1]:
      self._open[stream] = begins[-1]
    begins = begins[is_known]
    steps = np.minimum(steps[is_known], self._length)
    return np.stack([begins, np.full_like(begins, stream), steps], 1)


class _Rows:
  """Rows [n, 3] sorted by their first column, in an array that grows.

  Those that are added lie near the end, those that are dropped at the start.
  """

  def __init__(self) -> None:
    self._array = np.empty([16, 3], np.int64)
    self._begin = self._end = 0

  @property
  def rows(self) -> np.ndarray:
    """The rows; they change with the next call."""
    return self._array[self._begin : self._end]

  def add(self, rows: np.ndarray) -> None:
    """Puts rows in their places."""
    if not len(rows):
      return
    place = np.searchsorted(self.rows[:, 0], rows[:, 0].min())
    tail = np.concatenate([self.rows[place:], rows])
    tail = tail[np.lexsort([tail[:, 1], tail[:, 0]])]
    size = place + len(tail)
    if self._begin + size > len(self._array):
      grown = np.empty([2 * size, 3], np.int64)
      grown[:place] = self.rows[:place]
      self._array, self._begin = grown, 0
    self._end = self._begin + size
    self.rows[place:] = tail

  def drop_before(self, first: int) -> None:
    """Drops the rows whose first column is less than `first`."""
    self._begin += int(np.searchsorted(self.rows[:, 0], first))
