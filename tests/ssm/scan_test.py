"""Tests of r2i_tf.ssm.scan."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf.ssm import scan
from tests.ssm import reference

_NAMES = ('lambda_bar', 'inputs', 'is_reset', 'carry', 'initial_state')


def _arguments(batch, length, state_size, is_reset=None, seed=0):
  """Random arguments, abs(lambda_bar) in [0.9, 1 - 1e-4]; one reset in 20."""
  rng = np.random.default_rng(seed)
  magnitude = 1.0 - 10.0 ** rng.uniform(-4, -1, state_size)
  angle = rng.uniform(-np.pi, np.pi, state_size)
  lambda_bar = reference.to_pairs(magnitude * np.exp(1j * angle))
  if is_reset is None:
    is_reset = rng.random([batch, length]) < 0.05
  return (
      tf.constant(lambda_bar, tf.float32),
      tf.constant(rng.normal(size=[batch, length, state_size, 2]), tf.float32),
      tf.constant(np.broadcast_to(is_reset, [batch, length])),
      tf.constant(rng.normal(size=[batch, state_size, 2]), tf.float32),
      tf.constant(rng.normal(size=[state_size, 2]), tf.float32),
  )


def _run_steps(lambda_bar, inputs, is_reset, carry, initial_state):
  states = []
  for step_inputs, step_reset in zip(
      tf.unstack(inputs, axis=1), tf.unstack(is_reset, axis=1)
  ):
    carry = scan.linear_recurrence_step(
        lambda_bar, step_inputs, step_reset, carry, initial_state
    )
    states.append(carry)
  return tf.stack(states, axis=1)


def _values_and_gradients(function, arguments, weights):
  """The states, and the gradients of sum(weights * states)."""
  sources = [a for a in arguments if a.dtype != tf.bool]
  with tf.GradientTape() as tape:
    tape.watch(sources)
    states = function(*arguments)
    loss = tf.reduce_sum(weights * states)
  return states, tape.gradient(loss, sources)


def _assert_relative(actual, expected, tolerance):
  actual, expected = np.asarray(actual), np.asarray(expected)
  assert actual.shape == expected.shape
  error = np.max(np.abs(actual - expected)) / np.max(np.abs(expected))
  assert error < tolerance, error


@pytest.mark.parametrize('jit_compile', [False, True])
def test_parallel_and_step_forms_agree(jit_compile):
  """Acting sees the states that training saw: values and gradients agree."""
  arguments = _arguments(batch=3, length=1024, state_size=8)
  weights = tf.constant(
      np.random.default_rng(1).normal(size=arguments[1].shape), tf.float32
  )
  parallel = tf.function(
      lambda *a: _values_and_gradients(scan.linear_recurrence, a, weights),
      jit_compile=jit_compile,
  )
  states, gradients = parallel(*arguments)
  expected, expected_gradients = _values_and_gradients(
      _run_steps, arguments, weights
  )
  np.testing.assert_allclose(states, expected, atol=1e-4)
  # Sums over 3,072 products of either sign, in another order each: their
  # float32 rounding is larger than that of any one state.
  for actual, wanted in zip(gradients, expected_gradients):
    _assert_relative(actual, wanted, 1e-3)


@pytest.mark.parametrize('length', [1, 2, 7, 17, 33, 100, 1000])
def test_any_length(length):
  """Padding to whole chunks never shows, in the states or the gradients."""
  arguments = _arguments(batch=2, length=length, state_size=4, seed=length)
  weights = tf.ones_like(arguments[1])
  states, gradients = _values_and_gradients(
      scan.linear_recurrence, arguments, weights
  )
  np.testing.assert_allclose(
      states, reference.recurrence(*arguments), atol=1e-4
  )
  _, expected = _values_and_gradients(_run_steps, arguments, weights)
  for actual, wanted in zip(gradients, expected):
    # The initial state has no part in a sequence without a reset.
    np.testing.assert_allclose(
        actual, wanted, rtol=1e-3, atol=1e-3 * np.max(np.abs(wanted))
    )


@pytest.mark.parametrize(
    'resets',
    [[], [0], [10], [10, 12], [7, 8], [0, 39], range(40)],
    ids=['none', 'first', 'one', 'two in a chunk', 'boundary', 'ends', 'all'],
)
@pytest.mark.parametrize('chunk_length', [2, 3, 8, 16])
def test_resets(resets, chunk_length):
  """A reset takes effect at its own step, once, wherever it falls."""
  is_reset = np.isin(np.arange(40), list(resets))
  arguments = _arguments(2, 40, 4, is_reset)
  states = scan.linear_recurrence(*arguments, chunk_length=chunk_length)
  np.testing.assert_allclose(
      states, reference.recurrence(*arguments), atol=1e-5
  )


def test_reset_clears_non_finite_state():
  """An episode that overflowed does not poison the one after it."""
  is_reset = np.arange(40) == 20
  arguments = list(_arguments(1, 40, 4, is_reset))
  arguments[3] = tf.fill([1, 4, 2], np.nan)
  states = scan.linear_recurrence(*arguments).numpy()
  assert np.all(np.isnan(states[:, :20]))
  assert np.all(np.isfinite(states[:, 20:]))


def test_long_memory_is_accurate():
  """65,536 steps with abs(lambda_bar) = 1 - 1e-6 stay close to float64."""
  length, state_size = 65536, 4
  lambda_bar, inputs, _, carry, initial_state = _arguments(
      1, length, state_size
  )
  angle = np.array([0.0, 1e-3, 0.3, 2.0])
  lambda_bar = tf.constant(
      reference.to_pairs((1.0 - 1e-6) * np.exp(1j * angle)), tf.float32
  )
  is_reset = tf.zeros([1, length], tf.bool)
  arguments = (lambda_bar, inputs, is_reset, carry, initial_state)
  states, gradients = _values_and_gradients(
      scan.linear_recurrence, arguments, tf.ones_like(inputs)
  )
  _assert_relative(states, reference.recurrence(*arguments), 1e-5)
  # With weights of one the gradient of the inputs is the conjugate recurrence
  # of ones, run from the end.
  conjugate = lambda_bar.numpy() * [1, -1]
  expected = reference.recurrence(
      conjugate,
      np.ones(inputs.shape),
      is_reset,
      np.zeros(carry.shape),
      initial_state,
  )[:, ::-1]
  _assert_relative(gradients[1], expected, 1e-5)


def test_unknown_batch_size():
  """A function traced for any batch size serves each."""
  arguments = _arguments(3, 20, 4)
  signature = [
      tf.TensorSpec([4, 2]),
      tf.TensorSpec([None, 20, 4, 2]),
      tf.TensorSpec([None, 20], tf.bool),
      tf.TensorSpec([None, 4, 2]),
      tf.TensorSpec([4, 2]),
  ]
  function = tf.function(scan.linear_recurrence, input_signature=signature)
  np.testing.assert_allclose(
      function(*arguments), reference.recurrence(*arguments), atol=1e-5
  )


@pytest.mark.parametrize(
    'name, value, message',
    [
        ('lambda_bar', tf.zeros([5, 2]), 'lambda_bar has shape'),
        ('inputs', tf.zeros([2, 4, 2]), 'inputs has shape'),
        ('inputs', tf.zeros([2, 0, 4, 2]), 'inputs has length 0'),
        ('inputs', tf.zeros([2, 9, 4, 2], tf.float64), 'inputs has dtype'),
        ('is_reset', tf.zeros([2, 9]), 'is_reset has dtype float32'),
        ('is_reset', tf.zeros([2, 8], tf.bool), 'is_reset has shape'),
        ('carry', tf.zeros([3, 4, 2]), 'carry has shape'),
        ('initial_state', tf.zeros([4]), 'initial_state has shape'),
    ],
)
def test_bad_arguments(name, value, message):
  """A mistake is named where it is made, not deep inside the scan."""
  arguments = dict(zip(_NAMES, _arguments(2, 9, 4)))
  arguments[name] = value
  with pytest.raises(ValueError, match=message):
    scan.linear_recurrence(**arguments)


def test_bad_chunk_length():
  """A chunk of one step would never end the recursion: it is refused."""
  with pytest.raises(ValueError, match='chunk_length is 1'):
    scan.linear_recurrence(*_arguments(2, 9, 4), chunk_length=1)


def test_bad_step_arguments():
  """The step form refuses a sequence."""
  with pytest.raises(ValueError, match='must have rank 3'):
    scan.linear_recurrence_step(*_arguments(2, 9, 4))
