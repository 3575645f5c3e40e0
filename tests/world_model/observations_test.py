"""Tests of r2i_tf.world_model.observations."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import schema
from r2i_tf.world_model import observations
from tests.world_model import small

_MIXED = {
    'camera': tf.TensorSpec([16, 16, 3], tf.uint8),
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
      'grid': tf.constant(rng.integers(0, 9, [*batch, 2, 2]), tf.int32),
      'mask': tf.constant(rng.integers(0, 256, [*batch, 16, 16, 1]), tf.uint8),
      'speed': tf.constant(rng.normal(size=batch), tf.float32),
  }


@pytest.fixture(name='model', scope='module')
def _model():
  return small.model(_MIXED)


def test_layout():
  """Images and vectors are told apart, joined, and scaled."""
  layout = observations.ObservationLayout(_MIXED)
  assert layout.channels == 4 and layout.image_size == 16
  assert layout.stages == 2
  observation = _observation([2, 3])
  vector = layout.vector_of(observation)
  assert vector.shape == (2, 3, 5)
  np.testing.assert_array_equal(vector[..., 4], observation['speed'])
  np.testing.assert_array_equal(
      vector[..., :4], np.reshape(observation['grid'], [2, 3, 4])
  )
  image = layout.image_of(observation)
  np.testing.assert_allclose(
      image[..., :3], observation['camera'].numpy() / 255 - 0.5, atol=1e-6
  )
  np.testing.assert_allclose(
      image[..., 3:], observation['mask'].numpy() / 255 - 0.5, atol=1e-6
  )


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
  state, _, _ = model.observe(experience, [1, 2])
  features = model.features(state)
  before = model._decoder.log_prob(features, experience.observation)
  changed = dict(experience.observation)
  changed[name] = tf.zeros_like(changed[name])
  after = model._decoder.log_prob(features, changed)
  assert before.shape == (2, 3)
  assert np.all(np.abs(after - before) > 1e-4)


def test_decoder_gives_back_the_shapes(model):
  """Predictions have the shape of what they predict, batch axes in front."""
  features = tf.zeros([2, 3, 14])
  (vectors, vector_of), (images, image_of) = model.decode(features)
  observation = _observation([2, 3])
  assert vectors.mean().shape == vector_of(observation).shape
  assert images.mean().shape == image_of(observation).shape


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


@pytest.mark.parametrize('shape', [(12, 12, 3), (16, 8, 3), (4, 4, 1)])
def test_bad_image_sizes(shape):
  """An image that cannot be halved down to 4 x 4 is refused by its size."""
  with pytest.raises(
      schema.ConfigError, match=f'image of {shape[0]} x {shape[1]} pixels'
  ):
    small.model(tf.TensorSpec(shape, tf.uint8))


def test_images_of_two_sizes():
  """Images of two sizes in one observation are refused, both named."""
  spec = [
      tf.TensorSpec([16, 16, 3], tf.uint8),
      tf.TensorSpec([8, 8, 3], tf.uint8),
  ]
  with pytest.raises(schema.ConfigError, match=r'\(8, 8\), \(16, 16\)'):
    small.model(spec)
