"""How long the chunks of a scan are: by its length and by the device.

A scan of L steps in chunks of K takes K + L / K steps in sequence and one pass
over its inputs more than a scan in one chunk. What pays depends on what a step
in sequence costs the device beside its arithmetic.
"""

import math
from typing import Optional

from r2i_tf import devices


def chunk_length(length: int) -> int:
  """Returns K for a scan of L steps on `devices.target()`.

  On a CPU one chunk, however few numbers a step has: what chunks side by side
  would save in steps costs more in passes over memory. On a GPU or a TPU the
  power of two next to sqrt(L), which makes the fewest steps in sequence.

  Args:
    length: L.
  """
  if devices.target() is devices.Device.CPU:
    return length
  return min(length, max(8, 2 ** round(math.log2(length) / 2)))


def checked_length(given: Optional[int], length: int) -> int:
  """Returns K as it is given, at most L, or `chunk_length`'s choice.

  Args:
    given: K, at least 1; None chooses.
    length: L.

  Raises:
    ValueError: `given` is below 1.
  """
  if given is None:
    return chunk_length(length)
  if given < 1:
    raise ValueError(f'chunk_length is {given}; it must be at least 1.')
  return min(given, length)
