"""Tests of r2i_tf.world_model.observations."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import devices
from r2i_tf import draws
from r2i_tf.world_model import losses
from tests.world_model import small

_MIXED = {
    'camera': tf.TensorSpec([16, 16, 3], tf.uint8),
    'far': tf.TensorSpec([8, 16, 1], tf.uint8),
    'grid': tf.TensorSpec([2, 2], tf.int32),
    'mask': tf.TensorSpec([16, 16, 1], tf.uint8),
    'speed': tf.TensorSpec([], tf.float32),
}
_RESETS = [[1, 0, 0], [1, 0, 1]]


def _posterior(model, observation):
  return model.posterior(model.embed(observation))


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
  before = _posterior(model, observation).distribution.logits
  changed = dict(observation)
  changed[name] = tf.cast(
      5 + tf.zeros_like(observation[name]), _MIXED[name].dtype
  )
  after = _posterior(model, changed).distribution.logits
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
    loss, _, _ = losses.loss(model, experience, draws.Seed([1, 2]))
  variables = model._encoder.trainable_variables
  variables += model._decoder.trainable_variables
  for variable, gradient in zip(variables, tape.gradient(loss, variables)):
    assert np.all(np.isfinite(gradient)) and np.any(gradient), variable.name


def test_a_tpu_learns_the_same_of_images():
  """What it computes again, and sums in another way, is the same to 1e-4."""
  spec = {'camera': tf.TensorSpec([16, 16, 3], tf.uint8)}
  model = small.model(spec)
  experience = small.experience(spec, _RESETS)

  @tf.function(jit_compile=True)
  def gradients():
    with tf.GradientTape() as tape:
      loss, _, _ = losses.loss(model, experience, draws.Seed([1, 2]))
    return tape.gradient(loss, model.trainable_variables)

  on_cpu = gradients()
  with devices.compile_for(devices.Device.TPU):
    on_tpu = tf.function(gradients.python_function, jit_compile=True)()
  for variable, left, right in zip(model.trainable_variables, on_cpu, on_tpu):
    np.testing.assert_allclose(
        left, right, atol=1e-4 * np.max(np.abs(right)), err_msg=variable.name
    )


def test_batch_axes_do_not_matter(model):
  """A sequence is encoded as its steps are, one by one."""
  observation = _observation([2, 3])
  together = _posterior(model, observation).distribution.logits
  single = tf.nest.map_structure(lambda x: x[1, 2][tf.newaxis], observation)
  alone = _posterior(model, single).distribution.logits
  np.testing.assert_allclose(together[1, 2], alone[0], atol=1e-5)


def test_an_ignored_leaf_is_neither_seen_nor_learned():
  """The loss and its gradients do not hang on an ignored leaf."""
  spec = {key: _MIXED[key] for key in ('camera', 'speed', 'mask')}
  model = small.model(spec, ignored_keys='mask|speed')
  experience = small.experience(spec, _RESETS)
  totals, gradients = [], []
  for _ in range(2):
    with tf.GradientTape() as tape:
      loss, _, _ = losses.loss(model, experience, draws.Seed([1, 2]))
    totals.append(loss.numpy())
    gradients.append(tape.gradient(loss, model.trainable_variables))
    experience.observation['mask'] = 255 - experience.observation['mask']
    experience.observation['speed'] += np.nan
  assert totals[0] == totals[1]
  for before, after in zip(*gradients):
    np.testing.assert_array_equal(before, after)


def _kinds_of_layers(size):
  spec = tf.TensorSpec([*size, 3], tf.uint8)
  model = small.model(spec)
  cnns = [*model._encoder._cnns[0], *model._decoder._cnns[0]]
  return {type(layer) for cnn in cnns for layer in cnn.layers}


def test_the_papers_size_is_not_padded():
  """64 x 64 goes through convolutions alone, others through a frame, too."""
  frame = {tf.keras.layers.ZeroPadding2D, tf.keras.layers.Cropping2D}
  assert not frame & _kinds_of_layers((64, 64))
  assert _kinds_of_layers((60, 64)) == frame | _kinds_of_layers((64, 64))


@pytest.mark.parametrize('size', [(84, 84), (21, 16)])
def test_the_edges_of_a_padded_image_are_seen_and_learned(size):
  """Each corner changes the latent, and its own part of the loss."""
  spec = tf.TensorSpec([*size, 1], tf.uint8)
  model = small.model(spec)
  features = tf.zeros([1, model.features.size])
  (distribution, value_of), *_ = model.decode(features)
  image = np.zeros([1, *size, 1], np.uint8)
  before = _posterior(model, tf.constant(image)).distribution.logits
  mean = distribution.mean()
  assert mean.shape == image.shape
  for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
    changed = image.copy()
    changed[(0, *corner)] = 255
    after = _posterior(model, tf.constant(changed)).distribution.logits
    assert np.abs(after - before).max() > 1e-6
    change = distribution.log_prob(value_of(tf.constant(changed)))
    change -= distribution.log_prob(value_of(tf.constant(image)))
    location = mean[(0, *corner, 0)]
    expected = (-0.5 - location) ** 2 - (0.5 - location) ** 2
    np.testing.assert_allclose(change[0], expected, rtol=1e-2, atol=1e-3)


def test_a_padded_image_is_reproduced():
  """One batch of 84 x 84 is learned by heart, to the pixels at its edges."""
  spec = tf.TensorSpec([84, 84, 3], tf.uint8)
  model = small.model(spec, cnn_depth=8)
  y, x = np.meshgrid(*[np.linspace(0, 1, 84)] * 2, indexing='ij')
  images = np.stack([np.stack([y, x, x], -1), np.stack([1 - y, y, x], -1)])
  images[:, [0, -1]] = images[:, :, [0, -1]] = 1  # A frame of one pixel.
  images = tf.constant(images[np.newaxis] * 255, tf.uint8)
  experience = small.experience(spec, [[1, 1]])._replace(observation=images)
  optimizer = tf.keras.optimizers.Adam(1e-2)
  variables = list(model.trainable_variables)
  optimizer.build(variables)

  @tf.function(autograph=False)
  def update(step):
    with tf.GradientTape() as tape:
      loss, observed, _ = losses.loss(
          model, experience, draws.Seed(tf.stack([step, 0]))
      )
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables))
    return model.decode(model.features.of(observed.state))[0][0].mean()

  for step in range(300):
    decoded = update(tf.constant(step))
  error = np.abs(decoded + 0.5 - tf.cast(images, tf.float32) / 255)
  assert error.mean() < 0.04
  assert error[:, :, [0, -1]].mean() < 0.12
  assert error[:, :, :, [0, -1]].mean() < 0.12
