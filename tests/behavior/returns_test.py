"""Tests of r2i_tf.behavior.returns."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf.behavior import returns as returns_lib
from tests import golden


def _numbers(seed, *shape):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _reference_returns(reward, discount, value, lambda_):
  """The weighted sum of all n-step returns, written out, float64."""
  reward, discount, value = (
      np.asarray(x, np.float64) for x in (reward, discount, value)
  )
  horizon = len(reward)
  result = np.zeros_like(reward)
  for t in range(horizon):
    partial, survived = 0, 1
    for n in range(1, horizon - t + 1):
      partial = partial + survived * reward[t + n - 1]
      survived = survived * discount[t + n - 1]
      bootstrapped = partial + survived * value[t + n - 1]
      last = n == horizon - t
      share = 1 if last else 1 - lambda_
      result[t] += share * lambda_ ** (n - 1) * bootstrapped
  return result


def test_lambda_returns_match_golden_numbers():
  """Returns and trajectory weights are those of the published agent."""
  arrays = golden.load('lambda_return')
  discount = float(arrays['discount'])
  returns = returns_lib.lambda_returns(
      arrays['reward'],
      arrays['cont'][1:] * discount,
      arrays['value'][1:],
      float(arrays['lambda_']),
  )
  np.testing.assert_allclose(returns, arrays['lambda_return'], atol=1e-4)
  weight = returns_lib.trajectory_weights(arrays['cont'], discount)
  np.testing.assert_allclose(weight, arrays['weight'], atol=1e-5)


@pytest.mark.parametrize('lambda_', [0.0, 0.5, 0.95, 1.0])
def test_lambda_returns_match_reference(lambda_):
  """The recursion is the mixture of n-step returns, ends included."""
  reward, value = _numbers(1, 6, 9), _numbers(2, 6, 9)
  discount = 0.99 * (np.random.default_rng(3).random([6, 9]) < 0.8)
  discount = discount.astype(np.float32)
  actual = returns_lib.lambda_returns(reward, discount, value, lambda_)
  expected = _reference_returns(reward, discount, value, lambda_)
  np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_nothing_counts_after_the_end():
  """A return knows nothing of what is imagined after a terminal state."""
  reward, value = _numbers(4, 5, 2), _numbers(5, 5, 2)
  discount = np.full([5, 2], 0.9, np.float32)
  discount[2] = 0
  first = returns_lib.lambda_returns(reward, discount, value, 0.9)
  reward[3:], value[2:] = 99, -99
  second = returns_lib.lambda_returns(reward, discount, value, 0.9)
  np.testing.assert_array_equal(first[:3], second[:3])


def test_trajectory_weights_match_reference():
  """A step weighs as much as it is likely to be reached, discounted."""
  continuation = np.random.default_rng(6).random([5, 3]).astype(np.float32)
  continuation[0] = [1, 0, 1]
  actual = returns_lib.trajectory_weights(continuation, 0.9)
  for t in range(5):
    expected = np.prod(continuation[: t + 1], 0) * 0.9**t
    np.testing.assert_allclose(actual[t], expected, rtol=1e-5)


@pytest.mark.parametrize('name', ['reward', 'discount', 'value'])
def test_lambda_returns_take_one_shape(name):
  """An argument that would be broadcast is refused, not broadcast."""
  arguments = {key: tf.ones([3, 5]) for key in ('reward', 'discount', 'value')}
  for wrong in (tf.ones([3, 1]), tf.ones([3]), tf.ones([2, 5])):
    with pytest.raises(ValueError, match='has shape'):
      returns_lib.lambda_returns(**{**arguments, name: wrong}, lambda_=0.9)


def test_trajectory_weights_take_time_and_batch():
  """A weight for each step of each trajectory needs both axes."""
  with pytest.raises(ValueError, match='continuation has shape'):
    returns_lib.trajectory_weights(tf.ones([5]), 0.9)


def test_a_mask_has_the_shape_of_what_it_masks():
  """Elements are never paired with a mask of another layout."""
  x, mask = tf.ones([3, 5]), tf.ones([3, 5], tf.bool)
  with pytest.raises(ValueError, match='the mask has shape'):
    returns_lib.masked_percentiles(x, tf.transpose(mask), [50.0])
  with pytest.raises(ValueError, match='the mask has dtype float32'):
    returns_lib.masked_percentiles(x, x, [50.0])
  normalizer = returns_lib.ReturnNormalizer(0.9)
  with pytest.raises(ValueError, match='the mask has shape'):
    normalizer.updated(x, tf.transpose(mask))


@pytest.mark.parametrize('jit_compile', [False, True])
@pytest.mark.parametrize('kept', [0, 1, 2, 37, 60])
def test_masked_percentiles(kept, jit_compile):
  """Percentiles are NumPy's, of what the mask keeps alone."""
  x = _numbers(7, 4, 15) * 10 - 30
  x[0, :7] = x[1, 3]
  mask = np.zeros(60, bool)
  mask[np.random.default_rng(8).permutation(60)[:kept]] = True
  mask = mask.reshape(4, 15)
  x[~mask] = np.where(np.arange((~mask).sum()) % 2, np.inf, np.nan)
  percentages = [0.0, 5.0, 50.0, 95.0, 100.0]
  compute = tf.function(
      lambda x, mask: returns_lib.masked_percentiles(x, mask, percentages),
      jit_compile=jit_compile,
  )
  expected = np.percentile(x[mask], percentages) if kept else np.zeros(5)
  np.testing.assert_allclose(compute(x, mask), expected, rtol=1e-5, atol=1e-5)


def _normalizer(decay=0.99):
  normalizer = returns_lib.ReturnNormalizer(decay)

  def feed(returns, mask=None, condition=True):
    mask = np.ones_like(returns, bool) if mask is None else mask
    updated = normalizer.updated(returns, mask)
    normalizer.assign(updated, tf.constant(condition))
    return [float(x) for x in normalizer.scale(updated)]

  return normalizer, feed


def test_normalizer_matches_golden_numbers():
  """Offset and scale follow the published ones, batch after batch."""
  arrays = golden.load('return_normalizer')
  _, feed = _normalizer()
  for returns, offset, scale in zip(
      arrays['returns'], arrays['offset'], arrays['scale']
  ):
    np.testing.assert_allclose(feed(returns), [offset, scale], atol=1e-4)


def test_normalizer_matches_reference():
  """The percentiles are moving averages; their distance is at least 1."""
  _, feed = _normalizer(0.8)
  expected = np.zeros(2)
  for index, size in enumerate((0.01, 5, 100, 0.0)):
    returns = size * _numbers(index, 3, 40)
    expected = 0.8 * expected + 0.2 * np.percentile(returns, [5, 95])
    scale = max(1, expected[1] - expected[0])
    np.testing.assert_allclose(feed(returns), [expected[0], scale], rtol=1e-4)


def test_normalizer_refuses():
  """A refused step leaves the averages as they were."""
  normalizer, feed = _normalizer()
  feed(10 * _numbers(1, 3, 4))
  before = normalizer.variables[0].numpy()
  feed(np.full([3, 4], np.nan, np.float32), condition=False)
  np.testing.assert_array_equal(normalizer.variables[0], before)


@pytest.mark.parametrize('parts', [1, 2, 4])
def test_few_enough_returns_are_all_there(parts):
  """A small batch gives every return, and with it whether its start counts."""
  returns, is_valid = _numbers(1, 3, 12), np.arange(12) % 5 > 0
  kept, counted = returns_lib.thinned(returns, is_valid, 3, parts)
  np.testing.assert_array_equal(kept, returns.reshape(-1))
  np.testing.assert_array_equal(counted, np.tile(is_valid, 3))


def test_thinning_does_not_depend_on_the_split(monkeypatch):
  """The parts of a large batch give what the whole of it gives."""
  monkeypatch.setattr(returns_lib, '_MOST_RETURNS', 40)
  returns, is_valid = _numbers(1, 3, 4 * 12), np.arange(48) % 7 > 0

  def thinned(parts):
    found = [
        returns_lib.thinned(part, valid, 12, parts)
        for part, valid in zip(
            np.split(returns, parts, 1), np.split(is_valid, parts)
        )
    ]
    values, counted = (np.concatenate(x) for x in zip(*found))
    return np.sort(values), counted.sum()

  whole = thinned(1)
  assert len(whole[0]) == 36  # Every fourth of 144.
  for parts in (2, 4):
    for actual, expected in zip(thinned(parts), whole):
      np.testing.assert_array_equal(actual, expected)
