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
# More numbers in one part of an observation are a vector that nobody means, but
# an image of floats, or frames in a stack.
MAX_VECTOR = 4096


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


def check_vector(name: str, found: str, size: int, group: str) -> None:
  """Refuses a part of an observation that is no image and too large a vector.

  Args:
    name: Of the part in an error, such as "observation 'depth'".
    found: What it is.
    size: Of how many numbers.
    group: The options that say otherwise, such as 'world_model'.

  Raises:
    UnsupportedSpecError: It has more than `MAX_VECTOR` numbers.
  """
  if size > MAX_VECTOR:
    raise UnsupportedSpecError(
        f'the {name} of the environment is {found}, which is {size:,} numbers,'
        f' but R2I takes vectors of at most {MAX_VECTOR:,}: give an image as'
        ' uint8 [height, width, channels] from 0 to 255, and a stack of frames'
        f' as its channels; or name this part in {group}.vector_keys if so many'
        f' numbers are meant, in {group}.ignored_keys if they are not needed.'
    )


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
