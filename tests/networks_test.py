"""Tests of r2i_tf.networks: the choice of the norm, programs of a TPU."""

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.trajectories import time_step as ts

from r2i_tf import config as agent_config
from r2i_tf import devices
from r2i_tf import networks
from r2i_tf import norms
from r2i_tf.agents import R2IAgent
from tests.agents import small


@pytest.mark.parametrize('kind', agent_config.SequenceModelKind)
def test_one_field_changes_every_norm(kind):
  """No LayerNorm is left but those of the S3M's layers, in any network."""
  image = {'camera': tf.TensorSpec([8, 8, 3], tf.uint8), 'speed': small.VECTOR}
  agent = R2IAgent(
      ts.time_step_spec(image),
      small.DISCRETE,
      small.config(kind=kind, norm=agent_config.Norm.RMS),
  )
  modules = [
      *agent.world_model.submodules,
      *agent.behavior.submodules,
  ]
  found = [m for m in modules if isinstance(m, norms.RMSNorm)]
  others = [m for m in modules if isinstance(m, norms.LayerNorm)]
  assert len(found) > 10
  s3m = kind is agent_config.SequenceModelKind.S3M
  assert len(others) == (1 if s3m else 0)  # Of its one layer.


@pytest.mark.parametrize('shape', [[5, 6], [2, 5, 6], [3, 2, 5, 6]])
@pytest.mark.parametrize('dtype', ['float32', 'mixed_bfloat16'])
def test_a_head_is_the_same_on_a_tpu(shape, dtype):
  """Where inputs keep their axes: values, and gradients of all variables."""
  policy = tf.keras.mixed_precision.Policy(dtype)
  head = networks.Head(
      agent_config.MLPConfig(layers=2, units=8),
      3,
      networks.LayerOptions(policy),
  )
  x = tf.random.stateless_normal(shape, [1, 2])
  head(x)

  def values():
    with tf.GradientTape() as tape:
      tape.watch(x)
      y = head(x)
    return y, *tape.gradient(y, [x, *head.trainable_variables])

  with devices.compile_for(devices.Device.TPU):
    on_tpu = tf.function(values)()
  tolerance = 1e-5 if dtype == 'float32' else 0.05
  for left, right in zip(on_tpu, values()):
    np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)
