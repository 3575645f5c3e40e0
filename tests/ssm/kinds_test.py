"""Tests of r2i_tf.ssm.kinds: what holds for all, and what each one is."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import ssm
from r2i_tf.ssm import hippo
from r2i_tf.ssm import kinds
from r2i_tf.ssm import options
from tests.ssm import reference

_Kind = ssm.StateSpaceKind
_BILINEAR = ssm.Discretization.BILINEAR
_ZERO_ORDER_HOLD = ssm.Discretization.ZERO_ORDER_HOLD
_SCAN, _CONVOLUTION = ssm.Computation.SCAN, ssm.Computation.CONVOLUTION
_WIDTH, _SIZE = 5, 4
_KINDS = [
    (_Kind.MIMO, {}),
    (_Kind.SISO, {}),
    (_Kind.SISO, {'conjugate_symmetry': True}),
    (_Kind.SISO, {'discretization': _ZERO_ORDER_HOLD}),
    (_Kind.SISO_DPLR, {}),
    (_Kind.SISO_DPLR, {'conjugate_symmetry': True}),
    (_Kind.SELECTIVE, {'discretization': _ZERO_ORDER_HOLD}),
]


def _layer(kind, **changes):
  """A built layer with steps that are seen, its initial state off zero."""
  tf.keras.utils.set_random_seed(1)
  arguments = {
      'blocks': 2,
      'discretization': _BILINEAR,
      'min_step': 0.05,
      'max_step': 0.5,
      'conjugate_symmetry': False,
      'eigenvalue_clip': None,
      'learned_initial_state': True,
      'computation': _SCAN,
      'dtype': None,
      'name': 'ssm',
      **changes,
  }
  layer = kinds.create(kind, _WIDTH, _SIZE, **arguments)
  layer.build([None, _WIDTH])
  if layer.learned_initial_state is not None:
    layer.learned_initial_state.assign(tf.random.normal(layer.state_shape))
  return layer


def _sequence(layer, length=40, batch=2):
  rng = np.random.default_rng(2)
  return (
      tf.constant(rng.normal(size=[batch, length, _WIDTH]), tf.float32),
      tf.constant(rng.normal(size=[batch, *layer.state_shape]), tf.float32),
      tf.constant(rng.random([batch, length]) < 0.1),
  )


def _steps(layer, u, carry, is_reset):
  """The step form in a plain loop, differentiated by TensorFlow."""
  discretized = layer.discretize()
  outputs, states, state = [], [], carry
  for t in range(u.shape[1]):
    output, state = layer.step(u[:, t], state, is_reset[:, t], discretized)
    outputs.append(output)
    states.append(state)
  return tf.stack(outputs, 1), tf.stack(states, 1)


def _run(function, layer, u, carry, is_reset):
  with tf.GradientTape() as tape:
    tape.watch([u, carry])
    y, x = function(u, carry, is_reset)
    loss = tf.reduce_mean(y**2) + tf.reduce_mean(x**2)
  sources = [u, carry, *layer.trainable_variables]
  return y, x, tape.gradient(loss, sources)


@pytest.mark.parametrize('kind, changes', _KINDS)
def test_parallel_and_step_forms_agree(kind, changes):
  """Whatever the kind, what acts is what was trained: values and gradients."""
  layer = _layer(kind, **changes)
  arguments = _sequence(layer)
  y, x, gradients = _run(layer, layer, *arguments)
  steps = tf.function(
      lambda *a: _run(lambda *b: _steps(layer, *b), layer, *a), autograph=False
  )
  step_y, step_x, step_gradients = steps(*arguments)
  np.testing.assert_allclose(y, step_y, atol=1e-4)
  np.testing.assert_allclose(x, step_x, atol=1e-4)
  assert len(gradients) == 2 + len(layer.ssm_variables)
  for actual, expected in zip(gradients, step_gradients):
    assert np.all(np.isfinite(actual))
    scale = np.max(np.abs(expected))
    assert scale > 0
    np.testing.assert_allclose(actual, expected, atol=1e-4 * scale)


@pytest.mark.parametrize('kind, changes', _KINDS)
def test_nothing_passes_a_reset(kind, changes):
  """A reset takes effect at its own step, and clears a NaN."""
  layer = _layer(kind, **changes)
  u, carry, _ = _sequence(layer, 20)
  is_reset = tf.constant(np.arange(20) == 7)[tf.newaxis]
  is_reset = tf.repeat(is_reset, 2, 0)
  expected, _ = layer(u, carry, is_reset)
  u = tf.concat([tf.fill([2, 7, _WIDTH], np.nan), u[:, 7:]], 1)
  y, x = layer(u, carry, is_reset)
  assert np.all(np.isnan(x[:, :7]))
  np.testing.assert_array_equal(y[:, 7:], expected[:, 7:])


@pytest.mark.parametrize('kind, changes', _KINDS)
def test_no_resets_by_none(kind, changes):
  """None stands for a sequence without a reset."""
  layer = _layer(kind, **changes)
  u, carry, is_reset = _sequence(layer, 9)
  for actual, expected in zip(
      layer(u, carry), layer(u, carry, tf.zeros_like(is_reset))
  ):
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize('kind, changes', _KINDS)
def test_half_precision_stays_in_the_products(kind, changes):
  """States and outputs are float32 under a policy of mixed precision."""
  layer = _layer(kind, dtype='mixed_bfloat16', **changes)
  exact = _layer(kind, **changes)
  u, carry, is_reset = _sequence(layer)
  u = tf.cast(u, tf.bfloat16)
  y, x = layer(u, carry, is_reset)
  assert y.dtype == x.dtype == tf.float32
  expected_y, expected_x = exact(tf.cast(u, tf.float32), carry, is_reset)
  for actual, expected in ((y, expected_y), (x, expected_x)):
    assert np.max(np.abs(actual - expected)) < 3e-2 * np.max(np.abs(expected))


@pytest.mark.parametrize('kind', [_Kind.MIMO, _Kind.SISO])
def test_convolution_equals_scan(kind):
  """By FFT: the same outputs, states and gradients, the carry included."""
  scan = _layer(kind)
  convolution = _layer(kind, computation=_CONVOLUTION)
  # No power of two, and longer than a memory.
  u, carry, _ = _sequence(scan, 300)
  y, x, gradients = _run(convolution, convolution, u, carry, None)
  expected_y, expected_x, expected = _run(scan, scan, u, carry, None)
  np.testing.assert_allclose(y, expected_y, atol=1e-4)
  np.testing.assert_allclose(x, expected_x, atol=1e-4)
  assert gradients[-1] is None  # Nothing is reset to the initial state.
  for actual, wanted in zip(gradients[:-1], expected[:-1]):
    scale = np.max(np.abs(wanted))
    np.testing.assert_allclose(actual, wanted, atol=1e-3 * scale)
  step = convolution.step(u[:, 0], carry, tf.zeros([2], tf.bool))
  np.testing.assert_allclose(step[0], y[:, 0], atol=1e-4)


def test_convolution_refuses_resets():
  """A convolution says that it cannot reset, and does not just go on."""
  layer = _layer(_Kind.SISO, computation=_CONVOLUTION)
  with pytest.raises(ValueError, match='cannot reset inside of a sequence'):
    layer(*_sequence(layer))


@pytest.mark.parametrize('conjugate_symmetry', [False, True])
@pytest.mark.parametrize('rule', list(ssm.Discretization))
def test_siso_is_a_loop_over_channels(rule, conjugate_symmetry):
  """S4D: H models of one input and one output that do not meet."""
  layer = _layer(
      _Kind.SISO, discretization=rule, conjugate_symmetry=conjugate_symmetry
  )
  u, carry, is_reset = _sequence(layer)
  y, _ = layer(u, carry, is_reset)
  initial = layer.learned_initial_state.numpy()
  for h in range(_WIDTH):
    own = slice(h * _SIZE, (h + 1) * _SIZE)
    parameters = {
        'lambda_re': layer.lambda_re[h],
        'lambda_im': layer.lambda_im[h],
        'b': layer.b[h, :, tf.newaxis],
        'c': layer.c[h][tf.newaxis],
        'd': layer.d[h : h + 1],
        'log_step': tf.repeat(layer.log_step[h : h + 1], _SIZE, 0),
        'initial_state': initial[:, own],
    }
    expected, _ = reference.layer(
        parameters,
        u[..., h : h + 1],
        carry[..., own],
        is_reset,
        is_bilinear=rule is _BILINEAR,
        factor=2.0 if conjugate_symmetry else 1.0,
    )
    np.testing.assert_allclose(y[..., h], expected[..., 0], atol=1e-4)


def _dense(layer, h, conjugate_symmetry):
  """(A, B, C) of a channel of S4, with those conjugates that are implied."""
  eigenvalues = reference.to_complex(
      np.stack([layer.lambda_re[h], layer.lambda_im[h]], -1)
  )
  vectors = [
      reference.to_complex(x[h].numpy()) for x in (layer.p, layer.b, layer.c)
  ]
  if conjugate_symmetry:
    eigenvalues, *vectors = (
        np.concatenate([x, x.conj()]) for x in (eigenvalues, *vectors)
    )
  p, b, c = vectors
  return np.diag(eigenvalues) - np.outer(p, p.conj()), b, c


@pytest.mark.parametrize('conjugate_symmetry', [False, True])
def test_dplr_is_its_dense_matrix_recurrence(conjugate_symmetry):
  """S4: Woodbury's identity gives what inverting the whole matrix gives."""
  layer = _layer(_Kind.SISO_DPLR, conjugate_symmetry=conjugate_symmetry)
  # Off the symmetry that they start with.
  for variable in (layer.p, layer.b, layer.lambda_im):
    variable.assign_add(0.2 * tf.random.normal(variable.shape))
  u, carry, is_reset = _sequence(layer, 40)
  outputs, _ = _steps(layer, u, carry, is_reset)
  step = np.exp(np.asarray(layer.log_step, np.float64))
  for h in range(_WIDTH):
    a, b, c = _dense(layer, h, conjugate_symmetry)
    own = slice(h * _SIZE, (h + 1) * _SIZE)
    state, initial = (
        reference.from_planes(x[..., own])
        for x in (carry, layer.learned_initial_state)
    )
    if conjugate_symmetry:
      state, initial = (
          np.concatenate([x, x.conj()], -1) for x in (state, initial)
      )
    one, half = np.eye(len(b)), 0.5 * step[h, 0]
    inverse = np.linalg.inv(one - half * a)
    a_bar, b_bar = inverse @ (one + half * a), 2 * half * inverse @ b
    for t in range(40):
      reset = is_reset[:, t, tf.newaxis].numpy()
      previous = np.where(reset, initial, state)
      u_t = u[:, t, h, np.newaxis].numpy()
      state = previous @ a_bar.T + b_bar * u_t
      expected = (state @ c).real + layer.d[h] * u[:, t, h]
      np.testing.assert_allclose(outputs[:, t, h], expected, atol=1e-4)


@pytest.mark.parametrize('conjugate_symmetry', [False, True])
def test_dplr_starts_as_hippo_legs(conjugate_symmetry):
  """Its first matrix is HiPPO-LegS itself, not the normal part alone."""
  size = 2 * _SIZE if conjugate_symmetry else _SIZE
  layer = _layer(_Kind.SISO_DPLR, conjugate_symmetry=conjugate_symmetry)
  a, b, _ = _dense(layer, 0, conjugate_symmetry)
  n = np.arange(size)
  root = np.sqrt(2 * n + 1)
  legs = -np.tril(np.outer(root, root), -1) - np.diag(n + 1.0)
  # The basis does not show in what the input does to the powers of A.
  krylov, expected = [b], [root]
  for _ in range(3):
    krylov.append(a @ krylov[-1])
    expected.append(legs @ expected[-1])
  gram = np.array(krylov).conj() @ np.array(krylov).T
  wanted = np.array(expected) @ np.array(expected).T
  np.testing.assert_allclose(gram, wanted, rtol=1e-4)
  _, vectors = hippo.eigendecomposition(size)
  eigenvalues, p, _ = hippo.low_rank_form(size)
  whole = vectors @ (np.diag(eigenvalues) - np.outer(p, p.conj()))
  np.testing.assert_allclose(whole @ vectors.conj().T, legs, atol=1e-9)


def test_selective_is_its_equations():
  """Mamba: step length, B and C are of the input; the hold is exact."""
  layer = _layer(_Kind.SELECTIVE, discretization=_ZERO_ORDER_HOLD)
  u, carry, is_reset = _sequence(layer)
  y, _ = layer(u, carry, is_reset)
  inputs = u.numpy().astype(np.float64)

  def get(name):
    return getattr(layer, name).numpy().astype(np.float64)

  step = np.log1p(
      np.exp(inputs @ get('step_down') @ get('step_up') + get('step_bias'))
  )
  eigenvalues = -np.exp(get('lambda_log'))
  state = carry.numpy().reshape([2, _WIDTH, _SIZE])
  initial = get('learned_initial_state').reshape([_WIDTH, _SIZE])
  for t in range(u.shape[1]):
    state = np.where(is_reset[:, t, None, None], initial, state)
    a = np.exp(step[:, t, :, None] * eigenvalues)
    b, c = inputs[:, t] @ get('b'), inputs[:, t] @ get('c')
    held = inputs[:, t, :, None] * b[:, None]
    state = a * state + (a - 1) / eigenvalues * held
    expected = np.einsum('bhn,bn->bh', state, c) + get('d') * inputs[:, t]
    np.testing.assert_allclose(y[:, t], expected, atol=1e-4)


def test_selective_steps_start_within_bounds():
  """For an input of zero, a channel's first step length was asked for."""
  layer = _layer(
      _Kind.SELECTIVE,
      discretization=_ZERO_ORDER_HOLD,
      min_step=0.02,
      max_step=0.03,
  )
  steps = tf.nn.softplus(layer.step_bias)
  assert np.all((steps >= 0.0199) & (steps <= 0.0301))


@pytest.mark.parametrize('kind', [_Kind.SISO, _Kind.SISO_DPLR])
def test_clip_bounds_the_eigenvalues(kind):
  """The bound holds for every kind that takes it."""
  layer = _layer(kind, eigenvalue_clip=-1e-4)
  layer.lambda_re.assign(tf.fill(layer.lambda_re.shape, 3.0))
  discretized = layer.discretize()
  lambda_bar = (
      discretized.lambda_bar
      if kind is _Kind.SISO
      else discretized.matrix.diagonal
  )
  assert np.all(np.abs(reference.from_planes(lambda_bar)) < 1.0)


@pytest.mark.parametrize(
    'kind, changes, message',
    [
        (_Kind.SISO_DPLR, {'computation': _CONVOLUTION}, 'set it to scan'),
        (_Kind.SELECTIVE, {'computation': _CONVOLUTION}, 'set it to scan'),
        (
            _Kind.SISO_DPLR,
            {'discretization': _ZERO_ORDER_HOLD},
            'set it to bilinear',
        ),
        (_Kind.SELECTIVE, {}, 'discretization is bilinear.* set it to zoh'),
        (
            _Kind.SELECTIVE,
            {'discretization': _ZERO_ORDER_HOLD, 'conjugate_symmetry': True},
            'its states are real',
        ),
        (
            _Kind.SELECTIVE,
            {'discretization': _ZERO_ORDER_HOLD, 'eigenvalue_clip': -0.1},
            'eigenvalues are negative',
        ),
        (_Kind.SISO, {'eigenvalue_clip': 0.0}, 'eigenvalue_clip is 0.0'),
    ],
)
def test_what_a_kind_cannot_do_is_refused(kind, changes, message):
  """No option is dropped in silence."""
  with pytest.raises(ValueError, match=message):
    _layer(kind, **changes)
  assert not options.refusal(_Kind.MIMO, _BILINEAR, _CONVOLUTION, True, -1.0)


@pytest.mark.parametrize('kind,changes', _KINDS)
def test_moduli_are_what_a_step_leaves(kind, changes):
  """Of each channel, once its inputs are zeros; or a kind has none."""
  layer = _layer(kind, **changes)
  moduli = layer.moduli()
  if kind in (_Kind.SISO_DPLR, _Kind.SELECTIVE):
    assert moduli is None
    return
  _, carry, _ = _sequence(layer)
  silence = tf.zeros([2, 10, _WIDTH])
  _, states = layer(silence, carry)
  size = tf.norm(states[:, -1], axis=-2) / tf.norm(carry, axis=-2)
  np.testing.assert_allclose(size, [moduli**10] * 2, rtol=1e-4)
