"""How long the chunks of a scan are: by its shape and by the device.

A scan of L steps in chunks of K takes K + L / K steps in sequence and one pass
over its inputs more than a scan in one chunk. What pays depends on how many
numbers one step must hold to keep the device busy.
"""

from collections.abc import Iterator
import contextlib
import enum
import math
from typing import Optional

import tensorflow as tf


class Device(enum.Enum):
  """A kind of device that a scan is tuned for."""

  CPU = 'cpu'
  GPU = 'gpu'
  TPU = 'tpu'


# A core of a CPU is busy with this many numbers of a step, each of two planes;
# below, the cost of a step is that of the loop itself.
_CPU_LANES = 128

_target: Optional[Device] = None


@contextlib.contextmanager
def compile_for(device: Device) -> Iterator[None]:
  """Tunes the scans traced inside for `device`, whatever this machine has."""
  global _target
  previous, _target = _target, device
  try:
    yield
  finally:
    _target = previous


def target_device() -> Device:
  """Returns the device that scans are tuned for: by default, this machine's."""
  if _target is not None:
    return _target
  for device in (Device.TPU, Device.GPU):
    if tf.config.list_logical_devices(device.name):
      return device
  return Device.CPU


def chunk_length(
    batch_size: Optional[int], length: int, state_size: int
) -> int:
  """Returns K for a scan of [B, L, 2, P] on `target_device()`.

  On a CPU one chunk, unless B * P is so small that a step is over before the
  loop is: then as many chunks side by side as fill a step. On a GPU or a TPU
  the power of two next to sqrt(L), which makes the fewest steps in sequence.

  Args:
    batch_size: B; None, for an unknown one, counts as 1.
    length: L.
    state_size: P.
  """
  if target_device() is Device.CPU:
    chunks = max(1, _CPU_LANES // ((batch_size or 1) * state_size))
    # A chunk must be long enough to be worth a second pass.
    return min(length, max(math.ceil(length / chunks), 64))
  return min(length, max(8, 2 ** round(math.log2(length) / 2)))


def checked_length(
    given: Optional[int],
    batch_size: Optional[int],
    length: int,
    state_size: int,
) -> int:
  """Returns K as it is given, at most L, or `chunk_length`'s choice.

  Args:
    given: K, at least 1; None chooses.
    batch_size: See `chunk_length`.
    length: See `chunk_length`.
    state_size: See `chunk_length`.

  Raises:
    ValueError: `given` is below 1.
  """
  if given is None:
    return chunk_length(batch_size, length, state_size)
  if given < 1:
    raise ValueError(f'chunk_length is {given}; it must be at least 1.')
  return min(given, length)
