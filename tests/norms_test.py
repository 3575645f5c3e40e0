"""Tests of r2i_tf.norms: formulas, gradients, dtypes."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import devices
from r2i_tf import norms


def _numbers(*shape: int) -> tf.Tensor:
  numbers = np.random.default_rng(sum(shape)).normal(1.0, 2.0, shape)
  return tf.constant(numbers, tf.float32)


def _gradients(layer, x, upstream):
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = layer(x)
  sources = [x, *layer.trainable_variables]
  return y, tape.gradient(y, sources, upstream)


@pytest.mark.parametrize('silu', [False, True])
@pytest.mark.parametrize('is_compiled', [False, True])
@pytest.mark.parametrize('device', [devices.Device.CPU, devices.Device.TPU])
def test_layer_norm_is_that_of_keras(silu, is_compiled, device):
  """On each device: values and gradients, the scale and offset not new."""
  x, upstream = _numbers(3, 5, 7), _numbers(3, 5, 7)
  ours = norms.LayerNorm(1e-3, silu)
  theirs = tf.keras.Sequential([tf.keras.layers.LayerNormalization(-1, 1e-3)])
  if silu:
    theirs.add(tf.keras.layers.Activation(tf.nn.silu))
  for layer in ours, theirs:
    layer.build([None, 5, 7])
    for number, variable in enumerate(layer.trainable_variables):
      variable.assign(_numbers(7) * (number + 1))

  function = tf.function(_gradients, jit_compile=is_compiled)
  with devices.compile_for(device):
    y, gradients = function(ours, x, upstream)
  expected, of_keras = function(theirs, x, upstream)
  np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
  for gradient, other in zip(gradients, of_keras):
    np.testing.assert_allclose(gradient, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('norm', [norms.LayerNorm, norms.RMSNorm])
def test_any_rank_is_taken(norm):
  """One layer serves sequences and single steps, of unknown batch, too."""
  layer = norm(1e-3)
  x = _numbers(2, 3, 4, 8)
  spec = tf.TensorSpec([None, None, 8])
  several = tf.function(layer, input_signature=[spec])(x[0])
  assert several.shape[-1] == 8
  np.testing.assert_allclose(several[1, 2], layer(x[0, 1, 2]), rtol=1e-5)
  np.testing.assert_allclose(layer(x)[0], several, rtol=1e-5)


@pytest.mark.parametrize('norm', [norms.LayerNorm, norms.RMSNorm])
def test_norms_are_float32_inside(norm):
  """Squares of bfloat16 numbers lose nothing; the outputs are bfloat16."""
  policy = tf.keras.mixed_precision.Policy('mixed_bfloat16')
  x = tf.cast(np.linspace(1, 2, 200)[np.newaxis], tf.bfloat16)
  y, [dx, *of_weights] = _gradients(
      norm(1e-3, dtype=policy), x, tf.ones([1, 200], tf.bfloat16)
  )
  assert y.dtype == dx.dtype == tf.bfloat16
  assert all(gradient.dtype == tf.float32 for gradient in of_weights)
  exact = norm(1e-3)(tf.cast(x, tf.float32))
  np.testing.assert_array_equal(y, tf.cast(exact, tf.bfloat16))


def test_rms_norm_is_its_formula():
  """Divided by the root of the mean square, scaled by what is learned."""
  x = np.random.default_rng(0).normal(size=[4, 3, 8]).astype(np.float32)
  layer = norms.RMSNorm(1e-4)
  np.testing.assert_allclose(
      layer(x),
      x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-4),
      rtol=1e-5,
  )
  [scale] = layer.trainable_variables
  before = layer(x)
  scale.assign(np.arange(8.0))
  np.testing.assert_allclose(layer(x), before * np.arange(8.0), rtol=1e-6)
