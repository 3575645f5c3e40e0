"""Encoder and decoder of nested observations.

  o_t -> vectors -> symlog -> MLP  -> features
         images  -> CNN            ->

and back. `layout` sorts the parts of an observation. A CNN halves an
image until its shorter side has 4 to 7 pixels (4 for the paper's 64 x 64), by
convolutions of 4 x 4 with stride 2 whose channels double; each is followed by
normalisation and SiLU.

An image of another size is padded first to the next that halves so, with the 0
by which the convolutions themselves go on beyond an edge; it is half the
brightness of a pixel. What the decoder makes is cropped at the same edges, so
that no loss sees what was padded.
"""

from collections.abc import Callable
import functools
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from r2i_tf import config as agent_config
from r2i_tf import devices
from r2i_tf import distributions
from r2i_tf import networks
from r2i_tf import rematerialization
from r2i_tf.world_model import layout as layout_lib

# A part of the observation: its distribution, and the function that takes an
# observation to the value that the distribution is over.
Decoded = tuple[tfd.Distribution, Callable[[Any], tf.Tensor]]

_KERNEL, _STRIDE = 4, 2


class Encoder(tf.keras.layers.Layer):
  """Observation o_t -> features, each leaf [..., shape] -> [..., F] float32."""

  def __init__(
      self,
      layout: layout_lib.Layout,
      config: agent_config.MLPConfig,
      cnn_depth: int,
      options: networks.LayerOptions,
  ):
    """Creates the encoder.

    Args:
      layout: The parts of the observation.
      config: The MLP of the vectors.
      cnn_depth: Channels of the first convolution.
      options: Of the layers.
    """
    super().__init__(name='encoder', dtype=options.dtype)
    self._layout = layout
    self._mlp = networks.MLP(config, options) if layout.vectors else None
    self._cnns = [
        _encoding_cnn(images, cnn_depth, options) for images in layout.images
    ]

  def call(self, observation: Any) -> tf.Tensor:
    """Returns the features of a nest of observations with any batch axes."""
    features = []
    vectors = self._layout.vectors
    if self._mlp is not None and vectors is not None:
      vector = vectors.of(observation)
      features.append(self._mlp(distributions.symlog(vector)))
    for images, cnn in zip(self._layout.images, self._cnns):
      image = images.of(observation)
      x = tf.reshape(image, [-1, *image.shape[-3:]])
      first, *others = cnn
      if devices.target() is not devices.Device.CPU:
        first = rematerialization.rematerialized(first)
      x = functools.reduce(lambda x, stage: stage(x), others, first(x))
      size = int(np.prod(x.shape[1:]))
      features.append(networks.with_batch_of(image, 3, x, [size]))
    return tf.cast(tf.concat(features, -1), tf.float32)


class Decoder(tf.keras.layers.Layer):
  """Features [..., F] -> a distribution for each part of the layout.

  Attributes:
    layout: The parts of the observation.
  """

  def __init__(
      self,
      layout: layout_lib.Layout,
      config: agent_config.MLPConfig,
      cnn_depth: int,
      options: networks.LayerOptions,
  ):
    """Creates the decoder; arguments as for `Encoder`."""
    super().__init__(name='decoder', dtype=options.dtype)
    self.layout = layout
    self._vector_head = None
    if layout.vectors:
      self._vector_head = networks.Head(
          config, layout.vectors.size, options, name='vectors'
      )
    self._cnns = [
        _decoding_cnn(images, cnn_depth, options) for images in layout.images
    ]

  def call(self, features: tf.Tensor) -> list[Decoded]:
    """Returns the distributions p(o_t | features), as a list.

    Args:
      features: float32 [..., F].

    Returns:
      First the vector if there is one, then one for each size of images.
    """
    parts: list[Decoded] = []
    vectors = self.layout.vectors
    if self._vector_head is not None and vectors is not None:
      location = self._vector_head(features)
      parts.append(
          (
              distributions.SquaredError(location, 1, in_symlog=True),
              vectors.of,
          )
      )
    for images, cnn in zip(self.layout.images, self._cnns):
      x = tf.reshape(features, [-1, features.shape[-1]])
      # The activations of images are most of what a train step has to keep.
      for stage in cnn:
        x = rematerialization.finished_at_once(stage)(x)
      location = networks.with_batch_of(
          features, 1, tf.cast(x, tf.float32), x.shape[1:]
      )
      parts.append(
          (
              distributions.SquaredError(location, 3, in_symlog=False),
              images.of,
          )
      )
    return parts

  def expected(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the means of p(o_t | features), by the keys of the observation.

    Args:
      features: float32 [..., F].

    Returns:
      float32 [..., shape] in the units of the environment; of images in [0,
      255], but for what the decoder makes beyond.
    """
    means = [distribution.mean() for distribution, _ in self(features)]
    expected = {}
    if self.layout.vectors is not None:
      expected.update(self.layout.vectors.parts(means.pop(0)))
    for images, mean in zip(self.layout.images, means):
      expected.update(images.parts(mean))
    return expected

  def log_prob(self, features: tf.Tensor, observation: Any) -> tf.Tensor:
    """Returns ln p(o_t | features) summed over all leaves, [...]."""
    return tf.add_n(
        [
            distribution.log_prob(value_of(observation))
            for distribution, value_of in self(features)
        ]
    )


def _encoding_cnn(
    images: layout_lib.Images, depth: int, options: networks.LayerOptions
) -> list[tf.keras.Sequential]:
  """Returns [N, height, width, channels] -> [N, *smallest, most channels].

  In two parts, the first with the largest activation, after one convolution:
  four times its input and more, and quickly made again.
  """
  first, others = tf.keras.Sequential(), tf.keras.Sequential()
  if np.any(images.padding):
    first.add(
        tf.keras.layers.ZeroPadding2D(images.padding, dtype=options.dtype)
    )
  for stage in range(images.stages):
    part = first if stage < 2 else others
    part.add(
        tf.keras.layers.Conv2D(
            depth * 2**stage,
            _KERNEL,
            _STRIDE,
            padding='same',
            use_bias=False,
            kernel_initializer=networks.kernel_initializer(),
            dtype=options.dtype,
        )
    )
    part = first if stage == 0 else others
    part.add(networks.normalization(options, silu=True))
  return [first, others] if images.stages > 1 else [first]


def _decoding_cnn(
    images: layout_lib.Images, depth: int, options: networks.LayerOptions
) -> list[tf.keras.Sequential]:
  """Returns [N, F] -> [N, height, width, channels], the encoder mirrored.

  In stages, each with what XLA makes one operation of: a convolution and,
  backward, the normalisation before it.
  """
  shape = (*images.smallest, depth * 2 ** (images.stages - 1))
  stages = [tf.keras.Sequential()]
  stages[0].add(networks.linear(int(np.prod(shape)), options))
  stages[0].add(tf.keras.layers.Reshape(shape, dtype=options.dtype))
  for stage in reversed(range(images.stages)):
    last = stage == 0
    stages[-1].add(
        tf.keras.layers.Conv2DTranspose(
            images.channels if last else depth * 2 ** (stage - 1),
            _KERNEL,
            _STRIDE,
            padding='same',
            use_bias=last,
            kernel_initializer=networks.kernel_initializer(),
            dtype=options.dtype,
        )
    )
    if not last:
      stages.append(tf.keras.Sequential())
      stages[-1].add(networks.normalization(options, silu=True))
  if np.any(images.padding):
    stages[-1].add(
        tf.keras.layers.Cropping2D(images.padding, dtype=options.dtype)
    )
  return stages
