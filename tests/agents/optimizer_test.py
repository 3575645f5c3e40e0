"""Tests of r2i_tf.agents.optimizer."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import networks
from r2i_tf.agents import optimizer as optimizer_lib

_EPSILON = 1e-5


def _variables():
  random = np.random.default_rng(0)
  shapes = ([3, 2], [4], [2, 2, 1, 3])
  return [
      tf.Variable(random.normal(size=shape), dtype=tf.float32)
      for shape in shapes
  ]


def _gradients(variables, seed):
  random = np.random.default_rng(seed)
  return [
      tf.constant(random.normal(size=v.shape), tf.float32) for v in variables
  ]


def _adam(variables, weight_decay):
  group = networks.ParameterGroup('adam', variables, 1e-2, weight_decay)
  return optimizer_lib.FlatAdam(group, _EPSILON)


@pytest.mark.parametrize('weight_decay', [0.0, 0.1])
@pytest.mark.parametrize('size', [1.0, 1e-5])
def test_is_adam(weight_decay, size):
  """The published rule, decay included; also where epsilon weighs."""
  variables = _variables()
  flat = _adam(variables, weight_decay)
  expected = [np.array(v, np.float64) for v in variables]
  m = [np.zeros_like(w) for w in expected]
  v = [np.zeros_like(w) for w in expected]
  for step in range(1, 6):
    gradients = [size * g for g in _gradients(variables, step)]
    flat.apply(flat.flatten(gradients), tf.constant(True))
    for index, gradient in enumerate(np.array(g) for g in gradients):
      m[index] = 0.9 * m[index] + 0.1 * gradient
      v[index] = 0.999 * v[index] + 0.001 * gradient**2
      change = m[index] / (1 - 0.9**step)
      change /= np.sqrt(v[index] / (1 - 0.999**step)) + _EPSILON
      if expected[index].ndim > 1:
        change += weight_decay * expected[index]
      expected[index] -= 1e-2 * change
  for left, right in zip(variables, expected):
    np.testing.assert_allclose(left, right, rtol=2e-4, atol=1e-6)


def test_refused_gradients_leave_no_trace():
  """A step that overflowed changes neither weights nor what comes after."""
  once, twice = _variables(), _variables()
  plain = _adam(once, 0.1)
  shaken = _adam(twice, 0.1)
  nan = shaken.flatten([tf.fill(v.shape, np.nan) for v in twice])
  for seed in range(3):
    shaken.apply(nan, tf.constant(False))
    gradient = plain.flatten(_gradients(once, seed))
    plain.apply(gradient, tf.constant(True))
    shaken.apply(gradient, tf.constant(True))
  shaken.apply(nan, tf.constant(False))
  for left, right in zip(plain.slots, shaken.slots):
    np.testing.assert_array_equal(left, right)
  for left, right in zip(once, twice):
    np.testing.assert_array_equal(left, right)
