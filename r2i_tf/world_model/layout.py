"""Which encoder takes which part of an observation.

An observation is a tensor or a nest of tensors. Each leaf has a key, the path
that leads to it: 'camera/left', or 'observation' where there is no nest. By
shape, a leaf of rank 3 and dtype uint8 is an image and any other leaf a vector;
`image_keys`, `vector_keys` and `ignored_keys` of `WorldModelConfig` say
otherwise for the keys that they match.

All vectors are one vector to the model. Images of one size are one image to it,
stacked by channels. Integers enter as numbers: one of n choices comes
from our environments as n numbers already, all 0 but one.
"""

from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses
import re
from typing import Any, Optional

import numpy as np
import tensorflow as tf
import tree

from r2i_tf import config as agent_config
from r2i_tf import networks
from r2i_tf import schema
from r2i_tf import specs

# The shorter side of an image after the last convolution, at most and at least;
# so it is for every size, by one number of halvings.
_MOST, _LEAST = 7, 4


@dataclasses.dataclass(frozen=True)
class Leaf:
  """One tensor of an observation.

  Attributes:
    key: The path to it.
    index: Its place in `tf.nest.flatten` order.
    shape: Without batch axes.
    dtype: Its dtype.
  """

  key: str
  index: int
  shape: tuple[int, ...]
  dtype: tf.DType

  @property
  def size(self) -> int:
    """How many numbers it holds."""
    return int(np.prod(self.shape))

  def reshaped(self, x: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Returns this leaf `x`, with any batch axes, in another shape."""
    return networks.with_batch_of(x, len(self.shape), x, shape)

  def __str__(self) -> str:
    return f'{self.key!r}, {self.dtype.name} of shape {list(self.shape)}'


@dataclasses.dataclass(frozen=True)
class Vectors:
  """The leaves that together are the vector.

  Attributes:
    leaves: These.
  """

  leaves: tuple[Leaf, ...]

  @property
  def size(self) -> int:
    """How many numbers they hold."""
    return sum(leaf.size for leaf in self.leaves)

  def of(self, observation: Any) -> tf.Tensor:
    """Returns all of them end to end, float32 [..., size]."""
    flat = tf.nest.flatten(observation)
    parts = [
        leaf.reshaped(flat[leaf.index], [leaf.size]) for leaf in self.leaves
    ]
    return tf.concat([tf.cast(part, tf.float32) for part in parts], -1)

  def parts(self, vector: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the leaves by their keys, the inverse of `of`.

    Args:
      vector: float32 [..., size].
    """
    sizes = [leaf.size for leaf in self.leaves]
    return {
        leaf.key: networks.with_batch_of(vector, 1, part, leaf.shape)
        for leaf, part in zip(self.leaves, tf.split(vector, sizes, -1))
    }


@dataclasses.dataclass(frozen=True)
class Images:
  """The leaves of one height and width that together are an image.

  Attributes:
    leaves: These, uint8 [height, width] or [height, width, channels].
  """

  leaves: tuple[Leaf, ...]

  @property
  def size(self) -> tuple[int, int]:
    """Height and width."""
    height, width = self.leaves[0].shape[:2]
    return height, width

  @property
  def stages(self) -> int:
    """How often the size is halved, until the shorter side is at most 7."""
    stages = 1
    while _halved(min(self.size), stages) > _MOST:
      stages += 1
    return stages

  @property
  def smallest(self) -> tuple[int, int]:
    """Height and width after all halvings, each rounded up."""
    height, width = self.size
    return _halved(height, self.stages), _halved(width, self.stages)

  @property
  def padding(self) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels to add at the top and bottom, left and right; then it halves.

    As many on both sides, or one more at the bottom and at the right.
    """
    height, width = (
        (smallest << self.stages) - side
        for smallest, side in zip(self.smallest, self.size)
    )
    return (height // 2, height - height // 2), (width // 2, width - width // 2)

  @property
  def channels(self) -> int:
    """Channels of all of them together."""
    return sum(self._channels_of(leaf) for leaf in self.leaves)

  def of(self, observation: Any) -> tf.Tensor:
    """Returns all as one image, float32 [..., height, width, channels].

    Args:
      observation: A nest whose leaves have any batch axes.

    Returns:
      Numbers in [-0.5, 0.5].
    """
    flat = tf.nest.flatten(observation)
    parts = [
        leaf.reshaped(flat[leaf.index], [*self.size, self._channels_of(leaf)])
        for leaf in self.leaves
    ]
    # Joined as uint8: a quarter of the memory that numbers would take.
    return tf.cast(tf.concat(parts, -1), tf.float32) / 255 - 0.5

  def parts(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the leaves by their keys, in [0, 255]: the inverse of `of`.

    Args:
      image: float32 [..., height, width, channels].
    """
    channels = [self._channels_of(leaf) for leaf in self.leaves]
    return {
        leaf.key: networks.with_batch_of(image, 3, part, leaf.shape)
        for leaf, part in zip(
            self.leaves, tf.split((image + 0.5) * 255, channels, -1)
        )
    }

  def _channels_of(self, leaf: Leaf) -> int:
    return leaf.size // int(np.prod(self.size))


@dataclasses.dataclass(frozen=True)
class Layout:
  """The encoded part of an observation.

  Attributes:
    vectors: All vectors; None if there are none.
    images: All images, one entry for each size.
  """

  vectors: Optional[Vectors]
  images: tuple[Images, ...]


def create(
    observation_spec: Any, config: agent_config.WorldModelConfig
) -> Layout:
  """Sorts the leaves of an observation.

  Args:
    observation_spec: A nest of tensor specs.
    config: Names the keys whose kind is not that of their shape.

  Returns:
    The layout.

  Raises:
    schema.ConfigError: A regular expression matches no key, matches one that
      another matches too, or makes an image of what is none; nothing is left to
      encode; or an image is too small.
  """
  leaves = _leaves(observation_spec)
  claimed = _claimed(leaves, config)
  vectors: list[Leaf] = []
  images: dict[tuple[int, ...], list[Leaf]] = {}
  for leaf in leaves:
    by_shape = (
        'image_keys'
        if specs.is_image(leaf.shape, leaf.dtype)
        else 'vector_keys'
    )
    kind = claimed.get(leaf.key, by_shape)
    if kind == 'image_keys':
      _check_image(leaf, config)
      images.setdefault(leaf.shape[:2], []).append(leaf)
    elif kind == 'vector_keys':
      vectors.append(leaf)
  schema.require(
      bool(vectors or images),
      f'world_model.ignored_keys = {config.ignored_keys!r} matches every key of'
      f' the observation ({_names(leaves)}), but one must be left to encode.',
  )
  layout = Layout(
      Vectors(tuple(vectors)) if vectors else None,
      tuple(Images(tuple(images[size])) for size in sorted(images)),
  )
  for group in layout.images:
    _check_size(group)
  return layout


def is_ignored(
    path: tuple[Any, ...], config: agent_config.WorldModelConfig
) -> bool:
  """Returns whether the model does not see the leaf that `path` leads to."""
  pattern = config.ignored_keys
  return pattern is not None and bool(re.fullmatch(pattern, _key(path)))


def _key(path: tuple[Any, ...]) -> str:
  return specs.key_of(path) or 'observation'


def _leaves(observation_spec: Any) -> list[Leaf]:
  return [
      Leaf(_key(path), index, tuple(spec.shape), tf.as_dtype(spec.dtype))
      for index, (path, spec) in enumerate(
          tree.flatten_with_path(observation_spec)
      )
  ]


def _claimed(
    leaves: list[Leaf], config: agent_config.WorldModelConfig
) -> dict[str, str]:
  """Returns the field that matches a key, for the keys that one matches."""
  claimed: dict[str, str] = {}
  for field in ('image_keys', 'vector_keys', 'ignored_keys'):
    pattern = getattr(config, field)
    if pattern is None:
      continue
    matched = [leaf for leaf in leaves if re.fullmatch(pattern, leaf.key)]
    schema.require(
        bool(matched),
        f'world_model.{field} = {pattern!r} matches no whole key of the'
        f' observation, whose keys are {_names(leaves)}.',
    )
    for leaf in matched:
      other = claimed.setdefault(leaf.key, field)
      schema.require(
          other == field,
          f'the key {leaf.key!r} of the observation is matched by'
          f' world_model.{other} and by world_model.{field}, but it can be only'
          f' one of both; the keys are {_names(leaves)}.',
      )
  return claimed


def _check_image(leaf: Leaf, config: agent_config.WorldModelConfig) -> None:
  schema.require(
      len(leaf.shape) in (2, specs.IMAGE_RANK) and specs.is_uint8(leaf.dtype),
      f'world_model.image_keys = {config.image_keys!r} matches {leaf}, but an'
      ' image is uint8 [height, width] or [height, width, channels].',
  )


def _halved(side: int, times: int) -> int:
  """Returns `side` / 2^`times`, rounded up."""
  return -(-side >> times)


def _check_size(group: Images) -> None:
  height, width = group.size
  schema.require(
      min(group.size) >= 2 * _LEAST,
      f'the image {_names(group.leaves)} has {height} x {width} pixels, but its'
      f' sides must be at least {2 * _LEAST}; resize it in the environment or'
      ' name it in world_model.vector_keys.',
  )


def _names(leaves: Iterable[Leaf]) -> str:
  return ', '.join(repr(leaf.key) for leaf in leaves)
