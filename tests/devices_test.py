"""Tests of r2i_tf.devices."""

import pytest

from r2i_tf import devices


def test_a_target_ends_with_its_block():
  """Tuning for another device leaks nowhere, errors included."""
  here = devices.target()
  with pytest.raises(KeyError):
    with devices.compile_for(devices.Device.TPU):
      assert devices.target() is devices.Device.TPU
      raise KeyError
  assert devices.target() is here
