"""Observations: spaces of Gymnasium as arrays of `dm_env`.

| space | array |
|---|---|
| Box of uint8 from 0 to 255, two of whose | an image, uint8 [height, width, |
| two or three axes have 8 places or more | channels], of one channel if gray |
| any other Box | a vector, float32 if it is of floats |
| Discrete(n) | one of n, as uint8 [n] |
| MultiDiscrete(n_1 ... n_k) | k times one of n_i, end to end |
| MultiBinary | a vector of 0 and 1 |
| Tuple | its parts end to end; a tuple of arrays if it holds images or dicts |
| Dict | a dict of arrays |

A choice among n is written as n numbers, all 0 but one, since a number from 0
to n - 1 would say that 3 lies between 2 and 4. Vectors have no bounds: several
environments leave theirs. An index beyond its space is a fault, and so is a
number that another dtype would change.
"""

from collections.abc import Callable
from collections.abc import Mapping
import re
from typing import Any, NamedTuple, Optional

from dm_env import specs as dm_specs
from gymnasium import spaces
import numpy as np

from r2i_tf import schema
from r2i_tf import specs
from r2i_tf.environments import casts
from r2i_tf.environments import errors
from r2i_tf.environments import image_spaces
from r2i_tf.environments.suites import gymnasium as gymnasium_lib

_Path = tuple[Any, ...]
_PATTERNS = ('ignored_keys', 'vector_keys', 'one_hot_keys')


class Part(NamedTuple):
  """An observation, or a part of it.

  Attributes:
    spec: Specs, nested as the space is.
    convert: From an element of the space to arrays of these specs. Raises
      `errors.StepFault` where it is no such element.
  """

  spec: Any
  convert: Callable[[Any], Any]


def observation(
    space: spaces.Space, options: gymnasium_lib.GymnasiumOptions
) -> Part:
  """Returns the specs of an observation, and how it is made to fit them.

  Args:
    space: Of the observations.
    options: What is left out, and what is an image.

  Raises:
    specs.UnsupportedSpecError: The space, or a part of it, is of another kind,
      too large, or could be taken in two ways.
    schema.ConfigError: An option does not fit the space.
  """
  found = _Spaces(options)
  part = found.part(space, ())
  found.check_patterns()
  if part is None and options.ignored_keys is None:
    raise specs.UnsupportedSpecError(
        f'the observation of the environment is {errors.shortened(space)},'
        ' which has no part, but an agent has to see one.'
    )
  if part is None:
    raise schema.ConfigError(
        f'gymnasium.ignored_keys = {options.ignored_keys!r} matches every key'
        f' of the observation ({found.names}), but one must be left.'
    )
  return part


class _Spaces:
  """Goes through the parts of a space, and remembers their keys."""

  def __init__(self, options: gymnasium_lib.GymnasiumOptions):
    self._options = options
    self._keys: list[str] = []

  @property
  def names(self) -> str:
    """The keys of all parts."""
    return ', '.join(map(repr, self._keys))

  def check_patterns(self) -> None:
    """Refuses an option that names no part."""
    for field in _PATTERNS:
      pattern = getattr(self._options, field)
      schema.require(
          pattern is None
          or any(re.fullmatch(pattern, key) for key in self._keys),
          f'gymnasium.{field} = {pattern!r} matches no whole key of the'
          f' observation, whose keys are {self.names}.',
      )

  def part(self, space: spaces.Space, path: _Path) -> Optional[Part]:
    """Returns the part that a path leads to; None if it is left out."""
    key = specs.key_of(path) or 'observation'
    if path or not isinstance(space, spaces.Dict):
      self._keys.append(key)
      if self._is_in('ignored_keys', key):
        return None
    if isinstance(space, spaces.Dict):
      return self._dict(space, path)
    if isinstance(space, spaces.Tuple):
      return self._tuple(space, path)
    name = specs.part('observation', path)
    if isinstance(space, spaces.Discrete):
      start, count = np.array(space.start), np.array(space.n)
      return self._one_hot(path, space, start, count)
    if isinstance(space, spaces.MultiDiscrete):
      return self._one_hot(path, space, space.start, space.nvec)
    if isinstance(space, spaces.MultiBinary):
      return self._binary(path, space)
    if not isinstance(space, spaces.Box):
      remedy = ': name it in gymnasium.ignored_keys to leave it out'
      raise specs.UnsupportedSpecError(
          f'the {name} of the environment is {errors.shortened(space)}, but R2I'
          ' takes Box, Discrete, MultiDiscrete, MultiBinary, Tuple and Dict'
          f'{remedy if path else ""}.'
      )
    if self._is_in('one_hot_keys', key):
      return self._one_hot_box(path, space)
    options = self._options
    if not self._is_in('vector_keys', key) and image_spaces.is_image(space):
      return Part(*image_spaces.image(name, space, options))
    return self._vector(path, space)

  def _dict(self, space: spaces.Dict, path: _Path) -> Optional[Part]:
    name = specs.part('observation', path)
    parts = self._parts(space.spaces, path)

    def convert(value: Any) -> dict[str, Any]:
      if not isinstance(value, Mapping):
        raise errors.StepFault(
            f'the {name} is {errors.shortened(value)}, but its space is a Dict'
        )
      for key in parts:
        if key not in value:
          raise errors.StepFault(
              f'the {name} lacks {key!r}, which its space has'
          )
      return {key: part.convert(value[key]) for key, part in parts.items()}

    if not parts:
      return None
    return Part({key: part.spec for key, part in parts.items()}, convert)

  def _tuple(self, space: spaces.Tuple, path: _Path) -> Optional[Part]:
    name, count = specs.part('observation', path), len(space.spaces)
    parts = self._parts(dict(enumerate(space.spaces)), path)

    def convert(value: Any) -> tuple:
      if not hasattr(value, '__len__') or len(value) != count:
        raise errors.StepFault(
            f'the {name} is {errors.shortened(value)}, but its space is a Tuple'
            f' of {count}'
        )
      return tuple(part.convert(value[key]) for key, part in parts.items())

    all_specs = tuple(part.spec for part in parts.values())
    if not parts:
      return None
    if not all(map(_is_vector, all_specs)):
      return Part(all_specs, convert)
    size = sum(spec.shape[0] for spec in all_specs)
    self._check_size(path, space, size)
    dtype = np.result_type(*(spec.dtype for spec in all_specs))
    if dtype.kind == 'f':
      dtype = np.dtype(np.float32)
    return Part(
        dm_specs.Array([size], dtype),
        lambda value: np.concatenate(convert(value)).astype(dtype),
    )

  def _parts(
      self, parts: Mapping[Any, spaces.Space], path: _Path
  ) -> dict[Any, Part]:
    """Returns those that are not left out."""
    found = {key: self.part(s, (*path, key)) for key, s in parts.items()}
    return {key: part for key, part in found.items() if part is not None}

  def _vector(self, path: _Path, space: spaces.Box) -> Part:
    name = specs.part('observation', path)
    size = int(np.prod(space.shape, dtype=np.int64))
    self._check_size(path, space, size)
    floats = space.dtype.kind == 'f'
    dtype = np.dtype(np.float32) if floats else space.dtype
    return Part(
        dm_specs.Array([size], dtype),
        # A copy: the environment may go on writing into its own array.
        lambda value: casts.cast(
            name, casts.shaped(name, value, space.shape), dtype
        ).flatten(),
    )

  def _binary(self, path: _Path, space: spaces.MultiBinary) -> Part:
    name = specs.part('observation', path)
    size = int(np.prod(space.shape, dtype=np.int64))
    self._check_size(path, space, size)
    start = np.zeros(space.shape, np.int64)
    return Part(
        dm_specs.Array([size], np.uint8),
        lambda value: casts.indices(name, value, start, start + 2)
        .reshape(-1)
        .astype(np.uint8),
    )

  def _one_hot(
      self,
      path: _Path,
      space: spaces.Space,
      start: np.ndarray,
      count: np.ndarray,
  ) -> Part:
    """Returns one of `count` for each number, which begins at `start`."""
    name = specs.part('observation', path)
    start, count = start.astype(np.int64), count.astype(np.int64)
    size = int(np.sum(count.astype(object)))
    self._check_size(path, space, size)
    first = np.cumsum(count.reshape(-1)) - count.reshape(-1)

    def convert(value: Any) -> np.ndarray:
      index = casts.indices(name, value, start, count)
      vector = np.zeros(size, np.uint8)
      vector[first + index.reshape(-1)] = 1
      return vector

    return Part(dm_specs.Array([size], np.uint8), convert)

  def _one_hot_box(self, path: _Path, space: spaces.Box) -> Part:
    name, options = specs.part('observation', path), self._options
    schema.require(
        space.dtype.kind in 'iu',
        f'gymnasium.one_hot_keys = {options.one_hot_keys!r} matches the {name},'
        f' which is {errors.shortened(space)}, but only integers can be'
        ' one-hot.',
    )
    low, high = space.low.astype(object), space.high.astype(object)
    count = high - low + 1
    if options.one_hot_classes is not None:
      count = np.minimum(count, options.one_hot_classes)
    size = int(np.sum(count))
    schema.require(
        size <= specs.MAX_VECTOR,
        f'gymnasium.one_hot_keys = {options.one_hot_keys!r} makes {size:,}'
        f' numbers of the {name}, but R2I takes vectors of at most'
        f' {specs.MAX_VECTOR:,}: say in gymnasium.one_hot_classes how many'
        ' values there are.',
    )
    return self._one_hot(path, space, low, count)

  def _check_size(self, path: _Path, space: spaces.Space, size: int) -> None:
    """Refuses a vector that is too large, unless an option names it."""
    if not self._is_in('vector_keys', specs.key_of(path) or 'observation'):
      name = specs.part('observation', path)
      specs.check_vector(name, errors.shortened(space), size, 'gymnasium')

  def _is_in(self, field: str, key: str) -> bool:
    pattern = getattr(self._options, field)
    return pattern is not None and bool(re.fullmatch(pattern, key))


def _is_vector(spec: Any) -> bool:
  return isinstance(spec, dm_specs.Array) and len(spec.shape) == 1
