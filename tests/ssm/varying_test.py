"""Tests of r2i_tf.ssm.varying."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf.ssm import varying


def _arguments(length, is_reset=None, batch=2, state_size=3, seed=0):
  """Random arguments, a_t in [-1, 1]; one reset in ten."""
  rng = np.random.default_rng(seed)
  shape = [batch, length, 1, state_size]
  if is_reset is None:
    is_reset = rng.random([batch, length]) < 0.1
  return (
      tf.constant(rng.uniform(-1, 1, shape), tf.float32),
      tf.constant(rng.normal(size=shape), tf.float32),
      tf.constant(np.broadcast_to(is_reset, [batch, length])),
      tf.constant(rng.normal(size=[batch, 1, state_size]), tf.float32),
      tf.constant(rng.normal(size=[1, state_size]), tf.float32),
  )


def _plain_loop(coefficients, inputs, is_reset, carry, initial_state):
  state, states = carry, []
  for t in range(inputs.shape[1]):
    previous = tf.where(is_reset[:, t, None, None], initial_state, state)
    state = coefficients[:, t] * previous + inputs[:, t]
    states.append(state)
  return tf.stack(states, 1)


@tf.function(autograph=False)
def _values_and_gradients(function, arguments):
  sources = [a for a in arguments if a.dtype != tf.bool]
  weights = tf.random.stateless_normal(arguments[1].shape, [1, 2])
  with tf.GradientTape() as tape:
    tape.watch(sources)
    states = function(*arguments)
    loss = tf.reduce_sum(weights * states)
  return states, tape.gradient(
      loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO
  )


@pytest.mark.parametrize('chunk_length', [None, 1, 4, 8])
@pytest.mark.parametrize('length', [1, 7, 33])
def test_equals_a_plain_loop(length, chunk_length):
  """Values and the gradient by hand are those of the loop, for any chunks."""
  arguments = _arguments(length, seed=length)
  run = functools.partial(varying.varying_recurrence, chunk_length=chunk_length)
  states, gradients = _values_and_gradients(run, arguments)
  expected, wanted = _values_and_gradients(_plain_loop, arguments)
  np.testing.assert_allclose(states, expected, atol=1e-5)
  for actual, want in zip(gradients, wanted):
    np.testing.assert_allclose(actual, want, atol=1e-5)


@pytest.mark.parametrize(
    'resets', [[], [0], [10, 12], [7, 8], [0, 39], range(40)]
)
@pytest.mark.parametrize('chunk_length', [None, 3, 8])
def test_resets(resets, chunk_length):
  """A reset takes effect at its own step, once, wherever it falls."""
  arguments = _arguments(40, np.isin(np.arange(40), list(resets)))
  states = varying.varying_recurrence(*arguments, chunk_length=chunk_length)
  np.testing.assert_allclose(states, _plain_loop(*arguments), atol=1e-5)


@pytest.mark.parametrize('chunk_length', [None, 8])
def test_reset_clears_non_finite_state(chunk_length):
  """An episode that overflowed does not poison the one after it."""
  coefficients, inputs, is_reset, carry, initial = _arguments(
      40, np.arange(40) == 20
  )
  carry *= np.nan
  states = varying.varying_recurrence(
      coefficients, inputs, is_reset, carry, initial, chunk_length
  )
  assert np.all(np.isnan(states[:, :20]))
  assert np.all(np.isfinite(states[:, 20:]))


def test_bad_arguments():
  """A mistake is named where it is made."""
  arguments = list(_arguments(9))
  with pytest.raises(ValueError, match='chunk_length is 0'):
    varying.varying_recurrence(*arguments, chunk_length=0)
  with pytest.raises(ValueError, match='coefficients has shape'):
    varying.varying_recurrence(arguments[0][:, :8], *arguments[1:])
