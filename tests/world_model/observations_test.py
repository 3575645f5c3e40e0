"""Tests of r2i_tf.world_model.observations."""

import numpy as np
import pytest
import tensorflow as tf

from tests.world_model import small

_MIXED = {
    'camera': tf.TensorSpec([16, 16, 3], tf.uint8),
    'far': tf.TensorSpec([8, 16, 1], tf.uint8),
    'grid': tf.TensorSpec([2, 2], tf.int32),
    'mask': tf.TensorSpec([16, 16, 1], tf.uint8),
    'speed': tf.TensorSpec([], tf.float32),
}
_RESETS = [[1, 0, 0], [1, 0, 1]]


def _observation(batch):
  rng = np.random.default_rng(1)
  return {
      'camera': tf.constant(
          rng.integers(0, 256, [*batch, 16, 16, 3]), tf.uint8
      ),
      'far': tf.constant(rng.integers(0, 256, [*batch, 8, 16, 1]), tf.uint8),
      'grid': tf.constant(rng.integers(0, 9, [*batch, 2, 2]), tf.int32),
      'mask': tf.constant(rng.integers(0, 256, [*batch, 16, 16, 1]), tf.uint8),
      'speed': tf.constant(rng.normal(size=batch), tf.float32),
  }


@pytest.fixture(name='model', scope='module')
def _model():
  return small.model(_MIXED)


@pytest.mark.parametrize('name', sorted(_MIXED))
def test_every_leaf_is_seen(model, name):
  """The posterior hangs on each leaf of a nested observation."""
  observation = _observation([4])
  before = model.posterior(observation).distribution.logits
  changed = dict(observation)
  changed[name] = tf.cast(
      5 + tf.zeros_like(observation[name]), _MIXED[name].dtype
  )
  after = model.posterior(changed).distribution.logits
  assert np.abs(after - before).max() > 1e-4


@pytest.mark.parametrize('name', sorted(_MIXED))
def test_every_leaf_is_reconstructed(model, name):
  """Each leaf of a nested observation is a target of the decoder."""
  experience = small.experience(
      {**_MIXED, 'grid': tf.TensorSpec([2, 2], tf.float32)}, _RESETS
  )
  features = model.features.of(model.observe(experience, [1, 2]).state)
  before = model._decoder.log_prob(features, experience.observation)
  changed = dict(experience.observation)
  changed[name] = tf.zeros_like(changed[name])
  after = model._decoder.log_prob(features, changed)
  assert before.shape == (2, 3)
  assert np.all(np.abs(after - before) > 1e-4)


def test_decoder_gives_back_the_shapes(model):
  """Predictions have the shape of what they predict, batch axes in front."""
  features = tf.zeros([2, 3, 14])
  observation = _observation([2, 3])
  parts = model.decode(features)
  assert len(parts) == 3
  for distribution, value_of in parts:
    assert distribution.mean().shape == value_of(observation).shape


def test_images_train(model):
  """Encoder and decoder of images and vectors have gradients, all finite."""
  experience = small.experience(_MIXED | {'grid': _MIXED['speed']}, _RESETS)
  experience.observation['grid'] = _observation([2, 3])['grid']
  with tf.GradientTape() as tape:
    loss, _, _ = model.loss(experience, [1, 2])
  variables = model._encoder.trainable_variables
  variables += model._decoder.trainable_variables
  for variable, gradient in zip(variables, tape.gradient(loss, variables)):
    assert np.all(np.isfinite(gradient)) and np.any(gradient), variable.name


def test_batch_axes_do_not_matter(model):
  """A sequence is encoded as its steps are, one by one."""
  observation = _observation([2, 3])
  together = model.posterior(observation).distribution.logits
  single = tf.nest.map_structure(lambda x: x[1, 2][tf.newaxis], observation)
  alone = model.posterior(single).distribution.logits
  np.testing.assert_allclose(together[1, 2], alone[0], atol=1e-5)


def test_an_ignored_leaf_is_neither_seen_nor_learned():
  """The loss and its gradients do not hang on an ignored leaf."""
  spec = {key: _MIXED[key] for key in ('camera', 'speed', 'mask')}
  model = small.model(spec, ignored_keys='mask|speed')
  experience = small.experience(spec, _RESETS)
  losses, gradients = [], []
  for _ in range(2):
    with tf.GradientTape() as tape:
      loss, _, _ = model.loss(experience, [1, 2])
    losses.append(loss.numpy())
    gradients.append(tape.gradient(loss, model.trainable_variables))
    experience.observation['mask'] = 255 - experience.observation['mask']
    experience.observation['speed'] += np.nan
  assert losses[0] == losses[1]
  for before, after in zip(*gradients):
    np.testing.assert_array_equal(before, after)
