"""Tests of r2i_tf.rematerialization; what S3M makes of it is in tests/ssm."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import rematerialization


@pytest.mark.parametrize('jit_compile', [False, True])
@pytest.mark.parametrize(
    'change',
    [rematerialization.rematerialized, rematerialization.finished_at_once],
)
def test_only_the_order_changes(change, jit_compile):
  """No value and no gradient, of arguments that are used, and not, either."""
  x, unused = tf.constant([[1.0, 2.0]]), tf.constant([3.0])
  layer = tf.keras.layers.Dense(3, activation='tanh')
  layer.build([None, 2])

  def function(x, unused):
    del unused
    return layer(x)

  def run(function):
    @tf.function(jit_compile=jit_compile)
    def step():
      with tf.GradientTape() as tape:
        tape.watch([x, unused])
        y = function(2.0 * x, unused)
        loss = tf.reduce_sum(y**2)
      sources = [x, unused, *layer.trainable_variables]
      return y, *tape.gradient(loss, sources, unconnected_gradients='zero')

    return step

  changed = run(change(function))
  for left, right in zip(run(function)(), changed()):
    np.testing.assert_allclose(left, right, rtol=1e-6)
  if jit_compile:
    text = changed.experimental_get_compiler_ir()(stage='hlo')
    assert 'opt-barrier' in text
