"""Actions: spaces of Gymnasium as arrays of `dm_env`.

| space | array |
|---|---|
| Discrete | an integer |
| MultiDiscrete of rank 1 | a vector of integers; or one integer, see `joined` |
| MultiBinary of rank 1 | a vector of 0 and 1 |
| Box | an array within its bounds; of 0 and 1 if it is of booleans |
"""

from collections.abc import Callable
from typing import Any

from dm_env import specs as dm_specs
from gymnasium import spaces
import numpy as np

from r2i_tf import specs
from r2i_tf.environments import errors

Convert = Callable[[Any], Any]


def action(space: spaces.Space, joined: bool) -> tuple[dm_specs.Array, Convert]:
  """Returns the spec of an action and a function to an element of the space.

  Args:
    space: Of the actions.
    joined: MultiDiscrete is one integer, which counts all combinations, the
      last number running fastest.

  Raises:
    specs.UnsupportedSpecError: The space is of another kind.
  """
  if isinstance(space, spaces.Discrete):
    low = int(space.start)
    return _integers((), low, low + int(space.n) - 1), int
  if isinstance(space, spaces.MultiDiscrete) and len(space.shape) == 1:
    start, counts = space.start.astype(np.int64), space.nvec.astype(np.int64)
    if joined:
      return (
          _integers((), 0, int(np.prod(counts)) - 1),
          lambda x: np.asarray(
              np.stack(np.unravel_index(x, counts)) + start, space.dtype
          ),
      )
    spec = _integers(space.shape, start, start + counts - 1)
    return spec, lambda x: np.asarray(x, space.dtype)
  if isinstance(space, spaces.MultiBinary) and len(space.shape) == 1:
    spec = _integers(space.shape, 0, 1)
    return spec, lambda x: np.asarray(x, space.dtype)
  if isinstance(space, spaces.Box) and space.dtype == np.bool_:
    spec = _integers(space.shape, space.low, space.high)
    return spec, lambda x: np.asarray(x, space.dtype)
  if isinstance(space, spaces.Box):
    spec = dm_specs.BoundedArray(
        space.shape, space.dtype, space.low, space.high
    )
    return spec, lambda x: np.asarray(x, space.dtype)
  raise specs.UnsupportedSpecError(
      f'the action of the environment is {errors.shortened(space)}, but R2I'
      ' takes Discrete, Box, and MultiDiscrete or MultiBinary of rank 1.'
  )


def _integers(
    shape: tuple[int, ...], minimum: Any, maximum: Any
) -> dm_specs.BoundedArray:
  """Returns the spec of integers, int32 unless their bounds need more."""
  least, most = np.min(minimum, initial=0), np.max(maximum, initial=0)
  bounds = np.iinfo(np.int32)
  small = bounds.min <= least and most <= bounds.max
  dtype = np.int32 if small else np.int64
  return dm_specs.BoundedArray(shape, dtype, minimum, maximum)
