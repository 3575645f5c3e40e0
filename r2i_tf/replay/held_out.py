"""Steps that a run does not train on: what it is looked at with.

With L the length of a sequence, the steps of every stream whose numbers lie in

  [q 32 L + 4 L, q 32 L + 5 L)    for q = 0, 1, 2, ...

are held out: room for one sequence in 32, the first of them early enough for a
short run. Which steps these are follows from their numbers alone, so that it is
the same for every replay, and for a run that goes on. A model that knows its
replay by heart shows it there, and nowhere else.
"""

from collections.abc import Sequence
import dataclasses
import enum
from typing import Optional

import numpy as np

_PERIOD, _FIRST = 32, 4  # In lengths of a sequence.


class Part(enum.Enum):
  """The steps of a replay that sequences are drawn from."""

  ALL = 'all'
  TRAINED = 'trained'  # But those held out.
  HELD_OUT = 'held_out'  # Those alone.


@dataclasses.dataclass(frozen=True)
class Selection:
  """Which sequences lie in a part of a replay.

  A replay that keeps fewer than 32 L steps of a stream holds none out: there
  would be times when it had none of them, and others with little else.

  Attributes:
    part: The part.
    length: Steps of a sequence (L).
    kept: Steps of a stream that the replay keeps; None for any number.
  """

  part: Part
  length: int
  kept: Optional[int] = None

  def bounds(self, held: Sequence[range]) -> np.ndarray:
    """Returns the stretches of the part's steps, in order.

    Args:
      held: Stretches of steps that the replay holds, in order.

    Returns:
      int64 [n, 2], the first step of each, and the one after its last. Some may
      be empty. No sequence of the part runs from one to the next.
    """
    if self._takes_all:
      return np.array(
          [(stretch.start, stretch.stop) for stretch in held], np.int64
      ).reshape([-1, 2])
    if self._reserves_nothing:
      return np.empty([0, 2], np.int64)
    first, size = self._first_and_size
    parts = [np.empty([0, 2], np.int64)]
    for stretch in held:
      begins = np.arange(
          (stretch.start - first - size) // self._period,
          (stretch.stop - first) // self._period + 1,
          dtype=np.int64,
      )
      begins = begins * self._period + first
      piece = np.stack([begins, begins + size], 1)
      parts.append(np.clip(piece, stretch.start, stretch.stop))
    return np.concatenate(parts)

  def includes(self, starts: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Returns which sequences lie in the part, whole: bool [n].

    Args:
      starts: The number of the first step of each, int64 [n].
      steps: How many steps each has, int64 [n], at most L.
    """
    if self._takes_all or self._reserves_nothing:
      return np.full(np.shape(starts), self._takes_all)
    first, size = self._first_and_size
    return (starts - first) % self._period + steps <= size

  @property
  def _reserves_nothing(self) -> bool:
    return self.kept is not None and self.kept < self._period

  @property
  def _takes_all(self) -> bool:
    return self.part == Part.ALL or (
        self.part == Part.TRAINED and self._reserves_nothing
    )

  @property
  def _period(self) -> int:
    return _PERIOD * self.length

  @property
  def _first_and_size(self) -> tuple[int, int]:
    """The first step of the part's stretch in a period, and its steps."""
    if self.part == Part.HELD_OUT:
      return _FIRST * self.length, self.length
    return (_FIRST + 1) * self.length, (_PERIOD - 1) * self.length
