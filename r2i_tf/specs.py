"""Keys and images: facts that everyone reads off a spec in the same way.

An observation is an array or a nest of arrays. Each has a key, the path that
leads to it: 'camera/left', or '' where there is no nest. The key is how errors,
regular expressions and the files of a checkpoint name it.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from r2i_tf import errors

IMAGE_RANK = 3  # [height, width, channels]


class UnsupportedSpecError(errors.UserError, ValueError):
  """An observation, action or reward that R2I cannot take."""


def key_of(path: Iterable[Any]) -> str:
  """Returns the key of the leaf at the end of a path through a nest.

  Args:
    path: As `tree.flatten_with_path` gives it.
  """
  return '/'.join(str(part) for part in path)


def part(root: str, path: Iterable[Any]) -> str:
  """Returns the name of a part of a nest in an error: "action 'jump'".

  Args:
    root: The name of the nest, such as 'action'.
    path: As `tree.flatten_with_path` gives it; an empty one leads to `root`.
  """
  key = key_of(path)
  return f'{root} {key!r}' if key else root


def is_image(shape: Iterable[int], dtype: Any) -> bool:
  """Returns whether an array is an image, by its shape and dtype.

  Args:
    shape: Without batch axes.
    dtype: Of NumPy or of TensorFlow.
  """
  return len(tuple(shape)) == IMAGE_RANK and is_uint8(dtype)


def is_uint8(dtype: Any) -> bool:
  """Returns whether a dtype, of NumPy or of TensorFlow, is uint8."""
  return np.dtype(getattr(dtype, 'as_numpy_dtype', dtype)) == np.uint8
