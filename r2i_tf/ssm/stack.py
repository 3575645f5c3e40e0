"""A stack of state-space layers: the sequence core of a network.

Each S3M layer is a `DiagonalSSM` with a gate, a residual connection and a
LayerNorm around it (R2I, arXiv 2403.04253, and S5, arXiv 2208.04933):

  s = GELU(SSM(u))
  y = LayerNorm(u + (W s + b) * sigmoid(V s + c))

`S3MStack` runs them one after the other, over a sequence or one step at a
time, and carries one state for all.
"""

from typing import Optional, Union

import tensorflow as tf

from r2i_tf.ssm import layer as layer_lib
from r2i_tf.ssm import options
from r2i_tf.ssm import rematerialization


class S3MLayer(tf.keras.layers.Layer):
  """A `DiagonalSSM`, GELU, a gated dense layer, residual, LayerNorm.

  Attributes:
    ssm: The `DiagonalSSM`.
    out: The dense layer whose output is gated.
    out2: The dense layer of the gate.
    norm: The LayerNorm.
  """

  def __init__(
      self,
      ssm: layer_lib.DiagonalSSM,
      width: int,
      rematerialize: bool = False,
      dtype: Optional[layer_lib.DType] = None,
      name: Optional[str] = None,
  ):
    """Creates the layer.

    Args:
      ssm: The state-space layer, of the same width.
      width: H.
      rematerialize: Whether a backward pass keeps only inputs and states of a
        sequence and computes again the values between them and the outputs;
        the scan, the costly part, is not run again.
      dtype: Keras dtype or policy; None for the global one.
      name: Name of the layer.
    """
    super().__init__(name=name, dtype=dtype)
    self.ssm = ssm
    self._rematerialize = rematerialize
    self.out = tf.keras.layers.Dense(width, dtype=dtype, name='out')
    self.out2 = tf.keras.layers.Dense(width, dtype=dtype, name='out2')
    self.norm = tf.keras.layers.LayerNormalization(
        epsilon=1e-6, dtype=dtype, name='norm'
    )

  def build(self, input_shape: layer_lib.Shape) -> None:
    """Creates the variables; `input_shape` is any shape that ends in H."""
    # LayerNormalization keeps the rank it was built for, and this one serves
    # sequences and single steps: it is only ever given rank 2.
    flat_shape = [None, tf.TensorShape(input_shape)[-1]]
    for layer in (self.ssm, self.out, self.out2, self.norm):
      with tf.name_scope(layer.name):
        layer.build(flat_shape)
    super().build(input_shape)

  def call(
      self, u: tf.Tensor, carry: tf.Tensor, is_reset: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """As `DiagonalSSM.call`: [B, L, H] to y [B, L, H], x [B, L, 2, P]."""
    discretized = self.ssm.discretize()
    x = self.ssm.states(u, carry, is_reset, discretized)

    def mix(
        u: tf.Tensor, x: tf.Tensor, projection: tf.Tensor, skip: tf.Tensor
    ) -> tf.Tensor:
      given = discretized._replace(output_projection=projection, skip=skip)
      return self._mix(u, self.ssm.outputs(u, x, given))

    if self._rematerialize:
      mix = rematerialization.rematerialized(mix)
    return mix(u, x, discretized.output_projection, discretized.skip), x

  def step(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: tf.Tensor,
      discretized: Optional[layer_lib.DiscretizedSSM] = None,
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """As `DiagonalSSM.step`: [B, H] to y [B, H], x [B, 2, P]."""
    y, x = self.ssm.step(u, carry, is_reset, discretized)
    return self._mix(u, y), x

  def _mix(self, u: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    width = u.shape[-1]
    flat_u = tf.cast(tf.reshape(u, [-1, width]), self.compute_dtype)
    flat_y = tf.cast(tf.reshape(y, [-1, width]), self.compute_dtype)
    flat_y = tf.nn.gelu(flat_y, approximate=True)
    gated = self.out(flat_y) * tf.sigmoid(self.out2(flat_y))
    return tf.reshape(self.norm(flat_u + gated), [-1] + list(u.shape[1:]))


class S3MStack(tf.keras.layers.Layer):
  """S3M layers one after the other, with one state [B, layers, 2, P].

  The states are float32; the outputs have the compute dtype of the policy.
  """

  def __init__(
      self,
      layers: int,
      width: int,
      state_size: int,
      blocks: int,
      discretization: options.Discretization = (
          options.Discretization.BILINEAR
      ),
      min_step: float = 0.001,
      max_step: float = 0.1,
      conjugate_symmetry: bool = False,
      eigenvalue_clip: Optional[float] = None,
      learned_initial_state: bool = True,
      rematerialize: bool = False,
      dtype: Optional[layer_lib.DType] = None,
      name: Optional[str] = None,
  ):
    """Creates the stack; variables come with `build`.

    Args:
      layers: How many layers, at least 1.
      width: H, of the inputs, the outputs and everything between layers.
      state_size: P, the number of complex state channels a layer.
      blocks: How many HiPPO blocks a layer's state starts as.
      discretization: See `DiagonalSSM`.
      min_step: See `DiagonalSSM`.
      max_step: See `DiagonalSSM`.
      conjugate_symmetry: See `DiagonalSSM`.
      eigenvalue_clip: See `DiagonalSSM`.
      learned_initial_state: See `DiagonalSSM`.
      rematerialize: See `S3MLayer`.
      dtype: Keras dtype or policy of the matrix products and the layers
        between; None for the global one.
      name: Name of the stack.

    Raises:
      ValueError: An argument is not as above.
    """
    super().__init__(name=name, dtype=dtype)
    if layers < 1:
      raise ValueError(f'layers is {layers}; it must be at least 1.')
    self._state_size = state_size
    self._width = width
    self.layers = [
        S3MLayer(
            layer_lib.DiagonalSSM(
                width,
                state_size,
                blocks,
                discretization=discretization,
                min_step=min_step,
                max_step=max_step,
                conjugate_symmetry=conjugate_symmetry,
                eigenvalue_clip=eigenvalue_clip,
                learned_initial_state=learned_initial_state,
                dtype=dtype,
                name='ssm',
            ),
            width,
            rematerialize=rematerialize,
            dtype=dtype,
            name=f'layer_{index}',
        )
        for index in range(layers)
    ]

  def build(self, input_shape: layer_lib.Shape) -> None:
    """Creates the variables; `input_shape` is any shape that ends in H."""
    for layer in self.layers:
      with tf.name_scope(layer.name):
        layer.build(input_shape)
    super().build(input_shape)

  @property
  def ssm_variables(self) -> list[tf.Variable]:
    """The state-space variables of all layers; see `DiagonalSSM`."""
    return [v for layer in self.layers for v in layer.ssm.ssm_variables]

  def initial_state(self, batch_size: Union[int, tf.Tensor]) -> tf.Tensor:
    """The state after a reset, float32 [batch_size, layers, 2, P].

    Args:
      batch_size: An int or an int32 scalar tensor.
    """
    state = tf.stack([layer.ssm.initial_state for layer in self.layers])
    return tf.tile(state[tf.newaxis], [batch_size, 1, 1, 1])

  def discretize(self) -> tuple[layer_lib.DiscretizedSSM, ...]:
    """Returns the arrays that `step` reads, to be made once before a loop."""
    return tuple(layer.ssm.discretize() for layer in self.layers)

  def call(
      self, u: tf.Tensor, carry: tf.Tensor, is_reset: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs the stack over a sequence.

    Args:
      u: Floating [B, L, H], the inputs.
      carry: float32 [B, layers, 2, P], the states before step 0.
      is_reset: bool [B, L], True where the states are replaced by the initial
        ones before the step.

    Returns:
      The outputs y, [B, L, H], and the states x, float32 [B, L, layers, 2, P].

    Raises:
      ValueError: A shape or a dtype is not as above.
    """
    y, states = u, []
    for layer, state in zip(self.layers, self._split(carry)):
      y, x = layer(y, state, is_reset)
      states.append(x)
    return y, self._join(states)

  def step(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: tf.Tensor,
      discretized: Optional[tuple[layer_lib.DiscretizedSSM, ...]] = None,
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs the stack for one step; agrees with `call`.

    Args:
      u: Floating [B, H], the input.
      carry: float32 [B, layers, 2, P], the states before the step.
      is_reset: bool [B], True where the states are replaced by the initial
        ones before the step.
      discretized: As `discretize` returned it; None computes it here. Give it
        where the step is inside a loop.

    Returns:
      The output y, [B, H], and the states x, float32 [B, layers, 2, P].

    Raises:
      ValueError: A shape or a dtype is not as above.
    """
    if discretized is None:
      discretized = self.discretize()
    y, states = u, []
    for layer, state, given in zip(
        self.layers, self._split(carry), discretized
    ):
      y, x = layer.step(y, state, is_reset, given)
      states.append(x)
    return y, self._join(states)

  # States are taken apart and put together as vectors, [..., layers * 2 * P]:
  # where the caller has them as vectors too, nothing is moved for the axes.

  def _split(self, carry: tf.Tensor) -> list[tf.Tensor]:
    """[B, layers, 2, P] as one [B, 2, P] for each layer."""
    carry = self._validated(carry)
    size = 2 * self._state_size
    flat = tf.reshape(carry, [-1, len(self.layers) * size])
    return [
        tf.reshape(state, [-1, 2, self._state_size])
        for state in tf.split(flat, len(self.layers), -1)
    ]

  def _join(self, states: list[tf.Tensor]) -> tf.Tensor:
    """[..., 2, P] of each layer as [..., layers, 2, P]."""
    outer = tf.shape(states[0])[:-2]
    size = 2 * self._state_size
    flat = tf.concat(
        [tf.reshape(x, tf.concat([outer, [size]], 0)) for x in states], -1
    )
    shape = [len(self.layers), 2, self._state_size]
    joined = tf.reshape(flat, tf.concat([outer, shape], 0))
    joined.set_shape(states[0].shape[:-2] + shape)
    return joined

  def _validated(self, carry: tf.Tensor) -> tf.Tensor:
    carry = tf.convert_to_tensor(carry)
    expected = [None, len(self.layers), 2, self._state_size]
    if not carry.shape.is_compatible_with(expected):
      raise ValueError(
          f'carry has shape {carry.shape}; it must be'
          f' {tf.TensorShape(expected)}.'
      )
    return carry
