"""One S3M layer: a state-space layer with what a network needs around it.

Each S3M layer is a state-space layer (one of `kinds`) with a gate, a residual
connection and a LayerNorm around it (R2I, arXiv 2403.04253, and S5, arXiv
2208.04933). Where the norm stands after it:

  s = GELU(SSM(u))
  y = LayerNorm(u + (W s + b) * sigmoid(V s + c))

and where it stands before, in the residual branch:

  s = GELU(SSM(LayerNorm(u)))
  y = u + (W s + b) * sigmoid(V s + c)

Between `kinds`, which have the state-space models, and `stack`.
"""

from typing import Optional

import tensorflow as tf

from r2i_tf import norms
from r2i_tf import rematerialization
from r2i_tf.ssm import kinds
from r2i_tf.ssm import options


class S3MLayer(tf.keras.layers.Layer):
  """A state-space layer, GELU, a gated dense layer, residual, LayerNorm.

  Attributes:
    ssm: The state-space layer.
    out: The dense layer whose output is gated.
    out2: The dense layer of the gate.
    norm: The LayerNorm.
  """

  def __init__(
      self,
      ssm: kinds.StateSpaceLayer,
      width: int,
      rematerialize: bool = False,
      norm: options.NormPosition = options.NormPosition.POST,
      dtype: Optional[kinds.DType] = None,
      name: Optional[str] = None,
  ):
    """Creates the layer.

    Args:
      ssm: The state-space layer, of the same width.
      width: H.
      rematerialize: Whether a backward pass keeps only inputs and states of a
        sequence and computes again the values between them and the outputs;
        the scan, the costly part, is not run again.
      norm: Where the LayerNorm stands.
      dtype: Keras dtype or policy; None for the global one.
      name: Name of the layer.
    """
    super().__init__(name=name, dtype=dtype)
    self.ssm = ssm
    self._rematerialize = rematerialize
    self._is_pre_norm = norm is options.NormPosition.PRE
    self.out = tf.keras.layers.Dense(width, dtype=dtype, name='out')
    self.out2 = tf.keras.layers.Dense(width, dtype=dtype, name='out2')
    self.norm = norms.LayerNorm(1e-6, dtype=dtype, name='norm')

  def build(self, input_shape: kinds.Shape) -> None:
    """Creates the variables; `input_shape` is any shape that ends in H."""
    flat_shape = [None, tf.TensorShape(input_shape)[-1]]
    for layer in (self.ssm, self.out, self.out2, self.norm):
      with tf.name_scope(layer.name):
        layer.build(flat_shape)
    super().build(input_shape)

  def call(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: Optional[tf.Tensor] = None,
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """As `StateSpaceLayer.call`: [B, L, H] to y [B, L, H], x [B, L, K, P]."""
    discretized = self.ssm.discretize()
    x = self.ssm.states(self._branch(u), carry, is_reset, discretized)

    def mix(
        u: tf.Tensor, x: tf.Tensor, projection: tf.Tensor, skip: tf.Tensor
    ) -> tf.Tensor:
      given = discretized._replace(output_projection=projection, skip=skip)
      return self._mix(u, self.ssm.outputs(self._branch(u), x, given))

    if self._rematerialize:
      mix = rematerialization.rematerialized(mix)
    return mix(u, x, discretized.output_projection, discretized.skip), x

  def step(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: tf.Tensor,
      discretized: Optional[kinds.Discretized] = None,
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """As `StateSpaceLayer.step`: [B, H] to y [B, H], x [B, K, P]."""
    y, x = self.ssm.step(self._branch(u), carry, is_reset, discretized)
    return self._mix(u, y), x

  def _branch(self, u: tf.Tensor) -> tf.Tensor:
    """What the state-space layer sees of [..., H]."""
    return self._normalized(u) if self._is_pre_norm else u

  def _normalized(self, u: tf.Tensor) -> tf.Tensor:
    flat = tf.cast(tf.reshape(u, [-1, u.shape[-1]]), self.compute_dtype)
    return tf.reshape(self.norm(flat), [-1] + list(u.shape[1:]))

  def _mix(self, u: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    width = u.shape[-1]
    flat_u = tf.cast(tf.reshape(u, [-1, width]), self.compute_dtype)
    flat_y = tf.cast(tf.reshape(y, [-1, width]), self.compute_dtype)
    flat_y = tf.nn.gelu(flat_y, approximate=True)
    mixed = flat_u + self.out(flat_y) * tf.sigmoid(self.out2(flat_y))
    if not self._is_pre_norm:
      mixed = self.norm(mixed)
    return tf.reshape(mixed, [-1] + list(u.shape[1:]))
