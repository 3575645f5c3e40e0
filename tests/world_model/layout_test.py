"""Which part of an observation is what, by shape and by name."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf import schema
from r2i_tf.world_model import layout as layout_lib

_SPEC = {
    'camera': {
        'left': tf.TensorSpec([16, 16, 3], tf.uint8),
        'right': tf.TensorSpec([16, 16, 1], tf.uint8),
    },
    'map': tf.TensorSpec([8, 24, 1], tf.uint8),
    'ram': tf.TensorSpec([16, 16], tf.uint8),
    'state': (tf.TensorSpec([], tf.float32), tf.TensorSpec([2, 2], tf.int32)),
}


def _layout(spec=None, **fields):
  config = agent_config.WorldModelConfig(**fields)
  return layout_lib.create(_SPEC if spec is None else spec, config)


def _keys(layout):
  """Returns the keys of the vectors, and of the images of each size."""
  vectors = layout.vectors.leaves if layout.vectors else ()
  return (
      [leaf.key for leaf in vectors],
      {i.size: [leaf.key for leaf in i.leaves] for i in layout.images},
  )


def test_by_shape():
  """uint8 of rank 3 is an image, with those of its size; the rest a vector."""
  assert _keys(_layout()) == (
      ['ram', 'state/0', 'state/1'],
      {(8, 24): ['map'], (16, 16): ['camera/left', 'camera/right']},
  )


def test_by_name():
  """A key that an expression matches is what the expression says."""
  layout = _layout(
      image_keys='r.m', vector_keys='camera/l.*', ignored_keys='state/.|map'
  )
  assert _keys(layout) == (
      ['camera/left'],
      {(16, 16): ['camera/right', 'ram']},
  )
  assert layout.images[0].channels == 2 and layout.vectors.size == 16 * 16 * 3


def test_values_of_each_part():
  """Vectors come end to end, images stacked and scaled, batch axes in front."""
  rng = np.random.default_rng(1)
  observation = tf.nest.map_structure(
      lambda spec: tf.constant(
          rng.integers(0, 256, [2, 3, *spec.shape]), spec.dtype
      ),
      _SPEC,
  )
  layout = _layout(image_keys='ram')
  vector = layout.vectors.of(observation)
  assert vector.dtype == tf.float32 and vector.shape == (2, 3, 5)
  np.testing.assert_array_equal(vector[..., 0], observation['state'][0])
  np.testing.assert_array_equal(
      vector[..., 1:], np.reshape(observation['state'][1], [2, 3, 4])
  )
  image = layout.images[1].of(observation)
  camera = observation['camera']
  np.testing.assert_allclose(
      (image + 0.5) * 255,
      np.concatenate(
          [camera['left'], camera['right'], observation['ram'][..., None]], -1
      ),
      atol=1e-4,
  )


def test_order_of_keys_changes_nothing():
  """A dict means the same in whatever order its keys were put in."""
  reversed_spec = dict(reversed(_SPEC.items()))
  assert list(reversed_spec) != list(_SPEC)
  assert _layout(reversed_spec) == _layout()


@pytest.mark.parametrize(
    'shape,stages,smallest',
    [
        ((64, 64, 3), 4, (4, 4)),  # The paper's.
        ((8, 8, 1), 1, (4, 4)),
        ((96, 96, 3), 4, (6, 6)),
        ((64, 128, 3), 4, (4, 8)),
        ((12, 8, 3), 1, (6, 4)),
    ],
)
def test_sizes_that_halve(shape, stages, smallest):
  """An image is halved until its shorter side has 4 to 7 pixels, unpadded."""
  (images,) = _layout(tf.TensorSpec(shape, tf.uint8)).images
  assert (images.stages, images.smallest) == (stages, smallest)
  assert images.padding == ((0, 0), (0, 0))


@pytest.mark.parametrize(
    'shape,padded,smallest',
    [
        ((84, 84, 3), (96, 96), (6, 6)),
        ((96, 60, 3), (96, 64), (6, 4)),
        ((210, 160, 3), (224, 160), (7, 5)),
        ((63, 64, 1), (64, 64), (4, 4)),
        ((9, 100, 1), (10, 100), (5, 50)),
    ],
)
def test_sizes_that_are_padded(shape, padded, smallest):
  """Any other size is padded on both sides to the next one that halves."""
  (images,) = _layout(tf.TensorSpec(shape, tf.uint8)).images
  assert images.smallest == smallest
  for side, (before, after), whole in zip(shape, images.padding, padded):
    assert before + side + after == whole and after - before in (0, 1)


def test_every_size_halves_to_4_to_7_pixels():
  """From 8 pixels on, of the shorter side, padded by less than one of those."""
  for side in range(8, 300):
    (images,) = _layout(tf.TensorSpec([side, 311, 1], tf.uint8)).images
    assert 4 <= min(images.smallest) <= 7
    for smallest, length, padding in zip(
        images.smallest, (side, 311), images.padding
    ):
      assert smallest * 2**images.stages == length + sum(padding)
      assert 0 <= sum(padding) < 2**images.stages


@pytest.mark.parametrize('shape', [(7, 7, 3), (64, 4, 3)])
def test_images_that_are_too_small(shape):
  """An image of such a size is refused by its name and size."""
  words = f"'observation' has {shape[0]} x {shape[1]} pixels.*at least 8.*"
  with pytest.raises(schema.ConfigError, match=f'{words}vector_keys'):
    _layout(tf.TensorSpec(shape, tf.uint8))


@pytest.mark.parametrize(
    'fields,words',
    [
        (
            {'ignored_keys': 'camera'},
            "world_model.ignored_keys = 'camera' matches no whole key.*"
            "'camera/left', 'camera/right', 'map', 'ram', 'state/0', 'state/1'",
        ),
        (
            {'image_keys': 'map', 'ignored_keys': 'm.*'},
            "'map'.*world_model.image_keys and by world_model.ignored_keys",
        ),
        (
            {'image_keys': 'state/0'},
            "image_keys = 'state/0' matches 'state/0', float32 of shape \\[\\]",
        ),
        ({'ignored_keys': '.*'}, 'matches every key.*one must be left'),
        ({'vector_keys': '('}, r"vector_keys is '\(', which is no regular"),
    ],
)
def test_expressions_that_cannot_be_meant(fields, words):
  """The sentence names the field, what it matches and the keys there are."""
  with pytest.raises(schema.ConfigError, match=words) as caught:
    _layout(**fields)
  message = str(caught.value)
  assert len(message.splitlines()) == 1 and message.endswith('.')
