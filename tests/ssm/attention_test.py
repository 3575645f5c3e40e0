"""Tests of r2i_tf.ssm.attention."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf.ssm import attention

_WIDTH, _WINDOW = 6, 4


def _layer(**changes):
  """A built layer whose biases are off zero."""
  tf.keras.utils.set_random_seed(1)
  layer = attention.LocalAttention(_WIDTH, _WINDOW, 2, **changes)
  layer.build([None, _WIDTH])
  layer.bias.assign(tf.random.normal(layer.bias.shape))
  return layer


def _cache(lengths):
  """Caches of some steps; what is before them may be anything."""
  shape = [len(lengths), _WINDOW - 1, 1, _WIDTH]
  return attention.Cache(
      tf.random.stateless_normal(shape, [1, 2]),
      tf.random.stateless_normal(shape, [3, 4]),
      tf.constant(lengths, tf.float32)[:, tf.newaxis],
  )


def _run(layer, u, before, is_reset):
  """The parallel form: outputs, and the caches after each step."""
  y, keys, values = layer(u, before.of_layer(0), is_reset)
  after = attention.caches_after(
      before.length, keys[:, :, None], values[:, :, None], is_reset
  )
  return y, after


def _step(layer, u, before, is_reset):
  y, key, value = layer.step(u, before.of_layer(0), is_reset)
  after = attention.cache_after(before, key[:, None], value[:, None], is_reset)
  return y, after


def _inputs(length, batch=4):
  return tf.random.stateless_normal([batch, length, _WIDTH], [5, 6])


@pytest.mark.parametrize('length', [1, 3, 4, 17])
def test_parallel_and_step_forms_agree(length):
  """The cached steps see what the sequence saw: resets, carry and gradients."""
  layer, u = _layer(), _inputs(length)
  is_reset = tf.random.stateless_uniform([4, length], [7, 8]) < 0.2
  before = _cache([0, 1, 2, 3])

  def outputs_and_gradients(function):
    with tf.GradientTape() as tape:
      tape.watch(u)
      y, after = function()
      loss = tf.reduce_sum(y**2)
    sources = [u, *layer.trainable_variables]
    return y, after, tape.gradient(loss, sources)

  def steps():
    cache, outputs, caches = before, [], []
    for t in range(length):
      y, cache = _step(layer, u[:, t], cache, is_reset[:, t])
      outputs.append(y)
      caches.append(cache)
    stacked = [tf.stack(parts, 1) for parts in zip(*caches)]
    return tf.stack(outputs, 1), attention.Cache(*stacked)

  parallel = outputs_and_gradients(lambda: _run(layer, u, before, is_reset))
  stepped = outputs_and_gradients(steps)
  for actual, expected in zip(
      tf.nest.flatten(parallel), tf.nest.flatten(stepped)
  ):
    np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_equals_attention_written_out():
  """Softmax over the window of scaled products and learned distances."""
  layer, u = _layer(), _inputs(9, batch=1)
  y, _ = _run(layer, u, _cache([0]), tf.zeros([1, 9], tf.bool))
  rows = u[0].numpy().astype(np.float64)
  centred = rows - rows.mean(-1, keepdims=True)
  normal = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
  queries, keys, values = np.split(
      normal @ layer.projection.kernel.numpy(), 3, -1
  )
  size = _WIDTH // 2
  for t in range(9):
    seen = np.arange(max(0, t - _WINDOW + 1), t + 1)
    mixed = []
    for head in range(2):
      own = slice(head * size, (head + 1) * size)
      logits = keys[seen, own] @ queries[t, own] / np.sqrt(size)
      weights = np.exp(logits + layer.bias.numpy()[head, t - seen])
      mixed.append(weights @ values[seen, own] / weights.sum())
    expected = rows[t] + np.concatenate(mixed) @ layer.out.kernel.numpy()
    np.testing.assert_allclose(y[0, t], expected, atol=1e-5)


def _seen(layer, is_reset, length=14):
  """Whether step t depends on step s: bool [t, s], by the gradient."""
  u = _inputs(length, batch=1)
  with tf.GradientTape() as tape:
    tape.watch(u)
    y, _ = _run(layer, u, _cache([3]), tf.constant([is_reset]))
    rows = tf.reduce_sum(
        y[0] * tf.random.stateless_normal([_WIDTH], [9, 9]), -1
    )
  jacobian = tape.jacobian(rows, u)[:, 0]
  return np.abs(jacobian).max(-1) > 0


def test_nothing_outside_of_the_window_is_seen():
  """A step sees itself and W - 1 before: no more, no later one, and all."""
  seen = _seen(_layer(), np.zeros([14], bool))
  distance = np.arange(14)[:, None] - np.arange(14)
  np.testing.assert_array_equal(seen, (distance >= 0) & (distance < _WINDOW))


def test_nothing_passes_a_reset():
  """A window ends where an episode begins, in the cache as in the sequence."""
  is_reset = np.isin(np.arange(14), [5, 6, 9])
  seen = _seen(_layer(), is_reset)
  episode = np.cumsum(is_reset)
  assert not np.any(seen & (episode[:, None] != episode))
  layer, u = _layer(), _inputs(1)
  first = tf.ones([4, 1], tf.bool)
  # One that overflowed included.
  spoilt = _cache([3, 3, 3, 3])
  spoilt = spoilt._replace(values=spoilt.values * np.nan)
  y, after = _step(layer, u[:, 0], spoilt, first[:, 0])
  expected, _ = _step(layer, u[:, 0], _cache([0, 0, 0, 0]), ~first[:, 0])
  np.testing.assert_allclose(y, expected, atol=1e-6)
  np.testing.assert_array_equal(after.length, 1)
  np.testing.assert_array_equal(after.values[:, :-1], 0)


def test_mixed_policy():
  """Under a mixed policy the outputs are half, the cache is not."""
  layer = _layer(dtype='mixed_bfloat16')
  y, after = _run(
      layer, _inputs(5), _cache([0, 1, 2, 3]), tf.fill([4, 5], False)
  )
  assert y.dtype == tf.bfloat16
  assert after.keys.dtype == after.values.dtype == tf.float32


def test_bad_arguments():
  """A window of one, or heads that do not fit, are refused by value."""
  with pytest.raises(ValueError, match='attention_window is 1'):
    attention.LocalAttention(6, 1, 2)
  with pytest.raises(ValueError, match='attention_heads is 4'):
    attention.LocalAttention(6, 3, 4)
