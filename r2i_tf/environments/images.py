"""Images brought to the size that the encoder takes."""

import numpy as np


def resized(image: np.ndarray, size: int) -> np.ndarray:
  """Returns an image of another size, each pixel the mean of its area.

  Args:
    image: uint8 [height, width, channels].
    size: Of height and width.

  Returns:
    uint8 [size, size, channels].
  """
  if image.shape[:2] == (size, size):
    return image
  if image.shape[-1] == 3:
    return _resized(image, size)
  # Pillow takes four channels for transparency, and two for nothing.
  return np.stack([_resized(c, size) for c in np.moveaxis(image, -1, 0)], -1)


def _resized(image: np.ndarray, size: int) -> np.ndarray:
  from PIL import Image  # An optional package, so not at the top.

  pillow = Image.fromarray(np.ascontiguousarray(image))
  return np.asarray(pillow.resize((size, size), Image.Resampling.BOX))
