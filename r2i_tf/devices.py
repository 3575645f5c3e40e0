"""Which kind of device a program is made for: some are written in two ways."""

from collections.abc import Iterator
import contextlib
import enum
from typing import Optional

import tensorflow as tf


class Device(enum.Enum):
  """A kind of device that programs are tuned for."""

  CPU = 'cpu'
  GPU = 'gpu'
  TPU = 'tpu'


_target: Optional[Device] = None


@contextlib.contextmanager
def compile_for(device: Device) -> Iterator[None]:
  """Tunes what is traced inside for `device`, whatever this machine has."""
  global _target
  previous, _target = _target, device
  try:
    yield
  finally:
    _target = previous


def target() -> Device:
  """Returns the device that is tuned for: by default, this machine's."""
  if _target is not None:
    return _target
  for device in (Device.TPU, Device.GPU):
    if tf.config.list_logical_devices(device.name):
      return device
  return Device.CPU
