"""What is to be read off a state: components of what was seen, by name.

A component that is the same at every step says nothing, and neither does one
that the number of the step gives away, such as a clock: both are left out. Of
one that is so at some steps alone, as a bit that is shown at the beginning and
is zero afterwards, those steps do not count.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np
import tree

from r2i_tf import specs

_CLASSES = 6  # A component of at most so many values is one of classes.
_APART = 12  # A vector of more numbers is one target, not one for each.
_TARGETS = 24  # More pictures than these nobody looks at.
_GRID = 8  # Images are looked at as so many rows and columns.


@dataclasses.dataclass(frozen=True)
class Target:
  """A component, or several that are probed together, of each step.

  Attributes:
    name: Such as 'observation[2]'.
    values: int64 [N, T], which of `classes` values it has; or float32 [N, T,
      D], D numbers.
    counts: bool [N, T], the steps of episodes at which it is no constant.
    classes: How many values it has; 0 if it is numbers.
  """

  name: str
  values: np.ndarray
  counts: np.ndarray
  classes: int

  def of_episodes(self, count: int) -> 'Target':
    """Returns the target of the first episodes alone."""
    return dataclasses.replace(
        self, values=self.values[:count], counts=self.counts[:count]
    )

  def of_first_step(self) -> 'Target':
    """Returns what it was at the first step, as a target of all steps."""
    values = np.broadcast_to(self.values[:, :1], self.values.shape)
    counts = np.broadcast_to(self.counts[:, :1], self.counts.shape)
    return Target(f'first {self.name}', values, counts, self.classes)


@dataclasses.dataclass(frozen=True)
class Found:
  """The targets of episodes, and what is none.

  Attributes:
    targets: Those to probe.
    left_out: By the name of a component, why it is none.
  """

  targets: tuple[Target, ...]
  left_out: Mapping[str, str]


def find(
    observation: Any, truths: Mapping[str, np.ndarray], lengths: np.ndarray
) -> Found:
  """Returns the components of observations that can be probed.

  Args:
    observation: A nest of arrays [N, T, ...].
    truths: More of them, by key.
    lengths: Steps of each episode, int64 [N].
  """
  longest = tree.flatten(observation)[0].shape[1]
  within = np.arange(longest) < lengths[:, np.newaxis]
  keyed = {
      specs.key_of(path) or 'observation': array
      for path, array in tree.flatten_with_path(observation)
  }
  targets: list[Target] = []
  left_out: dict[str, str] = {}
  for key, array in {**keyed, **truths}.items():
    if not np.isfinite(array[within]).all():
      left_out[key] = 'it is not a finite number at every step'
      continue
    for name, values, classes in _components(key, array, within):
      counts = within & _is_open(values, within)
      if len(targets) == _TARGETS:
        left_out[name] = f'there are more than {_TARGETS}'
      elif counts.any():
        targets.append(Target(name, values, counts, classes))
      elif _is_constant(values, within):
        left_out[name] = 'it is the same at every step'
      else:
        left_out[name] = 'the number of the step gives it away'
  return Found(tuple(targets), left_out)


def _components(
    key: str, array: np.ndarray, within: np.ndarray
) -> Iterator[tuple[str, np.ndarray, int]]:
  """Yields (name, values, classes) of the components of one array."""
  if specs.is_image(array.shape[2:], array.dtype):
    yield key, _in_grid(array), 0
    return
  flat = array.reshape([*array.shape[:2], -1])
  size = flat.shape[-1]
  if size > 1 and _is_one_of_n(flat[within]):
    yield key, np.argmax(flat, -1), size
  elif size > _APART:
    yield key, flat.astype(np.float32), 0
  else:
    for index in range(size):
      name = f'{key}[{index}]' if size > 1 else key
      yield name, *_of_numbers(flat[..., index], within)


def _of_numbers(
    numbers: np.ndarray, within: np.ndarray
) -> tuple[np.ndarray, int]:
  """Returns the values of one component, and how many there are if few."""
  found = np.unique(numbers[within])
  if len(found) > _CLASSES:
    # From their mean, or what moves little far from zero would not move.
    centered = numbers - np.mean(numbers[within], dtype=np.float64)
    return centered[..., np.newaxis].astype(np.float32), 0
  return np.searchsorted(found, numbers).clip(0, len(found) - 1), len(found)


def _is_one_of_n(steps: np.ndarray) -> bool:
  """Returns whether vectors [M, n] are all zero but for a one."""
  return bool(
      np.all((steps == 0) | (steps == 1)) and np.all(steps.sum(-1) == 1)
  )


def _in_grid(images: np.ndarray) -> np.ndarray:
  """Returns the brightness of images in cells, float32 [N, T, cells]."""
  height, width = images.shape[2:4]
  rows = _edges(height)
  columns = _edges(width)
  gray = np.empty([*images.shape[:2], len(rows) * len(columns)], np.float32)
  for episode, cells in zip(images, gray):
    sums = np.add.reduceat(episode.mean(-1, dtype=np.float32), rows, 1)
    cells[:] = np.add.reduceat(sums, columns, 2).reshape([len(cells), -1])
  return gray * (len(rows) * len(columns) / (255.0 * height * width))


def _edges(side: int) -> np.ndarray:
  """Returns where the cells of a side of an image begin."""
  return np.unique(np.arange(_GRID) * side // _GRID)


def _is_constant(values: np.ndarray, within: np.ndarray) -> bool:
  steps = values[within]
  return bool(np.all(steps == steps[0]))


def _is_open(values: np.ndarray, within: np.ndarray) -> np.ndarray:
  """Returns the steps at which episodes differ, bool [T].

  At all others the number of the step says what the value is.
  """
  wide = values.reshape([*values.shape[:2], -1])
  differs = np.zeros(values.shape[1], bool)
  for step in range(values.shape[1]):
    seen = wide[within[:, step], step]
    differs[step] = len(seen) > 1 and bool(np.any(seen != seen[0]))
  return differs
