"""Spaces of Gymnasium that are images, as [height, width, channels]."""

from collections.abc import Callable
from typing import Any, Optional

from dm_env import specs as dm_specs
from gymnasium import spaces
import numpy as np

from r2i_tf import specs
from r2i_tf.environments import casts
from r2i_tf.environments import errors
from r2i_tf.environments import images
from r2i_tf.environments.suites import gymnasium as gymnasium_lib

_SMALLEST_SIDE = 8  # The encoder takes no image that is smaller.


def is_image(space: spaces.Box) -> bool:
  """Returns whether a space is one of images, by its dtype, bounds and shape.

  Two axes from 8 on are height and width, of gray images; of three, two are. A
  grid that is smaller, or has other bounds, is one of numbers or of ids.

  Args:
    space: Any.
  """
  return (
      len(space.shape) in (specs.IMAGE_RANK - 1, specs.IMAGE_RANK)
      and specs.is_uint8(space.dtype)
      and bool(np.all(space.low == 0) and np.all(space.high == 255))
      and sorted(space.shape)[-2] >= _SMALLEST_SIDE
  )


def image(
    name: str, space: spaces.Box, options: gymnasium_lib.GymnasiumOptions
) -> tuple[dm_specs.BoundedArray, Callable[[Any], np.ndarray]]:
  """Returns the spec of an image, and how one is made of an element.

  Args:
    name: Of the part in an error, such as "observation 'camera'".
    space: Of images.
    options: Which axis has the channels, and the size of the result.

  Raises:
    specs.UnsupportedSpecError: Either axis may have the channels.
  """
  axis = _channel_axis(name, space, options.channels)
  size = options.image_size

  def convert(value: Any) -> np.ndarray:
    array = casts.shaped(name, value, space.shape)
    array = casts.cast(name, array, space.dtype)
    if axis is None:
      pixels = array[..., np.newaxis]
    else:
      pixels = np.moveaxis(array, axis, -1)
    pixels = np.array(pixels, order='C')  # The environment may change its own.
    return pixels if size is None else images.resized(pixels, size)

  sides = [n for i, n in enumerate(space.shape) if i != axis]
  height, width = sides if size is None else (size, size)
  channels = 1 if axis is None else space.shape[axis]
  spec = dm_specs.BoundedArray([height, width, channels], np.uint8, 0, 255)
  return spec, convert


def _channel_axis(
    name: str, space: spaces.Box, channels: gymnasium_lib.Channels
) -> Optional[int]:
  """Returns the axis of the channels; None of a gray image, which has none.

  Where no option says which, it is the smaller one of the first and the last.
  """
  if len(space.shape) < specs.IMAGE_RANK:
    return None
  first, _, last = space.shape
  if channels is gymnasium_lib.Channels.AUTO and first == last:
    raise specs.UnsupportedSpecError(
        f'the {name} of the environment is {errors.shortened(space)}, an image'
        f' whose channels may be the first axis or the last, both of {first}:'
        ' say which by gymnasium.channels, first or last.'
    )
  if channels is gymnasium_lib.Channels.AUTO:
    return 0 if first < last else 2
  return 0 if channels is gymnasium_lib.Channels.FIRST else 2
