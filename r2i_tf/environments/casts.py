"""Numbers of environments, cast only where nothing but the precision changes.

NumPy casts in silence: 300 as uint8 is 44, 0.7 as an integer 0, and 1e39 as
float32 infinite. Here each of these is a fault, told in a clause.
"""

from typing import Any

import numpy as np

from r2i_tf.environments import errors

FLOAT32 = np.dtype(np.float32)
_INT64 = np.dtype(np.int64)
# Beside an array it is NumPy's own: one of Python would become float16 with it.
_FLOAT32_MAX = np.finfo(FLOAT32).max
_FLOAT32_MAX_OF_PYTHON = float(_FLOAT32_MAX)


def shaped(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
  """Returns what an environment gave as an array of real numbers.

  Args:
    name: Of the value in an error, such as 'observation'.
    value: An array, a number, nested lists of numbers, or anything else.
    shape: The one that the array must have.

  Raises:
    errors.StepFault: It is something else, or has another shape.
  """
  try:
    found = np.asarray(value)
  except Exception:  # Lists of different lengths, objects of any kind.
    found = np.asarray(None)
  if found.dtype.kind not in 'biuf':
    wanted = 'an array of real numbers' if shape else 'a real number'
    raise errors.StepFault(
        f'the {name} is {errors.shortened(value)}, but it must be {wanted}'
    )
  if found.shape != shape:
    raise errors.StepFault(
        f'the {name} has the shape {list(found.shape)}, but its spec has'
        f' {list(shape)}'
    )
  return found


def cast(name: str, value: np.ndarray, dtype: np.dtype) -> np.ndarray:
  """Returns an array in another dtype; to a float it may be rounded, no more.

  Args:
    name: Of the value in an error, such as 'observation'.
    value: Real numbers.
    dtype: Of the result: bool, integers or floats.

  Raises:
    errors.StepFault: It holds a number that the dtype has not: one too large, a
      fraction where integers are, NaN, infinity.
  """
  # The usual cases first, since each step of an environment comes by here.
  if dtype == FLOAT32:
    if (np.abs(value) <= _FLOAT32_MAX).all():
      return value.astype(dtype, copy=False)
  elif value.dtype == dtype and dtype.kind != 'f':
    return value
  with np.errstate(all='ignore'):
    result = value.astype(dtype)
    kept = np.isfinite(result) if dtype.kind == 'f' else result == value
    if dtype.kind in 'iu' and value.dtype.kind == 'f':
      # The last integer of 64 bits is no float, and equal to the next that is.
      bounds = np.iinfo(dtype)
      kept &= (value >= float(bounds.min)) & (value < float(bounds.max) + 1)
  if not np.all(kept):
    lost = value[~kept].flat[0]
    reason = f', which {dtype.name} cannot hold' if np.isfinite(lost) else ''
    raise errors.StepFault(f'the {name} {_verb(value)} {lost}{reason}')
  return result


def indices(
    name: str, value: Any, start: np.ndarray, count: np.ndarray
) -> np.ndarray:
  """Returns which of its choices each number is, counted from 0.

  Args:
    name: Of the numbers in an error, such as 'observation'.
    value: As for `shaped`.
    start: The first choice of each number, int64 of any shape.
    count: How many choices each number has, int64 of the same shape.

  Raises:
    errors.StepFault: It has another shape, or a number is none of the choices.
  """
  found = shaped(name, value, start.shape)
  index = cast(name, found, _INT64) - start
  outside = (index < 0) | (index >= count)
  if outside.any():
    first = np.flatnonzero(outside)[0]
    low = start.flat[first]
    raise errors.StepFault(
        f'the {name} {_verb(found)} {found.flat[first]}, but its space is from'
        f' {low} to {low + count.flat[first] - 1}'
    )
  return index


def number(name: str, value: Any, shape: tuple[int, ...] = ()) -> np.ndarray:
  """Returns a reward or a discount as float32.

  Args:
    name: Of the number in an error, such as 'reward'.
    value: An integer or a float, of Python or of NumPy, or an array of them.
    shape: The one it must have.

  Raises:
    errors.StepFault: It is something else, as a truth value is, or not finite.
  """
  is_float = isinstance(value, float) and not shape
  if is_float and abs(value) <= _FLOAT32_MAX_OF_PYTHON:
    return np.asarray(value, FLOAT32)
  found = shaped(name, value, shape)
  if found.dtype.kind == 'b':
    raise errors.StepFault(
        f'the {name} is {errors.shortened(value)}, but it must be a number,'
        ' such as 1.0'
    )
  return cast(name, found, FLOAT32)


def _verb(value: np.ndarray) -> str:
  return 'holds' if value.shape else 'is'
