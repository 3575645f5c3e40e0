"""Tests of r2i_tf.agents.optimizer."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import devices
from r2i_tf import networks
from r2i_tf.agents import optimizer as optimizer_lib

_EPSILON = 1e-5


@pytest.fixture(
    name='device',
    autouse=True,
    params=[devices.Device.CPU, devices.Device.TPU],
    ids=lambda device: device.value,
)
def _device(request):
  """All variables end to end, or each a block of its own."""
  with devices.compile_for(request.param):
    yield request.param


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
  return optimizer_lib.GroupAdam(group, _EPSILON)


def _vector(blocks):
  return np.concatenate([np.ravel(block) for block in blocks])


def _moments(adam):
  """Both, as vectors."""
  m_and_v = adam.slots[:-1]
  count = len(m_and_v) // 2
  return _vector(m_and_v[:count]), _vector(m_and_v[count:])


@pytest.mark.parametrize('weight_decay', [0.0, 0.1])
@pytest.mark.parametrize('size', [1.0, 1e-5])
def test_is_adam(weight_decay, size):
  """The published rule, decay included; also where epsilon weighs."""
  variables = _variables()
  adam = _adam(variables, weight_decay)
  expected = [np.array(v, np.float64) for v in variables]
  m = [np.zeros_like(w) for w in expected]
  v = [np.zeros_like(w) for w in expected]
  for step in range(1, 6):
    gradients = [size * g for g in _gradients(variables, step)]
    adam.apply(adam.join(gradients), tf.constant(True))
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
  nan = shaken.join([tf.fill(v.shape, np.nan) for v in twice])
  for seed in range(3):
    shaken.apply(nan, tf.constant(False))
    gradient = plain.join(_gradients(once, seed))
    plain.apply(gradient, tf.constant(True))
    shaken.apply(gradient, tf.constant(True))
  shaken.apply(nan, tf.constant(False))
  for left, right in zip(plain.slots, shaken.slots):
    np.testing.assert_array_equal(left, right)
  for left, right in zip(once, twice):
    np.testing.assert_array_equal(left, right)


def test_adaptive_clipping_is_its_formula():
  """Each variable's gradient by the norm of that variable, and no other's."""
  variables = _variables()
  variables[1].assign(tf.zeros([4]))  # As a bias is at first.
  adam = _adam(variables, 0.0)
  gradients = [
      size * g for size, g in zip((100.0, 1.0, 1e-3), _gradients(variables, 1))
  ]
  clipped = adam.clip_adaptively(adam.join(gradients), 0.3)
  expected = []
  for variable, gradient in zip(variables, gradients):
    largest = 0.3 * max(np.linalg.norm(np.ravel(variable)), 1e-3)
    norm = np.linalg.norm(np.ravel(gradient))
    expected.append(np.ravel(gradient) * min(1, largest / norm))
  clipped = _vector(clipped)
  np.testing.assert_allclose(clipped, np.concatenate(expected), rtol=1e-5)
  # What is within its limit stays as it is.
  np.testing.assert_array_equal(clipped[-12:], np.ravel(gradients[2]))


def test_warmup_grows_along_a_line():
  """Step t of the first N changes t / N of what it would; decay as well.

  A refused step does not count as one.
  """
  warm, plain = _variables(), _variables()
  group = networks.ParameterGroup('adam', warm, 1e-2, 0.1)
  slow = optimizer_lib.GroupAdam(group, _EPSILON, warmup_steps=4)
  fast = _adam(plain, 0.1)
  for step in range(1, 7):
    gradient = slow.join(_gradients(warm, step))
    slow.apply(slow.join([g * np.nan for g in warm]), tf.constant(False))
    before = [v.numpy() for v in warm]
    for variable, value in zip(plain, before):
      variable.assign(value)
    slow.apply(gradient, tf.constant(True))
    fast.apply(gradient, tf.constant(True))
    for start, slowly, fully in zip(before, warm, plain):
      np.testing.assert_allclose(
          slowly - start,
          min(1, step / 4) * (fully - start),
          rtol=1e-3,
          atol=1e-6,
      )


def test_update_clipping_is_its_formula():
  """Of each variable apart, by the moment that the gradient is a part of.

  The second moment sees the gradient as it is: where gradients stay large, they
  are soon within the limit.
  """
  variables = _variables()
  group = networks.ParameterGroup('adam', variables, 1e-2, 0.0)
  adam = optimizer_lib.GroupAdam(group, _EPSILON, update_clip=1.5)
  sizes = [v.shape.num_elements() for v in variables]
  m, v = np.zeros(sum(sizes)), np.zeros(sum(sizes))
  limits = set()
  for step in range(1, 6):
    gradients = _gradients(variables, step)
    if step == 5:
      gradients[1] *= 100.0
    adam.apply(adam.join(gradients), tf.constant(True))
    gradient = np.concatenate([np.ravel(g) for g in gradients])
    v += 0.001 * (gradient**2 - v)
    update = gradient / (np.sqrt(v / (1 - 0.999**step)) + _EPSILON)
    clipped = []
    ends = np.cumsum(sizes)[:-1]
    for part, of_part in zip(np.split(gradient, ends), np.split(update, ends)):
      limit = min(1, 1.5 / np.sqrt(np.mean(of_part**2)))
      clipped.append(part * limit)
      limits.add((step, round(limit, 3)))
    m += 0.1 * (np.concatenate(clipped) - m)
    first, second = _moments(adam)
    np.testing.assert_allclose(first, m, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(second, v, rtol=1e-4)
  assert min(limit for step, limit in limits if step < 5) == 1
  assert min(limit for step, limit in limits if step == 5) < 0.8


def test_update_clipping_holds_the_weights_where_a_gradient_is_far_too_large():
  """One of a thousand times the usual size moves them as two usual ones do."""
  moved = {}
  for update_clip in (None, 1.0):
    variables = _variables()
    group = networks.ParameterGroup('adam', variables, 1e-2, 0.0)
    adam = optimizer_lib.GroupAdam(group, _EPSILON, update_clip=update_clip)
    for step in range(100):
      adam.apply(adam.join(_gradients(variables, step)), tf.constant(True))
    before = [v.numpy() for v in variables]
    large = [1000.0 * g for g in _gradients(variables, 100)]
    adam.apply(adam.join(large), tf.constant(True))
    for step in range(101, 110):
      adam.apply(adam.join(_gradients(variables, step)), tf.constant(True))
    moved[update_clip] = max(
        np.abs(v.numpy() - w).mean() for v, w in zip(variables, before)
    )
  assert moved[1.0] < 0.02 < 0.05 < moved[None]


def test_checkpoints_are_the_same_on_every_device(device, tmp_path):
  """What a CPU saves a TPU goes on with, and the other way round."""
  variables = _variables()
  adam = _adam(variables, 0.0)
  for step in range(3):
    adam.apply(adam.join(_gradients(variables, step)), tf.constant(True))
  path = tf.train.Checkpoint(adam=adam).write(str(tmp_path / 'adam'))
  shapes = {
      key.partition('/.ATTRIBUTES')[0]: shape
      for key, shape in tf.train.load_checkpoint(path)
      .get_variable_to_shape_map()
      .items()
  }
  assert (shapes['adam/_m'], shapes['adam/_v']) == ([22], [22])
  for other in (devices.Device.CPU, devices.Device.TPU):
    with devices.compile_for(other):
      copy = _adam(_variables(), 0.0)
    checkpoint = tf.train.Checkpoint(adam=copy)
    checkpoint.read(path).assert_consumed()
    assert (len(copy.slots) == len(adam.slots)) == (other is device)
    assert copy.slots[-1] == 3
    for moment, kept in zip(_moments(copy), _moments(adam)):
      np.testing.assert_array_equal(moment, kept)
