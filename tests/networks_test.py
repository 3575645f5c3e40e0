"""Tests of r2i_tf.networks: normalisation."""

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.trajectories import time_step as ts

from r2i_tf import config as agent_config
from r2i_tf import networks
from r2i_tf.agents import R2IAgent
from tests.agents import small

_RMS = networks.LayerOptions(norm=agent_config.Norm.RMS)


def test_rms_norm_is_its_formula():
  """Divided by the root of the mean square, scaled by what is learned."""
  x = np.random.default_rng(0).normal(size=[4, 3, 8]).astype(np.float32)
  layer = networks.normalization(_RMS)
  np.testing.assert_allclose(
      layer(x),
      x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-4),
      rtol=1e-5,
  )
  [scale] = layer.trainable_variables
  before = layer(x)
  scale.assign(np.arange(8.0))
  np.testing.assert_allclose(layer(x), before * np.arange(8.0), rtol=1e-6)


def test_rms_norm_is_float32_inside():
  """Squares of bfloat16 numbers lose nothing; the outputs are bfloat16."""
  options = networks.LayerOptions(
      tf.keras.mixed_precision.Policy('mixed_bfloat16'), agent_config.Norm.RMS
  )
  x = tf.cast(np.linspace(1, 2, 200)[np.newaxis], tf.bfloat16)
  y = networks.normalization(options)(x)
  assert y.dtype == tf.bfloat16
  wide = np.array(tf.cast(x, tf.float32))
  expected = wide / np.sqrt((wide**2).mean() + 1e-4)
  np.testing.assert_array_equal(y, tf.cast(expected, tf.bfloat16))


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
  norms = [m for m in modules if isinstance(m, networks.RMSNormalization)]
  others = [
      m for m in modules if isinstance(m, tf.keras.layers.LayerNormalization)
  ]
  assert len(norms) > 10
  s3m = kind is agent_config.SequenceModelKind.S3M
  assert len(others) == (1 if s3m else 0)  # Of its one layer.
