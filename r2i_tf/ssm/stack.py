"""A stack of state-space layers: the sequence core of a network.

`S3MStack` runs S3M layers (`layer`) one after the other, over a sequence or one
step at a time, and carries one state for all; with attention between them
(`attention`), its cache as well.
"""

import math
from typing import NamedTuple, Optional, Union

import tensorflow as tf

from r2i_tf.ssm import attention as attention_lib
from r2i_tf.ssm import kinds
from r2i_tf.ssm import layer as layer_lib
from r2i_tf.ssm import options


class StackState(NamedTuple):
  """What a stack with attention carries.

  Attributes:
    state: float32 [..., layers, K, P], the states of all layers.
    cache: Of the attention after each layer but the last.
  """

  state: tf.Tensor
  cache: attention_lib.Cache


# What a stack carries: the states of all layers, and a cache if it has any.
Carry = Union[tf.Tensor, StackState]


class S3MStack(tf.keras.layers.Layer):
  """S3M layers one after the other, with one state [B, layers, K, P].

  K is 2, real and imaginary part, or 1 where states are real; P is the state
  size, times the width where each channel has a state. The states are float32;
  the outputs have the compute dtype of the policy.

  Attributes:
    layers: The S3M layers.
    attention: The attention after each of them but the last, or none.
    state_shape: [layers, K, P], of the states of one sequence.
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
      kind: options.StateSpaceKind = options.StateSpaceKind.MIMO,
      computation: options.Computation = options.Computation.SCAN,
      norm: options.NormPosition = options.NormPosition.POST,
      attention_window: Optional[int] = None,
      attention_heads: int = 4,
      dtype: Optional[kinds.DType] = None,
      name: Optional[str] = None,
  ):
    """Creates the stack; variables come with `build`.

    Args:
      layers: How many layers, at least 1.
      width: H, of the inputs, the outputs and everything between layers.
      state_size: The number of state channels a layer; of each of its H
        channels, but for the kind mimo.
      blocks: How many HiPPO blocks a layer's state starts as; of the kind mimo.
      discretization: See `DiagonalSSM`.
      min_step: See `DiagonalSSM`.
      max_step: See `DiagonalSSM`.
      conjugate_symmetry: See `DiagonalSSM`.
      eigenvalue_clip: See `DiagonalSSM`.
      learned_initial_state: See `DiagonalSSM`.
      rematerialize: See `S3MLayer`.
      kind: Which state-space model the layers run.
      computation: How the states of a sequence are computed.
      norm: Where the LayerNorm of a layer stands.
      attention_window: How many steps the attention after each layer but the
        last sees, the present one included; None for no attention.
      attention_heads: How many heads it has; they divide the width.
      dtype: Keras dtype or policy of the matrix products and the layers
        between; None for the global one.
      name: Name of the stack.

    Raises:
      ValueError: An argument is not as above.
    """
    super().__init__(name=name, dtype=dtype)
    if layers < 1:
      raise ValueError(f'layers is {layers}; it must be at least 1.')
    if attention_window is not None and layers < 2:
      raise ValueError(
          f'layers is {layers}, but attention stands between layers: give at'
          ' least 2, or attention_window=None.'
      )
    self._width = width
    self._window = attention_window
    self.layers = [
        layer_lib.S3MLayer(
            kinds.create(
                kind,
                width,
                state_size,
                blocks=blocks,
                discretization=discretization,
                min_step=min_step,
                max_step=max_step,
                conjugate_symmetry=conjugate_symmetry,
                eigenvalue_clip=eigenvalue_clip,
                learned_initial_state=learned_initial_state,
                computation=computation,
                dtype=dtype,
                name='ssm',
            ),
            width,
            rematerialize=rematerialize,
            norm=norm,
            dtype=dtype,
            name=f'layer_{index}',
        )
        for index in range(layers)
    ]
    self.attention = []
    if attention_window is not None:
      self.attention = [
          attention_lib.LocalAttention(
              width,
              attention_window,
              attention_heads,
              dtype=dtype,
              name=f'attention_{index}',
          )
          for index in range(layers - 1)
      ]
    self.state_shape = (layers, *self.layers[0].ssm.state_shape)

  def build(self, input_shape: kinds.Shape) -> None:
    """Creates the variables; `input_shape` is any shape that ends in H."""
    parts: list[tf.keras.layers.Layer] = [*self.layers, *self.attention]
    for layer in parts:
      with tf.name_scope(layer.name):
        layer.build(input_shape)
    super().build(input_shape)

  @property
  def ssm_variables(self) -> list[tf.Variable]:
    """The state-space variables of all layers; see `StateSpaceLayer`."""
    return [v for layer in self.layers for v in layer.ssm.ssm_variables]

  def initial_state(self, batch_size: Union[int, tf.Tensor]) -> Carry:
    """The state after a reset, float32 [batch_size, layers, K, P].

    With attention a `StackState` of that and an empty cache.

    Args:
      batch_size: An int or an int32 scalar tensor.
    """
    state = tf.stack([layer.ssm.initial_state for layer in self.layers])
    state = tf.tile(state[tf.newaxis], [batch_size, 1, 1, 1])
    if self._window is None:
      return state
    cache = attention_lib.empty_cache(
        batch_size, self._window, len(self.attention), self._width
    )
    return StackState(state, cache)

  def discretize(self) -> tuple[kinds.Discretized, ...]:
    """Returns the arrays that `step` reads, to be made once before a loop."""
    return tuple(layer.ssm.discretize() for layer in self.layers)

  def call(
      self, u: tf.Tensor, carry: Carry, is_reset: Optional[tf.Tensor] = None
  ) -> tuple[tf.Tensor, Carry]:
    """Runs the stack over a sequence.

    Args:
      u: Floating [B, L, H], the inputs.
      carry: float32 [B, layers, K, P], the states before step 0; with attention
        a `StackState`.
      is_reset: bool [B, L], True where the states are replaced by the initial
        ones before the step; None for nowhere, which is all that a convolution
        takes.

    Returns:
      The outputs y, [B, L, H], and the states x, float32 [B, L, layers, K, P];
      with attention a `StackState` of batch axes [B, L].

    Raises:
      ValueError: A shape or a dtype is not as above.
    """
    state, cache = self._opened(carry)
    # A convolution wants to know that there are none, attention where.
    resets = kinds.never(u) if is_reset is None else is_reset
    y, states, keys, values = u, [], [], []
    for index, (layer, before) in enumerate(
        zip(self.layers, self._split(state))
    ):
      y, x = layer(y, before, is_reset)
      states.append(x)
      if cache is not None and index < len(self.attention):
        y, key, value = self.attention[index](y, cache.of_layer(index), resets)
        keys.append(key)
        values.append(value)
    states = self._join(states)
    if cache is None:
      return y, states
    cache = attention_lib.caches_after(
        cache.length, tf.stack(keys, 2), tf.stack(values, 2), resets
    )
    return y, StackState(states, cache)

  def step(
      self,
      u: tf.Tensor,
      carry: Carry,
      is_reset: tf.Tensor,
      discretized: Optional[tuple[kinds.Discretized, ...]] = None,
  ) -> tuple[tf.Tensor, Carry]:
    """Runs the stack for one step; agrees with `call`.

    Args:
      u: Floating [B, H], the input.
      carry: float32 [B, layers, K, P], the states before the step; with
        attention a `StackState`.
      is_reset: bool [B], True where the states are replaced by the initial
        ones before the step.
      discretized: As `discretize` returned it; None has each layer make what it
        needs. Give it where the step is inside a loop.

    Returns:
      The output y, [B, H], and the states x, float32 [B, layers, K, P]; with
      attention a `StackState`.

    Raises:
      ValueError: A shape or a dtype is not as above.
    """
    state, cache = self._opened(carry)
    y, states, keys, values = u, [], [], []
    for index, (layer, before, given) in enumerate(
        zip(
            self.layers,
            self._split(state),
            discretized or [None] * len(self.layers),
        )
    ):
      y, x = layer.step(y, before, is_reset, given)
      states.append(x)
      if cache is not None and index < len(self.attention):
        y, key, value = self.attention[index].step(
            y, cache.of_layer(index), is_reset
        )
        keys.append(key)
        values.append(value)
    states = self._join(states)
    if cache is None:
      return y, states
    cache = attention_lib.cache_after(
        cache, tf.stack(keys, 1), tf.stack(values, 1), is_reset
    )
    return y, StackState(states, cache)

  def _opened(
      self, carry: Carry
  ) -> tuple[tf.Tensor, Optional[attention_lib.Cache]]:
    return tuple(carry) if self.attention else (carry, None)

  # States are taken apart and put together as vectors, [..., layers * K * P]:
  # where the caller has them as vectors too, nothing is moved for the axes.

  def _split(self, carry: tf.Tensor) -> list[tf.Tensor]:
    """[B, layers, K, P] as one [B, K, P] for each layer."""
    carry = self._validated(carry)
    flat = tf.reshape(carry, [-1, math.prod(self.state_shape)])
    return [
        tf.reshape(state, [-1, *self.state_shape[1:]])
        for state in tf.split(flat, len(self.layers), -1)
    ]

  def _join(self, states: list[tf.Tensor]) -> tf.Tensor:
    """[..., K, P] of each layer as [..., layers, K, P]."""
    outer = tf.shape(states[0])[:-2]
    size = math.prod(self.state_shape[1:])
    flat = tf.concat(
        [tf.reshape(x, tf.concat([outer, [size]], 0)) for x in states], -1
    )
    joined = tf.reshape(flat, tf.concat([outer, self.state_shape], 0))
    joined.set_shape(states[0].shape[:-2] + self.state_shape)
    return joined

  def _validated(self, carry: tf.Tensor) -> tf.Tensor:
    carry = tf.convert_to_tensor(carry)
    expected = [None, *self.state_shape]
    if not carry.shape.is_compatible_with(expected):
      raise ValueError(
          f'carry has shape {carry.shape}; it must be'
          f' {tf.TensorShape(expected)}.'
      )
    return carry
