"""Sequence models: what carries the memory from step to step.

  h_t, x_t = f(x_(t-1), z_(t-1), a_(t-1))

Two forms that agree: over a whole sequence (training) and one step at a time
(acting, imagination). The interface is `SequenceModel`; the S3M of R2I and, as
a baseline, the GRU of DreamerV3 implement it.
"""

import math
from typing import Any, Tuple

import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf import networks
from r2i_tf import ssm


class SequenceModel(tf.keras.layers.Layer):
  """The interface of a sequence model.

  Attributes:
    hidden_size: S, the size of the hidden state x_t, a vector.
    ssm_variables: Variables that train at a rate of their own.
  """

  hidden_size: int = 0
  ssm_variables = ()

  def initial(self, batch_size) -> tf.Tensor:
    """Returns the hidden state after a reset, float32 [B, S]."""
    raise NotImplementedError

  def prepare(self) -> Any:
    """Returns what `step` needs and can be computed once before a loop."""
    return None

  def step(
      self,
      inputs: tf.Tensor,
      hidden: tf.Tensor,
      is_first: tf.Tensor,
      prepared: Any = None,
  ) -> Tuple[tf.Tensor, tf.Tensor]:
    """One step.

    Args:
      inputs: float32 [B, F], z_(t-1) and a_(t-1); zeros where `is_first`.
      hidden: float32 [B, S], x_(t-1).
      is_first: bool [B], where the hidden state is reset before the step.
      prepared: What `prepare` returned, or None.

    Returns:
      h_t, float32 [B, D], and x_t.
    """
    raise NotImplementedError

  def call(
      self, inputs: tf.Tensor, hidden: tf.Tensor, is_first: tf.Tensor
  ) -> Tuple[tf.Tensor, tf.Tensor]:
    """A whole sequence; every argument but `hidden` as for `step`, [B, T, ...].

    Returns:
      h, float32 [B, T, D], and x, float32 [B, T, S].
    """
    raise NotImplementedError


class S3MSequenceModel(SequenceModel):
  """R2I's: dense, a stack of state-space layers, a projection.

  The hidden state is that of all layers as one vector: real before imaginary
  parts, layer by layer.
  """

  def __init__(
      self, config: agent_config.SequenceModelConfig, dtype: networks.DType
  ):
    """Creates the sequence model.

    Args:
      config: Its sizes.
      dtype: Keras dtype or policy of the products outside of the recurrence.
    """
    super().__init__(name='s3m', dtype=dtype)
    self._state_shape = [config.s3m.layers, 2, config.s3m.state_size]
    self.hidden_size = math.prod(self._state_shape)
    self._input = networks.MLP(agent_config.MLPConfig(1, config.width), dtype)
    # What enters the stack at a first step, where inputs are zeros. They would
    # stay zeros through the whole stack of a new model, and a LayerNorm of
    # zeros multiplies gradients by 1 / sqrt(epsilon): a thousand a layer. It
    # starts small, to hide little of what is to be remembered.
    self._first_input = self.add_weight(
        name='first_input',
        shape=[config.width],
        initializer=tf.keras.initializers.RandomNormal(stddev=0.1),
    )
    self._stack = ssm.S3MStack(
        layers=config.s3m.layers,
        width=config.width,
        state_size=config.s3m.state_size,
        blocks=config.s3m.blocks,
        discretization=config.s3m.discretization,
        min_step=config.s3m.min_step,
        max_step=config.s3m.max_step,
        learned_initial_state=config.learned_initial_state,
        rematerialize=config.s3m.rematerialize,
        dtype=dtype,
        name='stack',
    )
    self._stack.build([None, config.width])
    self._output = networks.MLP(
        agent_config.MLPConfig(1, config.output_size), dtype
    )

  @property
  def ssm_variables(self):
    """The state-space parameters of all layers."""
    return self._stack.ssm_variables

  def initial(self, batch_size) -> tf.Tensor:
    """Returns float32 [B, layers * 2 * P]."""
    return self._flat(self._stack.initial_state(batch_size))

  def prepare(self):
    """Returns the discretised parameters of all layers."""
    return self._stack.discretize()

  def step(self, inputs, hidden, is_first, prepared=None):
    """See `SequenceModel.step`."""
    u = self._stack_input(inputs, is_first)
    y, state = self._stack.step(u, self._state(hidden), is_first, prepared)
    return tf.cast(self._output(y), tf.float32), self._flat(state)

  def call(self, inputs, hidden, is_first):
    """See `SequenceModel.call`."""
    u = self._stack_input(inputs, is_first)
    y, states = self._stack(u, self._state(hidden), is_first)
    return tf.cast(self._output(y), tf.float32), self._flat(states)

  def _state(self, hidden):
    return tf.reshape(hidden, [-1, *self._state_shape])

  def _flat(self, state):
    batch = state.shape[:-3]
    flat = tf.reshape(
        state, tf.concat([tf.shape(state)[:-3], [self.hidden_size]], 0)
    )
    flat.set_shape([*batch, self.hidden_size])
    return flat

  def _stack_input(self, inputs, is_first):
    u = self._input(inputs)
    first = tf.cast(self._first_input, u.dtype)
    return tf.where(is_first[..., tf.newaxis], first, u)


class GRUSequenceModel(SequenceModel):
  """DreamerV3's: a GRU with LayerNorm (arXiv 2301.04104), step after step.

  The hidden state is the output: x_t = h_t.
  """

  def __init__(
      self, config: agent_config.SequenceModelConfig, dtype: networks.DType
  ):
    """Creates the sequence model; only `width` and `output_size` matter."""
    super().__init__(name='gru', dtype=dtype)
    size = config.output_size
    self.hidden_size = size
    self._size = size
    self._input = networks.MLP(agent_config.MLPConfig(1, config.width), dtype)
    self._gates = tf.keras.layers.Dense(
        3 * size,
        use_bias=False,
        kernel_initializer=networks.kernel_initializer(),
        dtype=dtype,
    )
    self._norm = tf.keras.layers.LayerNormalization(epsilon=1e-3, dtype=dtype)
    self._learned = config.learned_initial_state
    if self._learned:
      self._initial = self.add_weight(
          name='initial_state',
          shape=[size],
          initializer='zeros',
          # The hidden state is float32, whatever the policy.
          experimental_autocast=False,
      )

  def initial(self, batch_size) -> tf.Tensor:
    """Returns float32 [B, D]."""
    if not self._learned:
      return tf.zeros([batch_size, self._size])
    return tf.tile(tf.tanh(self._initial)[tf.newaxis], [batch_size, 1])

  def step(self, inputs, hidden, is_first, prepared=None):
    """See `SequenceModel.step`."""
    hidden = self._step(self._input(inputs), hidden, is_first)
    return hidden, hidden

  def call(self, inputs, hidden, is_first):
    """See `SequenceModel.call`."""
    u = self._input(inputs)
    length = u.shape[1] if u.shape[1] is not None else tf.shape(u)[1]
    outputs = tf.TensorArray(tf.float32, size=length)

    def body(t, hidden, outputs):
      hidden = self._step(u[:, t], hidden, is_first[:, t])
      return t + 1, hidden, outputs.write(t, hidden)

    _, _, outputs = tf.while_loop(
        lambda t, *_: t < length,
        body,
        (0, hidden, outputs),
        maximum_iterations=length,
    )
    outputs = tf.transpose(outputs.stack(), [1, 0, 2])
    outputs = tf.ensure_shape(outputs, [*u.shape[:2], self._size])
    return outputs, outputs

  def _step(self, u, hidden, is_first):
    initial = self.initial(1)
    hidden = tf.where(is_first[:, tf.newaxis], initial, hidden)
    joint = tf.concat([tf.cast(hidden, u.dtype), u], -1)
    gates = tf.cast(self._norm(self._gates(joint)), tf.float32)
    reset, candidate, update = tf.split(gates, 3, -1)
    candidate = tf.tanh(tf.sigmoid(reset) * candidate)
    # The bias of -1 starts the cell as one that keeps what it has.
    update = tf.sigmoid(update - 1)
    return update * candidate + (1 - update) * hidden


def create(
    config: agent_config.SequenceModelConfig, dtype: networks.DType
) -> SequenceModel:
  """Returns the sequence model that `config.kind` names."""
  if config.kind is agent_config.SequenceModelKind.GRU:
    return GRUSequenceModel(config, dtype)
  return S3MSequenceModel(config, dtype)
