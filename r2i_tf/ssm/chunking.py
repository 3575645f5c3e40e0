"""How long the chunks of a scan are: by its length and by the device.

A scan of L steps in chunks of K takes K + L / K steps in sequence and one pass
over its inputs more than a scan in one chunk. What pays depends on what a step
in sequence costs the device beside its arithmetic.
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


def chunk_length(length: int) -> int:
  """Returns K for a scan of L steps on `target_device()`.

  On a CPU one chunk, however few numbers a step has: what chunks side by side
  would save in steps costs more in passes over memory. On a GPU or a TPU the
  power of two next to sqrt(L), which makes the fewest steps in sequence.

  Args:
    length: L.
  """
  if target_device() is Device.CPU:
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
