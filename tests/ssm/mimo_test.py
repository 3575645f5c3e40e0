"""Tests of r2i_tf.ssm.layer."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import ssm
from tests import golden
from tests.ssm import reference

_BILINEAR = ssm.Discretization.BILINEAR
_ZERO_ORDER_HOLD = ssm.Discretization.ZERO_ORDER_HOLD


def _layer(**options):
  """A built layer, H = 6, P = 8, its initial state moved off zero."""
  tf.keras.utils.set_random_seed(1)
  layer = ssm.DiagonalSSM(6, 8, 2, **options)
  layer.build([None, 6])
  if layer.learned_initial_state is not None:
    layer.learned_initial_state.assign(tf.random.normal([2, 8]))
  return layer


def _planes(pairs):
  """[..., P, 2], the published layout of a state, to [..., 2, P]."""
  return np.moveaxis(pairs, -1, -2)


def _sequence(length, batch=2):
  rng = np.random.default_rng(2)
  return (
      tf.constant(rng.normal(size=[batch, length, 6]), tf.float32),
      tf.constant(rng.normal(size=[batch, 2, 8]), tf.float32),
      tf.constant(rng.random([batch, length]) < 0.05),
  )


@pytest.mark.parametrize('name', ['bilinear', 'zoh', 'conjugate', 'clipped'])
def test_matches_golden_numbers(name):
  """Given the published parameters, a layer computes what was published."""
  arrays = golden.load(f'ssm_layer_{name}')
  layer = ssm.DiagonalSSM(
      24,
      16,
      2,
      discretization=_ZERO_ORDER_HOLD if name == 'zoh' else _BILINEAR,
      conjugate_symmetry=name == 'conjugate',
      eigenvalue_clip=-1e-4 if name == 'clipped' else None,
      learned_initial_state=False,
  )
  layer.build([None, 24])
  if name in ('bilinear', 'conjugate'):
    np.testing.assert_allclose(layer.lambda_re, arrays['lambda_re'], atol=1e-4)
    np.testing.assert_allclose(layer.lambda_im, arrays['lambda_im'], atol=1e-4)
  for key in ('lambda_re', 'lambda_im', 'b', 'c', 'd', 'log_step'):
    getattr(layer, key).assign(arrays[key])
  y, x = layer(
      arrays['u'][np.newaxis],
      _planes(arrays['x0'])[np.newaxis],
      tf.zeros([1, len(arrays['u'])], tf.bool),
  )
  np.testing.assert_allclose(y[0], arrays['y'], atol=1e-4)
  np.testing.assert_allclose(x[0], _planes(arrays['x']), atol=1e-3)


@pytest.mark.parametrize('method', list(ssm.Discretization))
@pytest.mark.parametrize('conjugate_symmetry', [False, True])
def test_matches_reference_with_resets(method, conjugate_symmetry):
  """The whole layer, resets included, is the equations in float64."""
  layer = _layer(discretization=method, conjugate_symmetry=conjugate_symmetry)
  u, carry, is_reset = _sequence(100)
  parameters = {
      key: getattr(layer, key).numpy()
      for key in ('lambda_re', 'lambda_im', 'b', 'c', 'd', 'log_step')
  }
  parameters['initial_state'] = layer.initial_state.numpy()
  expected_y, expected_x = reference.layer(
      parameters,
      u,
      carry,
      is_reset,
      is_bilinear=method is _BILINEAR,
      factor=2.0 if conjugate_symmetry else 1.0,
  )
  y, x = layer(u, carry, is_reset)
  np.testing.assert_allclose(y, expected_y, atol=1e-4)
  np.testing.assert_allclose(x, expected_x, atol=1e-4)


@pytest.mark.parametrize('jit_compile', [False, True])
def test_parallel_and_step_forms_agree(jit_compile):
  """One set of variables, two forms: outputs, states and gradients agree."""
  layer = _layer()
  u, carry, is_reset = _sequence(1024)

  @tf.function(jit_compile=jit_compile)
  def parallel():
    with tf.GradientTape() as tape:
      y, x = layer(u, carry, is_reset)
      loss = tf.reduce_mean(y**2) + tf.reduce_mean(x**2)
    return y, x, tape.gradient(loss, layer.trainable_variables)

  y, x, gradients = parallel()
  outputs, states, state = [], [], carry
  with tf.GradientTape() as tape:
    discretized = layer.discretize()
    for t in range(u.shape[1]):
      output, state = layer.step(u[:, t], state, is_reset[:, t], discretized)
      outputs.append(output)
      states.append(state)
    step_y, step_x = tf.stack(outputs, 1), tf.stack(states, 1)
    loss = tf.reduce_mean(step_y**2) + tf.reduce_mean(step_x**2)
  np.testing.assert_allclose(y, step_y, atol=1e-4)
  np.testing.assert_allclose(x, step_x, atol=1e-4)
  # Each gradient sums 2,048 terms in another order.
  step_gradients = tape.gradient(loss, layer.trainable_variables)
  assert len(gradients) == 7
  for actual, expected in zip(gradients, step_gradients):
    scale = np.max(np.abs(expected))
    np.testing.assert_allclose(actual, expected, atol=1e-3 * scale)


@pytest.mark.parametrize('method', list(ssm.Discretization))
@pytest.mark.parametrize('conjugate_symmetry', [False, True])
def test_steps_without_discretized(method, conjugate_symmetry):
  """Steps that scale B u have the states of steps with B_bar, however long."""
  layer = _layer(discretization=method, conjugate_symmetry=conjugate_symmetry)
  u, carry, is_reset = _sequence(1024)

  @tf.function(autograph=False)
  def steps(discretized):
    y, x = tf.TensorArray(tf.float32, 1024), tf.TensorArray(tf.float32, 1024)

    def step(t, state, y, x):
      output, state = layer.step(u[:, t], state, is_reset[:, t], discretized)
      return t + 1, state, y.write(t, output), x.write(t, state)

    *_, y, x = tf.while_loop(lambda t, *_: t < 1024, step, (0, carry, y, x))
    return y.stack(), x.stack()

  for with_it, without in zip(steps(layer.discretize()), steps(None)):
    scale = np.abs(with_it).max()
    np.testing.assert_allclose(without, with_it, atol=1e-5 * scale)


def test_state_space_variables():
  """An optimiser group can find all seven variables, or six without x_init."""
  layer = _layer()
  names = [v.name.split(':')[0].split('/')[-1] for v in layer.ssm_variables]
  expected = ['lambda_re', 'lambda_im', 'b', 'c', 'd', 'log_step']
  assert names == expected + ['initial_state']
  assert len(layer.trainable_variables) == 7
  fixed = _layer(learned_initial_state=False)
  assert len(fixed.trainable_variables) == len(fixed.ssm_variables) == 6
  np.testing.assert_array_equal(fixed.initial_state, np.zeros([2, 8]))


def test_step_lengths_start_within_bounds():
  """Every channel starts with a memory span that was asked for."""
  layer = _layer(min_step=0.02, max_step=0.03)
  steps = np.exp(layer.log_step)
  assert np.all((steps >= 0.0199) & (steps <= 0.0301))


def test_clip_bounds_the_eigenvalues():
  """With a clip no state can grow, whatever the variables became."""
  layer = _layer(eigenvalue_clip=-1e-4)
  layer.lambda_re.assign(tf.fill([8], 3.0))
  lambda_bar = reference.from_planes(layer.discretize().lambda_bar)
  assert np.all(np.abs(lambda_bar) < 1.0)


def test_mixed_policy():
  """Half precision is for the two products: nothing of it stays in memory."""
  layer, exact = _layer(dtype='mixed_bfloat16'), _layer()
  discretized = layer.discretize()
  assert discretized.input_projection.dtype == tf.bfloat16
  assert discretized.output_projection.dtype == tf.bfloat16
  assert discretized.lambda_bar.dtype == layer.b.dtype == tf.float32
  np.testing.assert_array_equal(
      discretized.lambda_bar, exact.discretize().lambda_bar
  )
  u, carry, is_reset = _sequence(100)
  u = tf.cast(u, tf.bfloat16)
  y, x = layer(u, carry, is_reset)
  expected_y, expected_x = exact(tf.cast(u, tf.float32), carry, is_reset)
  assert y.dtype == x.dtype == tf.float32
  # A sum of six rounded products, 8 bits each, and no error that grows.
  for actual, expected in ((y, expected_y), (x, expected_x)):
    error = np.max(np.abs(actual - expected)) / np.max(np.abs(expected))
    assert 1e-5 < error < 1e-2


@pytest.mark.parametrize(
    'options, message',
    [
        ({'width': 0}, 'width is 0'),
        ({'blocks': 3}, 'positive multiple of blocks'),
        ({'min_step': 0.0}, 'min_step is 0.0'),
        ({'min_step': 0.2}, 'min_step is 0.2'),
        ({'eigenvalue_clip': 0.1}, 'eigenvalue_clip is 0.1'),
        ({'discretization': 'zoh'}, "discretization is 'zoh'"),
    ],
)
def test_bad_options(options, message):
  """A bad hyperparameter is refused at construction, by name and value."""
  options = {'width': 6, 'state_size': 8, 'blocks': 2, **options}
  with pytest.raises(ValueError, match=message):
    ssm.DiagonalSSM(**options)


def test_bad_inputs():
  """A wrong input is named before anything is computed."""
  layer = _layer()
  u, carry, is_reset = _sequence(5)
  with pytest.raises(ValueError, match='u has shape'):
    layer(u[..., :5], carry, is_reset)
  with pytest.raises(ValueError, match='u has shape'):
    layer.step(u, carry, is_reset)
  with pytest.raises(ValueError, match='carry has shape'):
    layer(u, carry[..., :7], is_reset)
  with pytest.raises(ValueError, match='x has shape'):
    layer.outputs(u, carry, layer.discretize())
  with pytest.raises(ValueError, match='last dimension must be its width'):
    ssm.DiagonalSSM(6, 8, 2).build([None, 5])
  with pytest.raises(ValueError, match='has no variables yet'):
    ssm.DiagonalSSM(6, 8, 2).step(u[:, 0], carry, is_reset[:, 0])
