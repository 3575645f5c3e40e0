"""Tests of r2i_tf.ssm.scan."""

import functools
import subprocess
import sys

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
  lambda_bar = reference.to_planes(magnitude * np.exp(1j * angle))
  if is_reset is None:
    is_reset = rng.random([batch, length]) < 0.05
  return (
      tf.constant(lambda_bar, tf.float32),
      tf.constant(rng.normal(size=[batch, length, 2, state_size]), tf.float32),
      tf.constant(np.broadcast_to(is_reset, [batch, length])),
      tf.constant(rng.normal(size=[batch, 2, state_size]), tf.float32),
      tf.constant(rng.normal(size=[2, state_size]), tf.float32),
  )


def _run_steps(lambda_bar, inputs, is_reset, carry, initial_state):
  """The step form in a plain loop, differentiated by TensorFlow."""
  length = inputs.shape[1]
  states = tf.TensorArray(tf.float32, length, element_shape=carry.shape)

  def body(t, state, states):
    state = scan.linear_recurrence_step(
        lambda_bar, inputs[:, t], is_reset[:, t], state, initial_state
    )
    return t + 1, state, states.write(t, state)

  _, _, states = tf.while_loop(
      lambda t, *_: t < length,
      body,
      (0, carry, states),
      maximum_iterations=length,
  )
  return tf.transpose(states.stack(), [1, 0, 2, 3])


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


@pytest.mark.parametrize('chunk_length', [None, 32, 128])
@pytest.mark.parametrize('length', [1024, 16384])
def test_parallel_and_step_forms_agree(length, chunk_length):
  """Acting sees the states that training saw: values and gradients agree."""
  arguments = _arguments(batch=3, length=length, state_size=8)
  weights = tf.constant(
      np.random.default_rng(1).normal(size=arguments[1].shape), tf.float32
  )
  recurrence = functools.partial(
      scan.linear_recurrence, chunk_length=chunk_length
  )
  states, gradients = _values_and_gradients(recurrence, arguments, weights)
  steps = tf.function(
      lambda *a: _values_and_gradients(_run_steps, a, weights),
      jit_compile=True,
  )
  expected, expected_gradients = steps(*arguments)
  np.testing.assert_allclose(states, expected, atol=1e-4)
  # Sums over all steps of products of either sign, in another order each: their
  # float32 rounding is larger than that of any one state.
  for actual, wanted in zip(gradients, expected_gradients):
    _assert_relative(actual, wanted, 1e-3)


@pytest.mark.parametrize('chunk_length', [None, 1, 8, 16])
@pytest.mark.parametrize('length', [1, 2, 7, 17, 33, 100])
def test_any_length(length, chunk_length):
  """Rounding up to whole chunks, or blocks of the gradient, never shows."""
  arguments = _arguments(batch=2, length=length, state_size=4, seed=length)
  weights = tf.ones_like(arguments[1])
  states, gradients = _values_and_gradients(
      functools.partial(scan.linear_recurrence, chunk_length=chunk_length),
      arguments,
      weights,
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
@pytest.mark.parametrize('chunk_length', [None, 2, 3, 8, 16])
def test_resets(resets, chunk_length):
  """A reset takes effect at its own step, once, wherever it falls."""
  is_reset = np.isin(np.arange(40), list(resets))
  arguments = _arguments(2, 40, 4, is_reset)
  states = scan.linear_recurrence(*arguments, chunk_length=chunk_length)
  np.testing.assert_allclose(
      states, reference.recurrence(*arguments), atol=1e-5
  )


@pytest.mark.parametrize('chunk_length', [None, 8])
def test_reset_clears_non_finite_state(chunk_length):
  """An episode that overflowed does not poison the one after it."""
  is_reset = np.arange(40) == 20
  arguments = list(_arguments(1, 40, 4, is_reset))
  arguments[3] = tf.fill([1, 2, 4], np.nan)
  states = scan.linear_recurrence(*arguments, chunk_length=chunk_length).numpy()
  assert np.all(np.isnan(states[:, :20]))
  assert np.all(np.isfinite(states[:, 20:]))


@pytest.mark.parametrize('chunk_length', [None, 8])
@pytest.mark.parametrize('reset', [20, 24])
def test_reset_clears_the_gradient_of_what_was_not_finite(reset, chunk_length):
  """Nor does an episode that overflowed in its last step spoil what is learned.

  With blocks of 8 steps, counted from the end, one of the resets begins a block
  and the other lies within.
  """
  arguments = list(_arguments(1, 40, 4, np.arange(40) == reset))
  is_last = tf.reshape(tf.range(40) == reset - 1, [1, 40, 1, 1])
  weights = tf.where(is_last, 0.0, tf.ones_like(arguments[1]))
  recurrence = functools.partial(
      scan.linear_recurrence, chunk_length=chunk_length
  )
  _, expected = _values_and_gradients(recurrence, arguments, weights)
  arguments[1] = tf.where(is_last, np.nan, arguments[1])
  _, gradients = _values_and_gradients(
      lambda *a: tf.where(is_last, 0.0, recurrence(*a)), arguments, weights
  )
  for actual, wanted in zip(gradients, expected):
    np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('chunk_length', [65536, 256])
def test_long_memory_is_accurate(chunk_length):
  """65,536 steps with abs(lambda_bar) = 1 - 1e-6 stay close to float64.

  Rounding at every step adds up as a random walk does, to sqrt(65,536) times
  2^-24 = 1.5e-5 of the state; errors that grew with the length would be 4e-3.
  """
  length, state_size = 65536, 4
  lambda_bar, inputs, _, carry, initial_state = _arguments(
      1, length, state_size
  )
  angle = np.array([0.0, 1e-3, 0.3, 2.0])
  lambda_bar = tf.constant(
      reference.to_planes((1.0 - 1e-6) * np.exp(1j * angle)), tf.float32
  )
  is_reset = tf.zeros([1, length], tf.bool)
  arguments = (lambda_bar, inputs, is_reset, carry, initial_state)
  states, gradients = _values_and_gradients(
      functools.partial(scan.linear_recurrence, chunk_length=chunk_length),
      arguments,
      tf.ones_like(inputs),
  )
  _assert_relative(states, reference.recurrence(*arguments), 5e-5)
  # With weights of one the gradient of the inputs is the conjugate recurrence
  # of ones, run from the end.
  conjugate = lambda_bar.numpy() * [[1], [-1]]
  expected = reference.recurrence(
      conjugate,
      np.ones(inputs.shape),
      is_reset,
      np.zeros(carry.shape),
      initial_state,
  )[:, ::-1]
  _assert_relative(gradients[1], expected, 5e-5)


def test_unknown_batch_size():
  """A function traced for any batch size serves each, backward as well."""
  arguments = _arguments(3, 20, 4)
  signature = [
      tf.TensorSpec([2, 4]),
      tf.TensorSpec([None, 20, 2, 4]),
      tf.TensorSpec([None, 20], tf.bool),
      tf.TensorSpec([None, 2, 4]),
      tf.TensorSpec([2, 4]),
  ]

  def run(*arguments):
    return _values_and_gradients(
        scan.linear_recurrence, arguments, tf.ones_like(arguments[1])
    )

  states, gradients = tf.function(run, input_signature=signature)(*arguments)
  np.testing.assert_allclose(
      states, reference.recurrence(*arguments), atol=1e-5
  )
  for actual, wanted in zip(gradients, run(*arguments)[1]):
    np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    'name, value, message',
    [
        ('lambda_bar', tf.zeros([2, 5]), 'lambda_bar has shape'),
        ('inputs', tf.zeros([2, 2, 4]), 'inputs has shape'),
        ('inputs', tf.zeros([2, 0, 2, 4]), 'inputs has length 0'),
        ('inputs', tf.zeros([2, 9, 2, 4], tf.float64), 'inputs has dtype'),
        ('is_reset', tf.zeros([2, 9]), 'is_reset has dtype float32'),
        ('is_reset', tf.zeros([2, 8], tf.bool), 'is_reset has shape'),
        ('carry', tf.zeros([3, 2, 4]), 'carry has shape'),
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
  """A chunk holds at least one step."""
  with pytest.raises(ValueError, match='chunk_length is 0'):
    scan.linear_recurrence(*_arguments(2, 9, 4), chunk_length=0)


def test_bad_step_arguments():
  """The step form refuses a sequence."""
  with pytest.raises(ValueError, match='must have rank 3'):
    scan.linear_recurrence_step(*_arguments(2, 9, 4))


_MEMORY = """
import resource
import tensorflow as tf
from r2i_tf import ssm

B, L, P = 2, 8192, 512
float32 = tf.float32
specs = [
    tf.TensorSpec([2, P], float32),
    tf.TensorSpec([B, L, 2, P], float32),  # 67 MB, like the states.
    tf.TensorSpec([B, L], tf.bool),
    tf.TensorSpec([B, 2, P], float32),
    tf.TensorSpec([2, P], float32),
]

def run(*arguments):
  with tf.GradientTape() as tape:
    tape.watch(arguments[1])
    states = ssm.linear_recurrence(*arguments)
  return tape.gradient(states, arguments[1])

program = tf.function(run, jit_compile=True, autograph=False)
generate = program.experimental_get_compiler_ir(*specs)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
generate(stage='hlo_serialized', device_name='/device:CPU:0')
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_no_array_is_held_while_the_program_is_made():
  """Handing the program to XLA takes no memory of the size of the states."""
  output = subprocess.run(
      [sys.executable, '-c', _MEMORY],
      check=True,
      capture_output=True,
      text=True,
  ).stdout
  assert 1e3 * int(output) < 60e6
