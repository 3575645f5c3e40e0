"""Tests of r2i_tf.ssm.discretization."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import ssm
from tests import golden
from tests.ssm import reference

_METHODS = list(ssm.Discretization)


@pytest.mark.parametrize('name', ['bilinear', 'zoh', 'conjugate', 'clipped'])
def test_matches_golden_numbers(name):
  """Both rules give what the published implementation gives."""
  arrays = golden.load(f'ssm_layer_{name}')
  lambda_re = arrays['lambda_re']
  if name == 'clipped':
    lambda_re = np.minimum(lambda_re, np.float32(-1e-4))
  lambda_bar, b_bar = ssm.discretize(
      np.stack([lambda_re, arrays['lambda_im']], axis=-1),
      arrays['b'],
      np.exp(arrays['log_step']),
      ssm.Discretization('zoh' if name == 'zoh' else 'bilinear'),
  )
  np.testing.assert_allclose(lambda_bar, arrays['lambda_bar'], atol=1e-4)
  np.testing.assert_allclose(b_bar, arrays['b_bar'], atol=1e-4)


@pytest.mark.parametrize('method', _METHODS)
def test_matches_textbook_formulas(method):
  """The real-pair arithmetic is that of the complex formulas."""
  rng = np.random.default_rng(0)
  eigenvalues = np.stack(
      [-(10.0 ** rng.uniform(-4, 1, 64)), rng.normal(size=64) * 100], -1
  ).astype(np.float32)
  b = rng.normal(size=[64, 3, 2]).astype(np.float32)
  step = (10.0 ** rng.uniform(-3, -1, [64, 1])).astype(np.float32)
  actual = ssm.discretize(eigenvalues, b, step, method)
  expected = reference.discretize(
      eigenvalues, b, step, method is ssm.Discretization.BILINEAR
  )
  np.testing.assert_allclose(actual[0], expected[0], atol=1e-5)
  np.testing.assert_allclose(actual[1], expected[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('method', _METHODS)
@pytest.mark.parametrize('magnitude', [0.0, 1e-8, 1e-3, 0.029, 0.031])
def test_small_eigenvalues(method, magnitude):
  """An eigenvalue that training drives to zero gives no NaN and no noise.

  For z = lambda step to 0 both rules have B_bar / B = step (1 + z / 2 + ...).
  """
  eigenvalues = tf.constant([[-magnitude, 0.0]])
  b = tf.constant([[[1.0, 0.0]]])
  step = tf.ones([1, 1])
  with tf.GradientTape() as tape:
    tape.watch(eigenvalues)
    lambda_bar, b_bar = ssm.discretize(eigenvalues, b, step, method)
    value = b_bar[0, 0, 0]
  gradient = tape.gradient(value, eigenvalues)
  np.testing.assert_allclose(lambda_bar[0, 0], np.exp(-magnitude), rtol=1e-4)
  z = -np.float64(magnitude)
  if method is ssm.Discretization.BILINEAR:
    expected, slope = 1 / (1 - z / 2), 0.5 / (1 - z / 2) ** 2
  else:
    expected = 1 + z / 2 + z**2 / 6 + z**3 / 24
    slope = 0.5 + z / 3 + z**2 / 8 + z**3 / 30
  np.testing.assert_allclose(value, expected, rtol=1e-6)
  np.testing.assert_allclose(gradient[0, 0], slope, rtol=1e-4)


@pytest.mark.parametrize('method', _METHODS)
def test_stays_stable(method):
  """A decaying system never becomes a growing one by discretisation."""
  eigenvalues, _ = ssm.block_diagonal(64, 1)
  lambda_bar, _ = ssm.discretize(
      tf.constant(reference.to_pairs(eigenvalues), tf.float32),
      tf.zeros([64, 1, 2]),
      tf.fill([64, 1], 0.1),
      method,
  )
  assert np.all(np.abs(reference.to_complex(lambda_bar)) < 1.0)


def test_bad_arguments():
  """Wrong shapes, dtypes and methods are named."""
  eigenvalues, b, step = tf.zeros([4, 2]), tf.zeros([4, 3, 2]), tf.ones([4, 1])
  method = ssm.Discretization.BILINEAR
  with pytest.raises(ValueError, match='eigenvalues has shape'):
    ssm.discretize(eigenvalues[:3], b, step, method)
  with pytest.raises(ValueError, match='step has shape'):
    ssm.discretize(eigenvalues, b, step[:, 0], method)
  with pytest.raises(ValueError, match='b has shape'):
    ssm.discretize(eigenvalues, b[..., 0], step, method)
  with pytest.raises(ValueError, match='b has dtype float64'):
    ssm.discretize(eigenvalues, tf.cast(b, tf.float64), step, method)
  with pytest.raises(ValueError, match="method is 'bilinear'"):
    ssm.discretize(eigenvalues, b, step, 'bilinear')
