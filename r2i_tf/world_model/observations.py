"""Encoder and decoder of nested observations.

An observation is a tensor or a nest of tensors. A leaf of rank 3 and dtype
uint8 is an image [height, width, channels] and goes through convolutions; any
other leaf is a vector, flattened, and goes through an MLP in symlog space. All
images share one CNN (stacked by channels), all vectors one MLP.
"""

import numpy as np
import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf import distributions
from r2i_tf import networks
from r2i_tf import schema

_KERNEL, _STRIDE, _SMALLEST = 4, 2, 4


class ObservationLayout:
  """Which leaves of an observation are images, which vectors.

  Attributes:
    images: Indices, in `tf.nest.flatten` order, of the images.
    vectors: Indices of the vectors.
    vector_sizes: Number of elements of each vector.
    image_shapes: [height, width, channels] of each image.
  """

  def __init__(self, observation_spec):
    """Sorts the leaves of `observation_spec`, a nest of tensor specs.

    Raises:
      schema.ConfigError: Images of different sizes, or of a size that the CNN
        cannot halve down to 4.
    """
    leaves = tf.nest.flatten(observation_spec)
    self.images = [i for i, spec in enumerate(leaves) if _is_image(spec)]
    self.vectors = [i for i, spec in enumerate(leaves) if not _is_image(spec)]
    self.vector_sizes = [int(np.prod(leaves[i].shape)) for i in self.vectors]
    self.image_shapes = [tuple(leaves[i].shape) for i in self.images]
    self._vector_ranks = [leaves[i].shape.rank for i in self.vectors]
    sizes = sorted({shape[:2] for shape in self.image_shapes})
    schema.require(
        len(sizes) <= 1,
        f'the images of one observation have the sizes {sizes}, but all must'
        ' have one size; resize them in the environment.',
    )
    if sizes:
      side = sizes[0][0]
      schema.require(
          sizes[0][0] == sizes[0][1] and side >= 8 and not side & (side - 1),
          f'an image of {sizes[0][0]} x {sizes[0][1]} pixels was found, but'
          ' images must be square with a power of two from 8 on (64 in the'
          ' paper); resize them in the environment.',
      )

  @property
  def image_size(self) -> int:
    """Height and width of the images."""
    return self.image_shapes[0][0]

  @property
  def stages(self) -> int:
    """How many stride-2 convolutions lead from the image down to 4x4."""
    return int(np.log2(self.image_size // _SMALLEST))

  @property
  def channels(self) -> int:
    """Channels of all images together."""
    return sum(shape[2] for shape in self.image_shapes)

  def vector_of(self, observation) -> tf.Tensor:
    """Returns all vectors as one, float32 [..., sum(vector_sizes)]."""
    leaves = tf.nest.flatten(observation)
    parts = []
    for index, rank, size in zip(
        self.vectors, self._vector_ranks, self.vector_sizes
    ):
      leaf = tf.cast(leaves[index], tf.float32)
      parts.append(_reshape_event(leaf, rank, [size]))
    return tf.concat(parts, -1)

  def image_of(self, observation) -> tf.Tensor:
    """Returns all images of a nest as one, float32 in [-0.5, 0.5]."""
    leaves = tf.nest.flatten(observation)
    images = tf.concat([leaves[i] for i in self.images], -1)
    return tf.cast(images, tf.float32) / 255 - 0.5


def _is_image(spec: tf.TensorSpec) -> bool:
  return len(spec.shape) == 3 and spec.dtype == tf.uint8


def _reshape_event(x: tf.Tensor, rank: int, shape) -> tf.Tensor:
  """Gives the last `rank` axes of `x` another shape; static where known."""
  batch = x.shape[: x.shape.rank - rank]
  result = tf.reshape(x, tf.concat([tf.shape(x)[: len(batch)], shape], 0))
  result.set_shape([*batch, *shape])
  return result


class Encoder(tf.keras.layers.Layer):
  """Observation o_t -> features, each leaf [..., shape] -> [..., F] float32."""

  def __init__(
      self,
      layout: ObservationLayout,
      config: agent_config.MLPConfig,
      cnn_depth: int,
      dtype: networks.DType,
  ):
    """Creates the encoder.

    Args:
      layout: The leaves.
      config: The MLP of the vectors.
      cnn_depth: Channels of the first convolution.
      dtype: Keras dtype or policy of the products.
    """
    super().__init__(name='encoder', dtype=dtype)
    self._layout = layout
    self._mlp = networks.MLP(config, dtype) if layout.vectors else None
    self._cnn = None
    if layout.images:
      self._cnn = tf.keras.Sequential()
      for stage in range(layout.stages):
        self._cnn.add(
            tf.keras.layers.Conv2D(
                cnn_depth * 2**stage,
                _KERNEL,
                _STRIDE,
                padding='same',
                use_bias=False,
                kernel_initializer=networks.kernel_initializer(),
                dtype=dtype,
            )
        )
        for layer in networks.normalized_activation(dtype):
          self._cnn.add(layer)

  def call(self, observation) -> tf.Tensor:
    """Returns the features of a nest of observations with any batch axes."""
    features = []
    if self._mlp is not None:
      vector = self._layout.vector_of(observation)
      features.append(self._mlp(distributions.symlog(vector)))
    if self._cnn is not None:
      image = self._layout.image_of(observation)
      batch = image.shape[:-3]
      x = self._cnn(tf.reshape(image, [-1, *image.shape[-3:]]))
      x = tf.reshape(x, [-1, int(np.prod(x.shape[1:]))])
      x = tf.reshape(x, tf.concat([tf.shape(image)[:-3], x.shape[1:]], 0))
      x.set_shape([*batch, x.shape[-1]])
      features.append(x)
    return tf.cast(tf.concat(features, -1), tf.float32)


class Decoder(tf.keras.layers.Layer):
  """Features [..., F] -> a distribution for all vectors, one for all images."""

  def __init__(
      self,
      layout: ObservationLayout,
      config: agent_config.MLPConfig,
      cnn_depth: int,
      dtype: networks.DType,
  ):
    """Creates the decoder; arguments as for `Encoder`."""
    super().__init__(name='decoder', dtype=dtype)
    self._layout = layout
    self._vector_head = None
    if layout.vectors:
      self._vector_head = networks.Head(
          config, sum(layout.vector_sizes), dtype, name='vectors'
      )
    if layout.images:
      top = cnn_depth * 2 ** (layout.stages - 1)
      self._seed_shape = (_SMALLEST, _SMALLEST, top)
      self._image_input = networks.linear(int(np.prod(self._seed_shape)), dtype)
      self._cnn = tf.keras.Sequential()
      for stage in reversed(range(layout.stages)):
        last = stage == 0
        self._cnn.add(
            tf.keras.layers.Conv2DTranspose(
                layout.channels if last else cnn_depth * 2 ** (stage - 1),
                _KERNEL,
                _STRIDE,
                padding='same',
                use_bias=last,
                kernel_initializer=networks.kernel_initializer(),
                dtype=dtype,
            )
        )
        if not last:
          for layer in networks.normalized_activation(dtype):
            self._cnn.add(layer)

  def call(self, features: tf.Tensor):
    """Returns the distributions p(o_t | features), as a list.

    Args:
      features: float32 [..., F].

    Returns:
      Pairs of (distribution, function that takes an observation to the value
      that the distribution is over).
    """
    parts = []
    if self._layout.vectors:
      location = self._vector_head(features)
      parts.append(
          (
              distributions.SquaredError(location, 1, in_symlog=True),
              self._layout.vector_of,
          )
      )
    if self._layout.images:
      x = self._image_input(features)
      x = self._cnn(tf.reshape(x, [-1, *self._seed_shape]))
      x = tf.cast(x, tf.float32)
      shape = tf.concat([tf.shape(features)[:-1], x.shape[1:]], 0)
      location = tf.reshape(x, shape)
      location.set_shape([*features.shape[:-1], *x.shape[1:]])
      parts.append(
          (
              distributions.SquaredError(location, 3, in_symlog=False),
              self._layout.image_of,
          )
      )
    return parts

  def log_prob(self, features: tf.Tensor, observation) -> tf.Tensor:
    """Returns ln p(o_t | features) summed over all leaves, [...]."""
    return tf.add_n(
        [
            distribution.log_prob(value_of(observation))
            for distribution, value_of in self(features)
        ]
    )
