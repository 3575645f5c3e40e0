"""Tests of r2i_tf.distributions.two_hot and its symlog."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import devices
from r2i_tf import distributions
from tests import golden


def _symlog(x):
  return np.sign(x) * np.log1p(np.abs(x))


def _symexp(x):
  return np.sign(x) * np.expm1(np.abs(x))


def _log_softmax(logits):
  logits = np.asarray(logits, np.float64)
  logits = logits - logits.max(-1, keepdims=True)
  return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def _reference_log_prob(logits, value, low, high):
  """By looking up the two neighbouring bins, float64."""
  bins = np.linspace(low, high, logits.shape[-1])
  y = np.clip(_symlog(np.asarray(value, np.float64)), low, high)
  above = np.clip(np.searchsorted(bins, y), 1, len(bins) - 1)
  share = (y - bins[above - 1]) / (bins[above] - bins[above - 1])
  log_probs = _log_softmax(logits)

  def at(index):
    return np.take_along_axis(log_probs, index[..., None], -1)[..., 0]

  return (1 - share) * at(above - 1) + share * at(above)


def _reference_mean(logits, low, high):
  bins = np.linspace(low, high, logits.shape[-1])
  return _symexp((np.exp(_log_softmax(logits)) * bins).sum(-1))


def test_matches_golden_numbers():
  """Log-probabilities and means are those of the published heads."""
  arrays = golden.load('symlog_two_hot')
  p = distributions.SymlogTwoHot(arrays['logits'])
  np.testing.assert_allclose(
      p.log_prob(arrays['target']), arrays['log_prob'], atol=1e-4
  )
  np.testing.assert_allclose(p.mean(), arrays['mean'], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('jit_compile', [False, True])
@pytest.mark.parametrize('low, high, bins', [(-20, 20, 255), (-3, 5, 17)])
@pytest.mark.parametrize('device', [devices.Device.CPU, devices.Device.TPU])
def test_matches_reference(low, high, bins, jit_compile, device):
  """For any range, log_prob and mean are those of the definition."""
  rng = np.random.default_rng(1)
  logits = (2 * rng.normal(size=[6, 40, bins])).astype(np.float32)
  # From tiny to far out of the range, and some right on a bin.
  value = rng.normal(size=[6, 40]) * np.exp(rng.uniform(-8, 8, size=[6, 40]))
  value[0] = _symexp(np.linspace(low, high, bins)[rng.integers(bins, size=40)])
  value = value.astype(np.float32)

  @tf.function(jit_compile=jit_compile)
  def compute(logits, value):
    p = distributions.SymlogTwoHot(logits, float(low), float(high))
    return p.log_prob(value), p.mean()

  with devices.compile_for(device):
    log_prob, mean = compute(logits, value)
  np.testing.assert_allclose(
      log_prob,
      _reference_log_prob(logits, value, low, high),
      rtol=1e-4,
      atol=1e-4,
  )
  expected = _reference_mean(logits, low, high)
  np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-5)


def test_targets_out_of_range():
  """A target beyond the range falls on the last bin, an infinite one too."""
  logits = tf.random.stateless_normal([1, 9], [1, 2])
  p = distributions.SymlogTwoHot(logits, -2.0, 2.0)
  log_probs = _log_softmax(logits)[0]
  for value, index in ((7.0, -1), (1e30, -1), (np.inf, -1), (-1e30, 0)):
    np.testing.assert_allclose(
        p.log_prob([value])[0], log_probs[index], rtol=1e-5
    )


@pytest.mark.parametrize('jit_compile', [False, True])
def test_nan_is_not_hidden(jit_compile):
  """A target that is NaN shows in the loss and in the gradient."""

  @tf.function(jit_compile=jit_compile)
  def compute(logits, value):
    with tf.GradientTape() as tape:
      tape.watch(logits)
      log_prob = distributions.SymlogTwoHot(logits).log_prob(value)
    return log_prob, tape.gradient(log_prob, logits)

  logits = tf.random.stateless_normal([2, 9], [1, 2])
  log_prob, gradient = compute(logits, tf.constant([np.nan, 1.0]))
  np.testing.assert_array_equal(np.isnan(log_prob), [True, False])
  np.testing.assert_array_equal(np.isnan(gradient).any(-1), [True, False])


def test_maximum_likelihood_is_the_target():
  """The logits that fit a target best have the target as their mean."""
  for target in (0.0, -0.3, 12.5, -700.0):
    p = distributions.SymlogTwoHot(tf.zeros([255]))
    weights = p._two_hot(tf.constant(target)).numpy()
    np.testing.assert_allclose(weights.sum(), 1, atol=1e-5)
    assert (weights > 0).sum() <= 2
    fitted = distributions.SymlogTwoHot(np.log(weights + 1e-30))
    np.testing.assert_allclose(fitted.mean(), target, rtol=1e-3, atol=1e-4)


def test_gradient_is_bounded_by_a_classification():
  """However far the target, a logit's gradient is p minus the two-hot."""
  logits = tf.random.stateless_normal([3, 15], [1, 2])
  value = tf.constant([0.1, 5e3, -1e20])
  with tf.GradientTape() as tape:
    tape.watch(logits)
    p = distributions.SymlogTwoHot(logits, -10.0, 10.0)
    loss = -tf.reduce_sum(p.log_prob(value))
  gradient = tape.gradient(loss, logits).numpy()
  expected = np.exp(_log_softmax(logits)) - p._two_hot(value).numpy()
  np.testing.assert_allclose(gradient, expected, atol=1e-5)


@pytest.mark.parametrize('shape', [[], [1], [5, 1], [5, 3]])
def test_gradients_of_values_that_are_broadcast(shape):
  """To logits and to values: those of the sum that log_prob is."""
  logits = tf.random.stateless_normal([3, 15], [1, 2])
  value = tf.random.stateless_normal(shape, [3, 4])
  found = []
  for write_out in (False, True):
    with tf.GradientTape() as tape:
      tape.watch([logits, value])
      p = distributions.SymlogTwoHot(logits, -3.0, 3.0)
      log_prob = (
          tf.reduce_sum(p._two_hot(value) * tf.math.log_softmax(logits), -1)
          if write_out
          else p.log_prob(value)
      )
      loss = tf.reduce_sum(log_prob * tf.range(3.0))
    found.append(tape.gradient(loss, [logits, value]))
  for written, other in zip(*found):
    np.testing.assert_allclose(written, other, atol=1e-5)


def test_flat_logits_mean_zero():
  """A head that starts from zeros starts by predicting zero."""
  mean = distributions.SymlogTwoHot(tf.zeros([4, 255])).mean()
  np.testing.assert_allclose(mean, np.zeros(4), atol=1e-5)


def test_symexp_inverts_symlog():
  """Scaling to symlog space and back loses nothing, at any magnitude."""
  x = np.array([0, 1e-6, -1e-3, 1, -30, 1e4, -1e8], np.float32)
  np.testing.assert_allclose(
      distributions.symlog(x), _symlog(x.astype(np.float64)), rtol=1e-6
  )
  np.testing.assert_allclose(
      distributions.symexp(distributions.symlog(x)), x, rtol=1e-4
  )


def test_bad_arguments():
  """Fewer than two bins, or a range that is none, are refused."""
  with pytest.raises(ValueError, match='logits has shape'):
    distributions.SymlogTwoHot(tf.zeros([5, 1]))
  with pytest.raises(ValueError, match='logits has shape'):
    distributions.SymlogTwoHot(tf.zeros([]))
  with pytest.raises(ValueError, match='logits has dtype int32'):
    distributions.SymlogTwoHot(tf.zeros([5], tf.int32))
  with pytest.raises(ValueError, match='low is 3.0 and high is 3.0'):
    distributions.SymlogTwoHot(tf.zeros([5]), 3.0, 3.0)
