"""Spaces of Gymnasium as arrays of `dm_env`.

Observations:

| space | array |
|---|---|
| Box of uint8 [height, width, channels] | an image, brought to one size |
| any other Box | a vector, float32 if it is of floats |
| Discrete(n) | one of n, as uint8 [n] |
| MultiDiscrete(n_1 ... n_k) | k times one of n_i, end to end |
| MultiBinary | a vector of 0 and 1 |
| Tuple | its parts end to end; a tuple of arrays if it holds images or dicts |
| Dict | a dict of arrays |

A choice among n is written as n numbers, all 0 but one, since a number from 0
to n - 1 would say that 3 lies between 2 and 4. Vectors have no bounds: several
environments leave theirs.

Actions: Discrete is an integer, MultiDiscrete and MultiBinary are a vector of
them (or one, see `joined`), and Box is an array within its bounds.
"""

from collections.abc import Callable
from typing import Any

from dm_env import specs as dm_specs
from gymnasium import spaces
import numpy as np

from r2i_tf import specs
from r2i_tf.environments import images

Convert = Callable[[Any], Any]


def observation(space: spaces.Space, image_size: int) -> tuple[Any, Convert]:
  """Returns the specs of an observation and a function that makes it fit them.

  Args:
    space: Of the observations.
    image_size: Height and width of images.

  Returns:
    Specs, nested as the space is; a function from an element of the space to
    arrays of these specs.

  Raises:
    specs.UnsupportedSpecError: The space is of another kind.
  """
  if isinstance(space, spaces.Dict):
    parts = {k: observation(s, image_size) for k, s in space.spaces.items()}
    converts = {key: convert for key, (_, convert) in parts.items()}
    return (
        {key: spec for key, (spec, _) in parts.items()},
        lambda x: {key: converts[key](x[key]) for key in converts},
    )
  if isinstance(space, spaces.Box) and _is_image(space):
    shape = [image_size, image_size, space.shape[-1]]
    spec = dm_specs.BoundedArray(shape, np.uint8, 0, 255)
    return spec, lambda x: images.resized(x, image_size)
  if isinstance(space, spaces.Tuple) and not _is_vector(space):
    pairs = [observation(s, image_size) for s in space.spaces]
    return (
        tuple(spec for spec, _ in pairs),
        lambda x: tuple(c(part) for (_, c), part in zip(pairs, x)),
    )
  if not _is_vector(space):
    raise specs.UnsupportedSpecError(
        f'the observation of the environment is {space}, but R2I takes Box,'
        ' Discrete, MultiDiscrete, MultiBinary, Tuple and Dict.'
    )
  size = spaces.flatdim(space)
  dtype = _vector_dtype(space)
  return (
      dm_specs.Array([size], dtype),
      lambda x: np.asarray(spaces.flatten(space, x)).astype(dtype),
  )


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
    low, high = int(space.start), int(space.start + space.n) - 1
    return dm_specs.BoundedArray([], np.int32, low, high), int
  if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
    if joined:
      count = int(np.prod(space.nvec))
      return (
          dm_specs.BoundedArray([], np.int32, 0, count - 1),
          lambda x: np.stack(np.unravel_index(x, space.nvec)) + space.start,
      )
    last = space.start + space.nvec - 1
    spec = dm_specs.BoundedArray(space.shape, np.int32, space.start, last)
    return spec, lambda x: np.asarray(x, space.dtype)
  if isinstance(space, spaces.MultiBinary) and len(space.shape) == 1:
    spec = dm_specs.BoundedArray(space.shape, np.int32, 0, 1)
    return spec, lambda x: np.asarray(x, space.dtype)
  if isinstance(space, spaces.Box):
    spec = dm_specs.BoundedArray(
        space.shape, space.dtype, space.low, space.high
    )
    return spec, lambda x: np.asarray(x, space.dtype)
  raise specs.UnsupportedSpecError(
      f'the action of the environment is {space}, but R2I takes Discrete, Box,'
      ' and MultiDiscrete or MultiBinary of rank 1.'
  )


def _is_image(space: spaces.Box) -> bool:
  return specs.is_image(space.shape, space.dtype)


def _is_vector(space: spaces.Space) -> bool:
  """Returns whether `space` is written as one vector."""
  if isinstance(space, spaces.Tuple):
    return all(map(_is_vector, space.spaces))
  kinds = (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
  return isinstance(space, kinds) or (
      isinstance(space, spaces.Box) and not _is_image(space)
  )


def _vector_dtype(space: spaces.Space) -> np.dtype:
  """Returns the dtype; uint8 for numbers that are 0 or 1: replay is large."""
  if isinstance(space, spaces.Tuple):
    return np.result_type(*map(_vector_dtype, space.spaces))
  if isinstance(space, spaces.Box):
    floats = np.issubdtype(space.dtype, np.floating)
    return np.dtype(np.float32 if floats else space.dtype)
  return np.dtype(np.uint8)
