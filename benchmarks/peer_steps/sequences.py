"""Random sequences for train steps, as `agents.trajectories` has them.

Only NumPy: each peer has a Python of its own.
"""

from typing import NamedTuple

import numpy as np

from benchmarks.peer_steps import work as work_lib

_EPISODE = 100  # Steps from the first observation to the last.


class Sequences(NamedTuple):
  """A batch [B, T] as DreamerV3 has it: at t is what arrived with o_t.

  Attributes:
    observation: float32 [B, T, seen].
    action: The action taken at o_t, one-hot, float32 [B, T, actions].
    reward: float32 [B, T].
    is_first: bool [B, T].
    is_last: bool [B, T]; every end is a terminal one.
  """

  observation: np.ndarray
  action: np.ndarray
  reward: np.ndarray
  is_first: np.ndarray
  is_last: np.ndarray


def draw(work: work_lib.Work) -> Sequences:
  """Returns episodes of a hundred steps, which follow each other."""
  random = np.random.default_rng(0)
  shape = (work.batch_size, work.length)
  offsets = random.integers(_EPISODE + 1, size=[work.batch_size, 1])
  place = (offsets + np.arange(work.length)) % (_EPISODE + 1)
  actions = random.integers(work.actions, size=shape)
  return Sequences(
      random.uniform(-1, 1, (*shape, work.seen)).astype(np.float32),
      np.eye(work.actions, dtype=np.float32)[actions],
      random.uniform(-1, 1, shape).astype(np.float32),
      place == 0,
      place == _EPISODE,
  )
