"""Tests of r2i_tf.ssm.chunking."""

import pytest

from r2i_tf import devices
from r2i_tf.ssm import chunking


@pytest.mark.parametrize('length', [1, 100, 65536])
def test_a_processor_takes_one_chunk(length):
  """A second pass over the inputs costs it more than steps in sequence."""
  with devices.compile_for(devices.Device.CPU):
    assert chunking.chunk_length(length) == length


@pytest.mark.parametrize('device', [devices.Device.GPU, devices.Device.TPU])
@pytest.mark.parametrize(
    'length, expected', [(5, 5), (64, 8), (1024, 32), (1500, 32), (65536, 256)]
)
def test_an_accelerator_takes_few_steps_in_sequence(device, length, expected):
  """The steps in sequence grow with the square root of the length."""
  with devices.compile_for(device):
    assert chunking.chunk_length(length) == expected
