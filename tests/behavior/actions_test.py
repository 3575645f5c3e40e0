"""Tests of r2i_tf.behavior.actions."""

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec

from r2i_tf.behavior import actions as actions_lib

_SCALAR = tensor_spec.BoundedTensorSpec([], tf.int32, 3, 6)
_PLAIN = tensor_spec.BoundedTensorSpec([], tf.int64, 0, 3)
# Three dimensions with 2, 4 and 1 choices.
_VECTOR = tensor_spec.BoundedTensorSpec([3], tf.int32, [0, -1, 5], [1, 2, 5])
_BOX = tensor_spec.BoundedTensorSpec([2], tf.float32, [0.0, -3.0], [10.0, 1.0])
_NUMBER = tensor_spec.BoundedTensorSpec([], tf.float64, -2.0, 2.0)
_DISCRETE = [_SCALAR, _PLAIN, _VECTOR]


def _parameters(codec, batch=(5,), seed=1, scale=2.0):
  shape = [*batch, codec.parameters]
  return scale * tf.random.stateless_normal(shape, [seed, 0])


def _valid_actions(spec, count=40):
  return tensor_spec.sample_spec_nest(spec, seed=1, outer_dims=[count])


def test_scalar_with_minimum():
  """The least action is the first class, the greatest the last."""
  codec = actions_lib.create(_SCALAR)
  assert codec.size == 4 and not codec.differentiable
  encoded = codec.encode(tf.constant([[3, 6], [4, 5]]))
  np.testing.assert_array_equal(encoded, np.eye(4)[[[0, 3], [1, 2]]])


def test_vector_of_different_counts():
  """Each dimension is a group of its own, as wide as the widest."""
  codec = actions_lib.create(_VECTOR)
  assert codec.size == 12
  encoded = codec.encode(tf.constant([[1, -1, 5], [0, 2, 5]]))
  np.testing.assert_array_equal(
      encoded,
      [
          [0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0],
          [1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0],
      ],
  )


@pytest.mark.parametrize('spec', _DISCRETE)
def test_model_and_environment_distributions_agree(spec):
  """The policy that learns is the policy that acts: same log-probabilities."""
  codec = actions_lib.create(spec)
  action = _valid_actions(spec)
  parameters = _parameters(codec, [40])
  model = codec.distribution(parameters)
  environment = codec.environment_distribution(parameters)
  encoded = codec.unflatten(codec.encode(action))
  log_prob = model.log_prob(encoded)
  np.testing.assert_allclose(
      environment.log_prob(action), log_prob, rtol=1e-4, atol=1e-4
  )
  np.testing.assert_array_equal(
      codec.encode(environment.mode()), codec.flatten(model.mode())
  )
  assert environment.dtype == spec.dtype


@pytest.mark.parametrize('spec', _DISCRETE)
def test_only_possible_actions(spec):
  """No sample leaves the bounds, also where the actor would like it to."""
  codec = actions_lib.create(spec)
  parameters = _parameters(codec, [4], scale=30.0)
  action = codec.environment_distribution(parameters).sample(500, seed=[1, 2])
  assert np.all(action >= spec.minimum) and np.all(action <= spec.maximum)
  # Encoding is one-hot for possible actions only: nothing may be lost.
  sample = codec.distribution(parameters).sample(500, seed=[1, 2])
  possible = codec.encode(_valid_actions(spec, 1000)).numpy().any(0)
  assert not np.any(codec.flatten(sample).numpy()[..., ~possible])
  np.testing.assert_array_equal(sample.numpy().sum(-1), 1)


@pytest.mark.parametrize('spec', _DISCRETE)
def test_every_action_stays_possible(spec):
  """1% unimix over the possible classes, for an actor however sure."""
  codec = actions_lib.create(spec)
  sure = 1e3 * np.eye(codec.size, dtype=np.float32)[:1]
  probs = tf.exp(codec.distribution(sure).distribution.logits).numpy()[0]
  counts = np.atleast_1d(np.asarray(spec.maximum) - spec.minimum + 1)
  for dimension, count in enumerate(counts):
    np.testing.assert_allclose(probs[dimension].sum(), 1, rtol=1e-5)
    assert np.all(probs[dimension, :count] > 0.0099 / count)
    assert not np.any(probs[dimension, count:])


@pytest.mark.parametrize('spec', _DISCRETE + [_BOX])
def test_entropy_and_gradients_are_finite(spec):
  """Impossible classes put no NaN into entropy, log_prob or gradients."""
  codec = actions_lib.create(spec)
  parameters = _parameters(codec, scale=20.0)
  with tf.GradientTape() as tape:
    tape.watch(parameters)
    p = codec.distribution(parameters)
    entropy = p.entropy()
    sample = tf.stop_gradient(p.sample(seed=[1, 2]))
    log_prob = p.log_prob(sample)
    loss = tf.reduce_sum(entropy) + tf.reduce_sum(log_prob)
  assert np.all(np.isfinite(entropy)) and np.all(np.isfinite(log_prob))
  assert np.all(np.isfinite(tape.gradient(loss, parameters)))


def test_entropy_of_a_vector():
  """The entropy is that of the possible classes, summed over dimensions."""
  codec = actions_lib.create(_VECTOR)
  entropy = codec.distribution(tf.zeros([1, codec.parameters])).entropy()
  np.testing.assert_allclose(entropy, [np.log(2) + np.log(4)], rtol=1e-5)


@pytest.mark.parametrize('spec', _DISCRETE)
def test_flatten_and_unflatten(spec):
  """What the actor sampled survives the way through the world model."""
  codec = actions_lib.create(spec)
  p = codec.distribution(_parameters(codec, [2, 3]))
  sample = p.sample(seed=[1, 2])
  flat = codec.flatten(sample)
  assert flat.shape == (2, 3, codec.size)
  np.testing.assert_array_equal(codec.unflatten(flat), sample)


def test_imagined_actions_are_those_of_the_replay():
  """What the model imagines with is what it would be shown: clipped.

  The gradient still points back from beyond the bounds, but is smaller there.
  """
  codec = actions_lib.create(_BOX)
  sample = tf.constant([[0.3, -0.9], [1.5, -7.0]])
  with tf.GradientTape() as tape:
    tape.watch(sample)
    flat = codec.flatten(sample)
  environment = sample * [5.0, 2.0] + [5.0, -1.0]
  np.testing.assert_allclose(flat, codec.encode(environment), atol=1e-6)
  expected = [[1, 1], [1 / 1.5, 1 / 7]]
  np.testing.assert_allclose(tape.gradient(flat, sample), expected)


def test_continuous_scaling():
  """The bounds of the environment are -1 and 1 to the model, beyond is cut."""
  codec = actions_lib.create(_BOX)
  assert codec.size == 2 and codec.differentiable
  encoded = codec.encode(
      tf.constant([[0.0, -3.0], [10.0, 1.0], [5.0, -1.0], [70.0, -70.0]])
  )
  np.testing.assert_allclose(
      encoded, [[-1, -1], [1, 1], [0, 0], [1, -1]], atol=1e-6
  )


@pytest.mark.parametrize('spec', _DISCRETE)
def test_actions_are_drawn_as_often_as_they_are_likely(spec):
  """With evenly spread numbers an action comes as often as p says, or once."""
  codec = actions_lib.create(spec)
  parameters = tf.repeat(_parameters(codec, [1]), 1000, 0)
  spread = tf.cast(tf.range(1000), tf.float32) / 1000
  noise = tf.broadcast_to(
      spread[:, tf.newaxis, tf.newaxis], codec.noise(1000).shape
  )
  action = codec.environment_action(parameters, noise)
  assert action.dtype == spec.dtype and action.shape == (1000, *spec.shape)
  probabilities = tf.exp(codec.distribution(parameters[:1]).distribution.logits)
  np.testing.assert_allclose(
      np.sum(codec.unflatten(codec.encode(action)), 0),
      1000 * probabilities[0],
      atol=1.01,
  )


@pytest.mark.parametrize('spec', [_BOX, _NUMBER])
def test_numbers_are_drawn_from_the_distribution(spec):
  """Noise is in units of the deviation, around the mean."""
  codec = actions_lib.create(spec)
  parameters = _parameters(codec, [7])
  noise = codec.noise(7)
  assert noise.shape == (7, *spec.shape) and np.std(noise) > 0
  environment = codec.environment_distribution(parameters)
  action = codec.environment_action(parameters, noise)
  assert action.dtype == spec.dtype
  np.testing.assert_allclose(
      (action - environment.mean()) / environment.stddev(), noise, atol=1e-4
  )


@pytest.mark.parametrize('spec', _DISCRETE + [_BOX, _NUMBER])
def test_without_noise_the_action_is_the_most_likely(spec):
  """As who asks for the distribution takes it."""
  codec = actions_lib.create(spec)
  parameters = _parameters(codec, [7])
  np.testing.assert_array_equal(
      codec.environment_action(parameters, None),
      codec.environment_distribution(parameters).mode(),
  )


@pytest.mark.parametrize('spec', [_BOX, _NUMBER])
def test_continuous_round_trip(spec):
  """The environment is given the model's own normal, in its own units."""
  codec = actions_lib.create(spec)
  parameters = _parameters(codec, [7], scale=0.5)
  model = codec.distribution(parameters).distribution
  environment = codec.environment_distribution(parameters)
  assert environment.dtype == spec.dtype
  assert environment.event_shape == spec.shape
  mode = environment.mode()
  np.testing.assert_allclose(codec.encode(mode), model.loc, atol=1e-5)
  scale = np.broadcast_to((spec.maximum - spec.minimum) / 2, [codec.size])
  stddev = np.reshape(environment.stddev(), [7, -1])
  np.testing.assert_allclose(stddev, model.scale * scale, rtol=1e-5)


def test_continuous_limits():
  """Means stay within the bounds; deviations between 0.1 and 1."""
  codec = actions_lib.create(_BOX)
  p = codec.distribution(_parameters(codec, [100], scale=50.0)).distribution
  assert np.all(np.abs(p.loc) <= 1)
  np.testing.assert_allclose(np.min(p.scale), 0.1, atol=1e-3)
  np.testing.assert_allclose(np.max(p.scale), 1.0, atol=1e-3)


def test_a_minimum_makes_no_noise(caplog):
  """TensorFlow Probability has nothing to say of a policy, however often."""
  codec = actions_lib.create(_VECTOR)
  policy = tf.function(lambda p: codec.environment_distribution(p).sample())
  policy(tf.zeros([2, codec.parameters]))
  assert caplog.records == []


def test_component_with_equal_bounds_is_encoded_as_zero():
  """What cannot be chosen is 0 to the model, and its bound to the world."""
  spec = tensor_spec.BoundedTensorSpec([2], tf.float32, [3.0, -1], [3.0, 1])
  codec = actions_lib.create(spec)
  encoded = codec.encode(tf.constant([[3.0, 0.5], [3.0, -1.0]]))
  np.testing.assert_array_equal(encoded, [[0, 0.5], [0, -1]])
  sample = codec.environment_distribution(_parameters(codec)).sample()
  np.testing.assert_array_equal(sample[:, 0], 3.0)
