"""Normalisations over the last axis, with parameters of their own.

Keras has a LayerNormalization, too. Its gradient is many small loops to XLA,
each over whole activations, a sixth of what a train step has to compile. Here
forward and backward are written out, the activation with them, and keep nothing
but the input. Inputs have any rank, which they keep: to a TPU, images that are
made a matrix are a copy in another layout.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from r2i_tf import devices

# On CPUs a sum over examples is a product with this many equal rows: of one row
# XLA makes a loop, as of a sum, on one core and against the order of memory.
_ROWS = 4


class LayerNorm(tf.keras.layers.Layer):
  """y = f(s (x - mean(x)) / sqrt(variance(x) + epsilon) + o), in float32.

  LayerNorm (arXiv 1607.06450) over the last axis of inputs of any rank; s and o
  are learned, from ones and zeros. f is the identity or SiLU.
  """

  def __init__(self, epsilon: float, silu: bool = False, **options: Any):
    """Creates the layer.

    Args:
      epsilon: Added to the variance.
      silu: Whether f is SiLU, f(a) = a sigmoid(a).
      **options: Of a Keras layer: `dtype`, `name`.
    """
    super().__init__(**options)
    self._epsilon, self._silu = epsilon, silu

  def build(self, input_shape: Any) -> None:
    """Creates scale and offset, float32 [U]."""
    self._scale, self._offset = (
        self.add_weight(
            name=name,
            shape=[input_shape[-1]],
            initializer=initial,
            experimental_autocast=False,
        )
        for name, initial in (('scale', 'ones'), ('offset', 'zeros'))
    )
    super().build(input_shape)

  def call(self, x: tf.Tensor) -> tf.Tensor:
    """Returns [..., U] in the dtype of x, [..., U]."""
    normalized = tf.custom_gradient(
        lambda x, scale, offset: _normalized(
            x, scale, offset, self._epsilon, self._silu
        )
    )
    scale, offset = map(tf.convert_to_tensor, (self._scale, self._offset))
    return normalized(x, scale, offset)


class RMSNorm(tf.keras.layers.Layer):
  """y = f(s x / sqrt(mean(x^2) + epsilon)) over the last axis, in float32.

  RMSNorm (arXiv 1910.07467): LayerNorm without a mean to take off and without
  an offset. s is learned, from ones; f is the identity or SiLU.
  """

  def __init__(self, epsilon: float, silu: bool = False, **options: Any):
    """Creates the layer; the arguments are those of `LayerNorm`."""
    super().__init__(**options)
    self._epsilon, self._silu = epsilon, silu

  def build(self, input_shape: Any) -> None:
    """Creates the scale, float32 [U]."""
    self._scale = self.add_weight(
        name='scale',
        shape=[input_shape[-1]],
        initializer='ones',
        experimental_autocast=False,
    )
    super().build(input_shape)

  def call(self, x: tf.Tensor) -> tf.Tensor:
    """Returns [..., U] in the dtype of x, [..., U]."""
    wide = tf.cast(x, tf.float32)
    mean_square = tf.reduce_mean(tf.square(wide), -1, keepdims=True)
    y = wide * (tf.math.rsqrt(mean_square + self._epsilon) * self._scale)
    return tf.cast(tf.nn.silu(y) if self._silu else y, x.dtype)


def _normalized(
    x: tf.Tensor,
    scale: tf.Tensor,
    offset: tf.Tensor,
    epsilon: float,
    silu: bool,
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
  """Returns what `LayerNorm` does of [..., U], and the gradient of that.

  With p = 1 / sqrt(variance + epsilon), n = (x - mean) p, a = s n + o, y = f(a)
  it is

    d a = f'(a) d y
    d s = sum over examples of n d a,   d o = sum over examples of d a
    d n = s d a
    d x = p (d n - mean(d n) - n mean(n d n))

  Args:
    x: Floating [..., U].
    scale: s, float32 [U].
    offset: o, float32 [U].
    epsilon: As in `LayerNorm`.
    silu: As in `LayerNorm`.
  """
  wide = tf.cast(x, tf.float32)
  mean = tf.reduce_mean(wide, -1, keepdims=True)
  if devices.target() is devices.Device.CPU:
    variance = tf.reduce_mean(tf.square(wide - mean), -1, keepdims=True)
  else:  # In the pass that makes x, where the one above is a pass after it.
    square = tf.reduce_mean(tf.square(wide), -1, keepdims=True)
    variance = tf.maximum(square - tf.square(mean), 0.0)
  precision = tf.math.rsqrt(variance + epsilon)

  def normal() -> tf.Tensor:
    return (tf.cast(x, tf.float32) - mean) * precision

  def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
    n, da = normal(), tf.cast(upstream, tf.float32)
    if silu:
      a = n * scale + offset
      s = tf.sigmoid(a)
      da *= s * (1 + a * (1 - s))
    dn = da * scale
    dx = precision * (
        dn
        - tf.reduce_mean(dn, -1, keepdims=True)
        - n * tf.reduce_mean(dn * n, -1, keepdims=True)
    )
    return tf.cast(dx, x.dtype), _over_examples(da * n), _over_examples(da)

  y = normal() * scale + offset
  if silu:
    y = tf.nn.silu(y)
  return tf.cast(y, x.dtype), gradient


def _over_examples(x: tf.Tensor) -> tf.Tensor:
  """Returns the sum over all axes but the last: [..., U] to [U]."""
  if devices.target() is devices.Device.CPU:
    flat = tf.reshape(x, [-1, x.shape[-1]])
    return tf.matmul(tf.ones([_ROWS, tf.shape(flat)[0]]), flat)[0]
  return tf.reduce_sum(x, axis=list(range(x.shape.rank - 1)))
