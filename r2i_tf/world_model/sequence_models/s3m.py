"""The S3M of R2I: dense, a stack of state-space layers, a projection.

arXiv 2403.04253, section 3.1. The memory is the state x_t of all layers as one
vector: real before imaginary parts, layer by layer. A policy may see all of it.
With attention between the layers the memory is that vector, `state`, and the
cache of the last steps, which no policy sees: `keys`, `values` and `length`.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import math
from typing import Any

import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf import networks
from r2i_tf import ssm
from r2i_tf.world_model.sequence_models import interface


class S3MSequenceModel(interface.SequenceModel):
  """Parallel over time in training, one step at a time else."""

  def __init__(
      self,
      config: agent_config.SequenceModelConfig,
      options: networks.LayerOptions,
  ):
    """Creates the sequence model.

    Args:
      config: Its sizes.
      options: Of the layers outside of the recurrence.
    """
    super().__init__(name='s3m', dtype=options.dtype)
    s3m = config.s3m
    self._learning_rate = s3m.learning_rate
    self._resets_within = s3m.computation is ssm.Computation.SCAN
    self.output_size = config.output_size
    self._input = networks.MLP(agent_config.MLPConfig(1, config.width), options)
    # The input of the stack at a first step, where inputs are zeros. They would
    # stay zeros through the whole stack of a new model, and a LayerNorm of
    # zeros multiplies gradients by 1 / sqrt(epsilon): a thousand a layer. It
    # starts small, to hide little of the first observation.
    self._first_input = self.add_weight(
        name='first_input',
        shape=[config.width],
        initializer=tf.keras.initializers.RandomNormal(stddev=0.1),
    )
    self._stack = ssm.S3MStack(
        layers=s3m.layers,
        width=config.width,
        state_size=s3m.state_size,
        blocks=s3m.blocks,
        kind=s3m.kind,
        discretization=s3m.discretization,
        computation=s3m.computation,
        min_step=s3m.min_step,
        max_step=s3m.max_step,
        conjugate_symmetry=s3m.conjugate_symmetry,
        eigenvalue_clip=s3m.eigenvalue_clip,
        learned_initial_state=config.learned_initial_state,
        norm=s3m.norm,
        attention_window=s3m.attention_window,
        attention_heads=s3m.attention_heads,
        rematerialize=s3m.rematerialize,
        dtype=options.dtype,
        name='stack',
    )
    self._stack.build([None, config.width])
    self._output = networks.MLP(
        agent_config.MLPConfig(1, config.output_size), options
    )
    self.hidden_size = math.prod(self._stack.state_shape)
    self.memory_spec = tf.TensorSpec([self.hidden_size], tf.float32, 'memory')
    if s3m.attention_window is not None:
      cached = [s3m.attention_window - 1, s3m.layers - 1, config.width]
      self.memory_spec = {
          'state': self.memory_spec,
          'keys': tf.TensorSpec(cached, tf.float32, 'keys'),
          'values': tf.TensorSpec(cached, tf.float32, 'values'),
          'length': tf.TensorSpec([1], tf.float32, 'length'),
      }

  def initial(self, batch_size: Any) -> interface.Memory:
    """Returns float32 [B, layers * 2 * P], or such a state and a cache."""
    return self._flat(self._stack.initial_state(batch_size))

  def hidden(self, memory: interface.Memory) -> tf.Tensor:
    """Returns the states of all layers, which are x_t."""
    return memory['state'] if isinstance(memory, Mapping) else memory

  def prepare(self) -> tuple[Any, ...]:
    """Returns the discretised parameters of all layers."""
    return self._stack.discretize()

  def step(
      self,
      inputs: tf.Tensor,
      memory: interface.Memory,
      is_first: tf.Tensor,
      prepared: Any = None,
  ) -> tuple[tf.Tensor, interface.Memory]:
    """See `SequenceModel.step`."""
    u = self._stack_input(inputs, is_first)
    y, state = self._stack.step(u, self._state(memory), is_first, prepared)
    return tf.cast(self._output(y), tf.float32), self._flat(state)

  def call(
      self, inputs: tf.Tensor, memory: interface.Memory, is_first: tf.Tensor
  ) -> tuple[tf.Tensor, interface.Memory]:
    """See `SequenceModel.call`; a convolution resets at step 0 at most."""
    u = self._stack_input(inputs, is_first)
    if self._resets_within:
      y, states = self._stack(u, self._state(memory), is_first)
    else:
      memory = self._reset(memory, is_first[:, 0])
      y, states = self._stack(u, self._state(memory))
    return tf.cast(self._output(y), tf.float32), self._flat(states)

  def moduli(self) -> Sequence[tf.Tensor]:
    """Returns |lambda_bar| of the layers that have one a channel."""
    found = [layer.ssm.moduli() for layer in self._stack.layers]
    return [moduli for moduli in found if moduli is not None]

  def parameter_groups(self) -> Sequence[networks.ParameterGroup]:
    """Returns the state-space parameters of all layers, without decay."""
    variables = tuple(self._stack.ssm_variables)
    return [networks.ParameterGroup('ssm', variables, self._learning_rate, 0.0)]

  def _reset(
      self, memory: interface.Memory, is_reset: tf.Tensor
  ) -> interface.Memory:
    """Returns the initial memory where bool [B] holds."""

    def select(new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
      axes = (tf.newaxis,) * (old.shape.rank - 1)
      return tf.where(is_reset[(..., *axes)], new, old)

    return tf.nest.map_structure(select, self.initial(1), memory)

  def _state(self, memory: interface.Memory) -> Any:
    """What the stack carries, of a memory [B]."""
    state = tf.reshape(self.hidden(memory), [-1, *self._stack.state_shape])
    if not isinstance(memory, Mapping):
      return state
    cache = ssm.Cache(memory['keys'], memory['values'], memory['length'])
    return ssm.StackState(state, cache)

  def _flat(self, carried: Any) -> interface.Memory:
    """The memory, of what the stack carries."""
    if isinstance(carried, ssm.StackState):
      state, cache = carried
      return {'state': self._flat(state), **cache._asdict()}
    return networks.with_batch_of(carried, 3, carried, [self.hidden_size])

  def _stack_input(self, inputs: tf.Tensor, is_first: tf.Tensor) -> tf.Tensor:
    u = self._input(inputs)
    first = tf.cast(self._first_input, u.dtype)
    return tf.where(is_first[..., tf.newaxis], first, u)
