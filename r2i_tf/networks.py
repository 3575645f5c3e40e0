"""The plain building blocks of DreamerV3: MLPs with normalisation and SiLU.

Every layer is a Keras layer; parameters are float32, products are done in the
layer's compute dtype, and the outputs of a network are float32.
"""

from collections.abc import Sequence
import dataclasses
from typing import NamedTuple, Union

import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf import devices
from r2i_tf import norms

# DreamerV3's, of its first version for LayerNorm, of its newest for RMSNorm.
_LAYER_NORM_EPSILON, _RMS_NORM_EPSILON = 1e-3, 1e-4


@dataclasses.dataclass(frozen=True)
class LayerOptions:
  """What all layers of an agent have alike.

  Attributes:
    dtype: Keras dtype or policy of the matrix products.
    norm: The normalisation between them.
  """

  dtype: Union[str, tf.keras.mixed_precision.Policy] = 'float32'
  norm: agent_config.Norm = agent_config.Norm.LAYER


FLOAT32 = LayerOptions()


def layer_options(config: agent_config.R2IConfig) -> LayerOptions:
  """Returns the options of an agent's layers.

  Args:
    config: Of the agent.
  """
  policy = tf.keras.mixed_precision.Policy(config.precision.value)
  return LayerOptions(policy, config.norm)


class ParameterGroup(NamedTuple):
  """Variables that an optimiser treats alike.

  Attributes:
    name: Of the group.
    variables: The variables, float32.
    learning_rate: Step size of Adam.
    weight_decay: Share of a matrix taken off a step, times the step size.
  """

  name: str
  variables: tuple[tf.Variable, ...]
  learning_rate: float
  weight_decay: float


def kernel_initializer(scale: float = 1.0) -> tf.keras.initializers.Initializer:
  """Truncated normal with variance scale / mean(fan in, fan out)."""
  if not scale:
    return tf.keras.initializers.Zeros()
  return tf.keras.initializers.VarianceScaling(
      scale, mode='fan_avg', distribution='truncated_normal'
  )


def normalization(
    options: LayerOptions, silu: bool = False
) -> tf.keras.layers.Layer:
  """Returns the normalisation over the last axis that the options name.

  Args:
    options: Of the layers.
    silu: Whether SiLU follows.
  """
  if options.norm is agent_config.Norm.RMS:
    return norms.RMSNorm(_RMS_NORM_EPSILON, silu, dtype=options.dtype)
  return norms.LayerNorm(_LAYER_NORM_EPSILON, silu, dtype=options.dtype)


def with_batch_of(
    other: tf.Tensor, event_rank: int, x: tf.Tensor, shape: Sequence[int]
) -> tf.Tensor:
  """Reshapes `x` to the batch axes of another tensor, with others behind them.

  Args:
    other: The one with the batch axes, in front.
    event_rank: How many axes of it are no batch axes.
    x: The tensor to reshape.
    shape: The axes behind the batch axes.

  Returns:
    `x` as [..., *shape], its shape known where that of `other` is.
  """
  batch_rank = other.shape.rank - event_rank
  if batch_rank == 1 and x.shape[1:].is_fully_defined():
    if x.shape[1:] == tf.TensorShape(shape):
      return x  # As it is in acting, where each operation counts.
  result = tf.reshape(x, tf.concat([tf.shape(other)[:batch_rank], shape], 0))
  result.set_shape([*other.shape[:batch_rank], *shape])
  return result


class Dense(tf.keras.layers.Dense):
  """Keras's dense layer, [..., any] -> [..., U].

  Keras makes a matrix of its inputs first. To a TPU that is a copy of them,
  where they were made in another layout than a matrix has, so there, and on a
  GPU, they keep their axes.
  """

  def call(self, x: tf.Tensor) -> tf.Tensor:
    """Returns [..., U] in the compute dtype, which x has."""
    if devices.target() is devices.Device.CPU:
      return super().call(x)
    axes = 'abcdefgh'[: x.shape.rank - 1]
    y = tf.einsum(f'{axes}x,xy->{axes}y', x, self.kernel)
    return y + self.bias if self.use_bias else y


class MLP(tf.keras.layers.Layer):
  """Layers of dense without bias, norm and SiLU: [..., any] -> [..., U].

  On CPUs the batch axes are flattened on the way: one matrix product a layer
  whatever their number.
  """

  def __init__(self, config: agent_config.MLPConfig, options: LayerOptions):
    """Creates the layers."""
    super().__init__(dtype=options.dtype)
    self._stack = []
    for _ in range(config.layers):
      self._stack.append(
          Dense(
              config.units,
              use_bias=False,
              kernel_initializer=kernel_initializer(),
              dtype=options.dtype,
          )
      )
      self._stack.append(normalization(options, silu=True))

  def call(self, x: tf.Tensor) -> tf.Tensor:
    """Returns [..., units] in the compute dtype."""
    on_cpu = devices.target() is devices.Device.CPU
    y = tf.reshape(x, [-1, x.shape[-1]]) if on_cpu else x
    for layer in self._stack:
      y = layer(y)
    return with_batch_of(x, 1, y, y.shape[1:]) if on_cpu else y


def linear(
    units: int, options: LayerOptions, scale: float = 1.0
) -> tf.keras.layers.Dense:
  """A dense layer with bias; `scale` 0 initialises its kernel with zeros."""
  return Dense(
      units, kernel_initializer=kernel_initializer(scale), dtype=options.dtype
  )


class Head(tf.keras.layers.Layer):
  """An MLP and a linear layer: features [..., F] -> float32 [..., size]."""

  def __init__(
      self,
      config: agent_config.MLPConfig,
      size: int,
      options: LayerOptions,
      output_scale: float = 1.0,
      name: str = 'head',
  ):
    """Creates the head.

    Args:
      config: Hidden layers.
      size: Size of the output.
      options: Of the layers.
      output_scale: Variance scale of the last kernel; 0 for zeros.
      name: Name of the layer.
    """
    super().__init__(name=name, dtype=options.dtype)
    self._mlp = MLP(config, options)
    self._output = linear(size, options, output_scale)

  def call(self, features: tf.Tensor) -> tf.Tensor:
    """Returns the raw outputs, float32 [..., size]."""
    return tf.cast(self._output(self._mlp(features)), tf.float32)
