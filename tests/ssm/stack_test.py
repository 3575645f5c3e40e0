"""Tests of r2i_tf.ssm.stack."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import ssm
from tests import golden


def _stack(**options):
  """Two built layers, H = 6, P = 8, initial states moved off zero."""
  tf.keras.utils.set_random_seed(1)
  stack = ssm.S3MStack(2, 6, 8, 2, **options)
  stack.build([None, 6])
  for layer in stack.layers:
    initial = layer.ssm.learned_initial_state
    initial.assign(tf.random.normal(initial.shape))
  return stack


def _sequence(length, batch=2):
  rng = np.random.default_rng(2)
  return (
      tf.constant(rng.normal(size=[batch, length, 6]), tf.float32),
      tf.constant(rng.normal(size=[batch, 2, 2, 8]), tf.float32),
      tf.constant(rng.random([batch, length]) < 0.05),
  )


def test_matches_golden_numbers():
  """Given the published parameters, a stack computes what was published."""
  arrays = golden.load('ssm_stack')
  stack = ssm.S3MStack(3, 24, 16, 2, learned_initial_state=False)
  stack.build([None, 24])
  for index, layer in enumerate(stack.layers):
    values = {
        key.split('/', 1)[1]: value
        for key, value in arrays.items()
        if key.startswith(f'layers_{index}/')
    }
    layer.ssm.lambda_re.assign(values['seq/Lambda_re'])
    layer.ssm.lambda_im.assign(values['seq/Lambda_im'])
    layer.ssm.b.assign(values['seq/B'])
    layer.ssm.c.assign(values['seq/C'])
    layer.ssm.d.assign(values['seq/D'])
    layer.ssm.log_step.assign(values['seq/log_step'])
    layer.out.set_weights([values['out/kernel'], values['out/bias']])
    layer.out2.set_weights([values['out2/kernel'], values['out2/bias']])
    layer.norm.set_weights([values['norm/scale'], values['norm/bias']])
  u, carry = arrays['u'], np.moveaxis(arrays['x0'], -1, -2)
  states = np.moveaxis(arrays['x'], -1, -2)
  is_reset = tf.zeros(u.shape[:2], tf.bool)
  y, x = stack(u, carry, is_reset)
  np.testing.assert_allclose(y, arrays['y'], atol=1e-4)
  np.testing.assert_allclose(x, states, atol=1e-3)
  y, x = stack.step(u[:, 0], carry, is_reset[:, 0])
  np.testing.assert_allclose(y, arrays['y'][:, 0], atol=1e-4)
  np.testing.assert_allclose(x, states[:, 0], atol=1e-3)


@pytest.mark.parametrize('jit_compile', [False, True])
def test_parallel_and_step_forms_agree(jit_compile):
  """A network imagines, in a compiled loop, what it was trained on."""
  stack = _stack()
  u, carry, is_reset = _sequence(1024)
  weights = tf.random.stateless_normal(u.shape, [1, 2])

  @tf.function(jit_compile=jit_compile)
  def parallel():
    with tf.GradientTape() as tape:
      y, x = stack(u, carry, is_reset)
      loss = tf.reduce_mean(weights * y)
    return y, x, tape.gradient(loss, stack.trainable_variables)

  @tf.function(jit_compile=jit_compile)
  def steps():
    with tf.GradientTape() as tape:
      discretized = stack.discretize()
      outputs = tf.TensorArray(tf.float32, u.shape[1], element_shape=[2, 6])
      states = tf.TensorArray(
          tf.float32, u.shape[1], element_shape=[2, 2, 2, 8]
      )

      def body(t, state, outputs, states):
        y, x = stack.step(u[:, t], state, is_reset[:, t], discretized)
        return t + 1, x, outputs.write(t, y), states.write(t, x)

      _, _, outputs, states = tf.while_loop(
          lambda t, *_: t < u.shape[1],
          body,
          (0, carry, outputs, states),
          maximum_iterations=u.shape[1],
      )
      y = tf.transpose(outputs.stack(), [1, 0, 2])
      x = tf.transpose(states.stack(), [1, 0, 2, 3, 4])
      loss = tf.reduce_mean(weights * y)
    return y, x, tape.gradient(loss, stack.trainable_variables)

  y, x, gradients = parallel()
  step_y, step_x, step_gradients = steps()
  np.testing.assert_allclose(y, step_y, atol=1e-4)
  np.testing.assert_allclose(x, step_x, atol=1e-4)
  # Each gradient sums 2,048 terms in another order.
  for actual, expected in zip(gradients, step_gradients):
    scale = np.max(np.abs(expected))
    np.testing.assert_allclose(actual, expected, atol=1e-3 * scale)


def test_initial_state():
  """The state to start from is the state that a reset leaves."""
  stack = _stack()
  u, carry, _ = _sequence(1, batch=3)
  always = tf.ones([3], tf.bool)
  state = stack.initial_state(3)
  assert state.shape == (3, 2, 2, 8)
  from_start, _ = stack.step(u[:, 0], state, tf.zeros([3], tf.bool))
  after_reset, _ = stack.step(u[:, 0], carry, always)
  np.testing.assert_array_equal(from_start, after_reset)


def test_mixed_policy():
  """Under a mixed policy the outputs are half, the states are not."""
  stack = _stack(dtype='mixed_bfloat16')
  u, carry, is_reset = _sequence(5)
  y, x = stack(u, carry, is_reset)
  step_y, step_x = stack.step(u[:, 0], carry, is_reset[:, 0])
  assert y.dtype == step_y.dtype == tf.bfloat16
  assert x.dtype == step_x.dtype == tf.float32


_SELECTIVE_PRE_NORM = {
    'kind': ssm.StateSpaceKind.SELECTIVE,
    'discretization': ssm.Discretization.ZERO_ORDER_HOLD,
    'norm': ssm.NormPosition.PRE,
}


@pytest.mark.parametrize(
    'jit_compile, options',
    [(False, {}), (True, {}), (True, _SELECTIVE_PRE_NORM)],
    ids=['eager', 'compiled', 'selective'],
)
def test_rematerialization(jit_compile, options):
  """Computing again instead of keeping changes no value and no gradient."""
  u, carry, is_reset = _sequence(40)
  carry = tf.random.stateless_normal(
      [2, *_stack(**options).state_shape], [3, 4]
  )
  weights = tf.random.stateless_normal(u.shape, [1, 2])

  def run(stack):
    @tf.function(jit_compile=jit_compile)
    def step():
      with tf.GradientTape() as tape:
        tape.watch([u, carry])
        y, x = stack(u, carry, is_reset)
        loss = tf.reduce_sum(weights * y) + tf.reduce_sum(x**2)
      sources = [u, carry, *stack.trainable_variables]
      return y, x, *tape.gradient(loss, sources)

    return step

  kept = run(_stack(**options))
  again = run(_stack(rematerialize=True, **options))
  for left, right in zip(kept(), again()):
    np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-4)
  if jit_compile:
    # What XLA would merge with the forward pass if nothing held it apart.
    assert 'opt-barrier' in again.experimental_get_compiler_ir()(stage='hlo')


def test_variables_and_checkpoint(tmp_path):
  """Every variable is tracked: a restored stack is the saved one."""
  stack = _stack()
  assert len(stack.ssm_variables) == 14
  assert len(stack.trainable_variables) == 14 + 2 * 6
  u, carry, is_reset = _sequence(9)
  expected, _ = stack(u, carry, is_reset)
  path = tf.train.Checkpoint(stack=stack).write(str(tmp_path / 'stack'))
  other = ssm.S3MStack(2, 6, 8, 2)
  other.build([None, 6])
  restored = tf.train.Checkpoint(stack=other).read(path)
  restored.assert_consumed()
  np.testing.assert_array_equal(other(u, carry, is_reset)[0], expected)


def test_pre_norm():
  """The norm is inside the branch: y = u + g(SSM(LayerNorm(u)))."""
  stack = _stack(norm=ssm.NormPosition.PRE)
  u, carry, is_reset = _sequence(9)
  y = u
  for index, layer in enumerate(stack.layers):
    flat = layer.norm(tf.reshape(y, [-1, 6]))
    seen, _ = layer.ssm(tf.reshape(flat, y.shape), carry[:, index], is_reset)
    seen = tf.nn.gelu(seen, approximate=True)
    y += layer.out(seen) * tf.sigmoid(layer.out2(seen))
  np.testing.assert_allclose(stack(u, carry, is_reset)[0], y, atol=1e-5)


def test_attention_stands_between_layers():
  """One after each layer but the last, with weights of their own."""
  stack = _stack(attention_window=3, attention_heads=2)
  assert len(stack.attention) == len(stack.layers) - 1 == 1
  u, _, is_reset = _sequence(9)
  carry = stack.initial_state(2)
  y, x = stack(u, carry, is_reset)
  state, cache = carry
  first, _ = stack.layers[0](u, state[:, 0], is_reset)
  between, *_ = stack.attention[0](first, cache.of_layer(0), is_reset)
  last, _ = stack.layers[1](between, state[:, 1], is_reset)
  np.testing.assert_array_equal(y, last)
  assert x.cache.keys.shape == (2, 9, 2, 1, 6)
  with pytest.raises(ValueError, match='attention stands between layers'):
    ssm.S3MStack(1, 6, 8, 2, attention_window=3)


def test_bad_arguments():
  """No layers, or a state of another stack, are refused by name."""
  with pytest.raises(ValueError, match='layers is 0'):
    ssm.S3MStack(0, 6, 8, 2)
  stack = _stack()
  u, carry, is_reset = _sequence(5)
  with pytest.raises(ValueError, match='carry has shape'):
    stack(u, carry[:, :1], is_reset)
  with pytest.raises(ValueError, match='u has shape'):
    stack.step(u, carry, is_reset[:, 0])
  with pytest.raises(ValueError, match='is_reset has shape'):
    stack(u, carry, is_reset[:, :1])
