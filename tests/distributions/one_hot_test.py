"""Tests of r2i_tf.distributions.one_hot."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from r2i_tf import distributions
from r2i_tf.distributions import one_hot
from tests import golden


def _softmax(logits, unimix):
  """The mixed probabilities, float64."""
  logits = np.asarray(logits, np.float64)
  exp = np.exp(logits - logits.max(-1, keepdims=True))
  probs = exp / exp.sum(-1, keepdims=True)
  return (1 - unimix) * probs + unimix / logits.shape[-1]


def _logits(seed, shape=(5, 3, 4)):
  rng = np.random.default_rng(seed)
  return tf.constant(3 * rng.normal(size=shape), tf.float32)


def test_matches_golden_numbers():
  """Mixed logits, KL and entropy are those of the published model."""
  arrays = golden.load('unimix_categorical')
  p = distributions.one_hot_groups(arrays['logits_p'], 0.01)
  q = distributions.one_hot_groups(arrays['logits_q'], 0.01)
  for groups, name in ((p, 'unimix_logits_p'), (q, 'unimix_logits_q')):
    logits = tf.nn.log_softmax(groups.distribution.logits)
    expected = tf.nn.log_softmax(arrays[name])
    np.testing.assert_allclose(logits, expected, atol=1e-4)
  np.testing.assert_allclose(
      tfd.kl_divergence(p, q), arrays['kl'], rtol=1e-5, atol=1e-4
  )
  np.testing.assert_allclose(p.entropy(), arrays['entropy_p'], atol=1e-4)


@pytest.mark.parametrize('jit_compile', [False, True])
@pytest.mark.parametrize('unimix', [0.0, 0.01, 0.3])
def test_matches_reference(unimix, jit_compile):
  """Probabilities, entropy and KL are those of the formula, over groups."""
  logits, other = _logits(1), _logits(2)

  @tf.function(jit_compile=jit_compile)
  def compute(logits, other):
    p = distributions.one_hot_groups(logits, unimix)
    q = distributions.one_hot_groups(other, unimix)
    value = tf.one_hot(tf.argmax(other, -1), 4)
    return p.log_prob(value), p.entropy(), tfd.kl_divergence(p, q)

  log_prob, entropy, kl = compute(logits, other)
  p, q = _softmax(logits, unimix), _softmax(other, unimix)
  chosen = np.eye(4)[np.argmax(other, -1)]
  np.testing.assert_allclose(
      log_prob, np.log((p * chosen).sum(-1)).sum(-1), rtol=1e-5
  )
  np.testing.assert_allclose(entropy, -(p * np.log(p)).sum((-1, -2)), rtol=1e-5)
  np.testing.assert_allclose(kl, (p * np.log(p / q)).sum((-1, -2)), rtol=1e-4)


def test_no_class_is_impossible():
  """However sure the logits are, each class keeps its share of the uniform."""
  logits = tf.constant([[200.0, -200.0, 0.0, 0.0]])
  p = distributions.UnimixOneHotCategorical(logits, 0.01)
  np.testing.assert_allclose(
      p.probs_parameter(), [[0.9925, 0.0025, 0.0025, 0.0025]], rtol=1e-4
  )
  assert np.all(np.isfinite(p.log_prob(np.eye(4, dtype=np.float32)[1])))


def test_sample_frequencies():
  """Classes are drawn as often as their probabilities say."""
  logits, count = _logits(3), 20000
  p = distributions.one_hot_groups(logits, 0.01)
  samples = p.sample(count, seed=[1, 2]).numpy()
  assert samples.shape == (count, 5, 3, 4)
  np.testing.assert_array_equal(np.unique(samples), [0, 1])
  np.testing.assert_array_equal(samples.sum(-1), 1)
  probs = _softmax(logits, 0.01)
  deviation = np.sqrt(probs * (1 - probs) / count)
  assert np.all(np.abs(samples.mean(0) - probs) < 4.5 * deviation)


def test_groups_are_drawn_independently():
  """Two groups fall together no more often than chance has it."""
  p = distributions.one_hot_groups(tf.zeros([2, 4]), 0.01)
  samples = p.sample(20000, seed=[3, 4]).numpy()
  joint = np.einsum('na,nb->ab', samples[:, 0], samples[:, 1]) / 20000
  np.testing.assert_allclose(joint, 1 / 16, atol=4.5 * np.sqrt(1 / 16 / 20000))


@pytest.mark.parametrize('jit_compile', [False, True])
def test_samples_hang_on_the_seed_alone(jit_compile):
  """The same seed draws the same sample, another one another."""
  p = distributions.one_hot_groups(_logits(4, [50, 3, 4]), 0.01)
  sample = tf.function(lambda s: p.sample(seed=s), jit_compile=jit_compile)
  first = sample(tf.constant([1, 2]))
  np.testing.assert_array_equal(first, sample(tf.constant([1, 2])))
  assert np.any(first != sample(tf.constant([1, 3])))


def test_straight_through_gradient():
  """The gradient of a sample is that of the mixed probabilities."""
  logits = _logits(5)
  weights = _logits(6)
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(logits)
    p = distributions.one_hot_groups(logits, 0.1)
    through_sample = tf.reduce_sum(weights * p.sample(seed=[1, 2]))
    probs = 0.9 * tf.nn.softmax(logits) + 0.025
    through_probs = tf.reduce_sum(weights * probs)
  actual = tape.gradient(through_sample, logits)
  assert np.any(np.abs(actual) > 1e-2)
  np.testing.assert_allclose(
      actual, tape.gradient(through_probs, logits), atol=1e-5
  )


def test_zero_probability_is_never_drawn(monkeypatch):
  """A class of probability zero is not drawn, even by the extreme numbers.

  The probabilities of the others, summed in float32, may stay below the
  greatest number that a uniform draw can give.
  """
  rng = np.random.default_rng(7)
  logits = rng.normal(size=[4096, 9]).astype(np.float32)
  logits[:, 0] = -1e9
  logits[:, 3] = -1e9
  logits[:, 7:] = -1e9
  p = distributions.UnimixOneHotCategorical(logits, 0.0)
  for number in (0.0, 1 - 2.0**-23, 1 - 2.0**-24):
    monkeypatch.setattr(
        one_hot.samplers,
        'uniform',
        lambda shape, dtype, seed, number=number: tf.fill(
            shape, tf.constant(number, dtype)
        ),
    )
    sample = p.sample(seed=[0, 0]).numpy()
    np.testing.assert_array_equal(sample.sum(-1), 1)
    assert not np.any(sample[:, [0, 3, 7, 8]])


def test_copies_are_the_same_distribution():
  """What TFP copies or slices is not mixed a second time."""
  p = distributions.UnimixOneHotCategorical(_logits(8), 0.2)
  np.testing.assert_allclose(p.copy().logits, p.logits, rtol=1e-5)
  np.testing.assert_allclose(p[1:3].logits, p.logits[1:3], rtol=1e-5)


# Three groups of four classes, of which 4, 1 and 2 are possible.
_POSSIBLE = np.arange(4) < np.array([[4], [1], [2]])


@pytest.mark.parametrize('jit_compile', [False, True])
@pytest.mark.parametrize('unimix', [0.0, 0.01, 0.3])
def test_mixture_over_possible_classes(unimix, jit_compile):
  """A group with fewer classes is as if it had no others."""
  logits = _logits(9)
  log_probs = tf.function(
      lambda x: distributions.unimix_log_probabilities(x, unimix, _POSSIBLE),
      jit_compile=jit_compile,
  )(logits)
  for group, count in enumerate((4, 1, 2)):
    np.testing.assert_allclose(
        np.exp(log_probs[:, group, :count]),
        _softmax(logits[:, group, :count], unimix),
        rtol=1e-5,
    )
  np.testing.assert_array_equal(log_probs.numpy()[:, ~_POSSIBLE], -1e9)


@pytest.mark.parametrize('unimix', [0.0, 0.01])
@pytest.mark.parametrize('scale', [1.0, 1e4])
def test_impossible_classes_make_no_nan(scale, unimix):
  """An impossible class has a finite logarithm, and no part in a gradient."""
  logits = scale * _logits(10)
  with tf.GradientTape() as tape:
    tape.watch(logits)
    log_probs = distributions.unimix_log_probabilities(
        logits, unimix, _POSSIBLE
    )
    entropy = -tf.reduce_sum(tf.exp(log_probs) * log_probs)
  assert np.all(np.isfinite(log_probs)) and np.isfinite(entropy)
  gradient = tape.gradient(entropy, logits).numpy()
  assert np.all(np.isfinite(gradient))
  np.testing.assert_array_equal(gradient[:, ~_POSSIBLE], 0)


@pytest.mark.parametrize(
    'logits, options, message',
    [
        (tf.zeros([]), {}, 'logits has shape'),
        (tf.zeros([3, 0]), {}, 'logits has shape'),
        (tf.zeros([3, 4], tf.float16), {}, 'logits has dtype float16'),
        (tf.zeros([3, 4]), {'unimix': 1.0}, 'unimix is 1.0'),
        (tf.zeros([3, 4]), {'possible': np.ones([3])}, 'array of bool'),
        (
            tf.zeros([3, 4]),
            {'possible': _POSSIBLE[:, :3]},
            'possible has shape',
        ),
        (tf.zeros([4]), {'possible': _POSSIBLE}, 'possible has shape'),
        (tf.zeros([3, 4]), {'possible': ~_POSSIBLE}, 'no class is possible'),
    ],
)
def test_bad_arguments(logits, options, message):
  """A mistake is named before anything is computed."""
  options = {'unimix': 0.01, **options}
  with pytest.raises(ValueError, match=message):
    distributions.unimix_log_probabilities(logits, **options)


def test_groups_need_two_axes():
  """One vector of logits is no groups of classes."""
  with pytest.raises(ValueError, match='must be .*G, K'):
    distributions.one_hot_groups(tf.zeros([4]), 0.01)
