"""Tests of r2i_tf.distributions.squared_error."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import distributions


@pytest.mark.parametrize('jit_compile', [False, True])
@pytest.mark.parametrize('event_ndims', [1, 3])
@pytest.mark.parametrize('in_symlog', [False, True])
def test_matches_reference(event_ndims, in_symlog, jit_compile):
  """The log-density is minus the squared error, summed over one event."""
  rng = np.random.default_rng(1)
  location = rng.normal(size=[2, 5, 3, 4, 6]).astype(np.float32)
  value = (30 * rng.normal(size=location.shape)).astype(np.float32)

  @tf.function(jit_compile=jit_compile)
  def compute(location, value):
    p = distributions.SquaredError(location, event_ndims, in_symlog)
    return p.log_prob(value), p.mean(), p.mode()

  log_prob, mean, mode = compute(location, value)
  target = value.astype(np.float64)
  expected_mean = location.astype(np.float64)
  if in_symlog:
    target = np.sign(target) * np.log1p(np.abs(target))
    expected_mean = np.sign(location) * np.expm1(np.abs(expected_mean))
  axes = tuple(range(-event_ndims, 0))
  expected = -((target - location) ** 2).sum(axes)
  np.testing.assert_allclose(log_prob, expected, rtol=1e-5)
  np.testing.assert_allclose(mean, expected_mean, rtol=1e-5)
  np.testing.assert_array_equal(mode, mean)


def test_shapes():
  """What is one event and what a batch is what was asked for."""
  p = distributions.SquaredError(tf.zeros([2, 5, 3, 4]), 2, in_symlog=False)
  assert p.batch_shape == (2, 5) and p.event_shape == (3, 4)
  np.testing.assert_array_equal(p.batch_shape_tensor(), [2, 5])
  np.testing.assert_array_equal(p.event_shape_tensor(), [3, 4])


def test_bad_arguments():
  """An event larger than its location, or of another shape, is refused."""
  with pytest.raises(ValueError, match='event_ndims is 3'):
    distributions.SquaredError(tf.zeros([2, 5]), 3, in_symlog=False)
  with pytest.raises(ValueError, match='location has dtype uint8'):
    distributions.SquaredError(tf.zeros([5], tf.uint8), 1, in_symlog=False)
  p = distributions.SquaredError(tf.zeros([2, 5]), 1, in_symlog=False)
  with pytest.raises(ValueError, match='value has shape'):
    p.log_prob(tf.zeros([2, 1]))
