"""The S3M of R2I: dense, a stack of state-space layers, a projection.

arXiv 2403.04253, section 3.1. The memory is the state x_t of all layers as one
vector: real before imaginary parts, layer by layer. A policy may see all of it.
"""

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
    self._state_shape = [s3m.layers, 2, s3m.state_size]
    self.output_size = config.output_size
    self.hidden_size = math.prod(self._state_shape)
    self.memory_spec = tf.TensorSpec([self.hidden_size], tf.float32, 'memory')
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
        discretization=s3m.discretization,
        min_step=s3m.min_step,
        max_step=s3m.max_step,
        learned_initial_state=config.learned_initial_state,
        rematerialize=s3m.rematerialize,
        dtype=options.dtype,
        name='stack',
    )
    self._stack.build([None, config.width])
    self._output = networks.MLP(
        agent_config.MLPConfig(1, config.output_size), options
    )

  def initial(self, batch_size: Any) -> tf.Tensor:
    """Returns float32 [B, layers * 2 * P]."""
    return self._flat(self._stack.initial_state(batch_size))

  def hidden(self, memory: tf.Tensor) -> tf.Tensor:
    """Returns all of the memory, which is x_t."""
    return memory

  def prepare(self) -> tuple[ssm.DiscretizedSSM, ...]:
    """Returns the discretised parameters of all layers."""
    return self._stack.discretize()

  def step(
      self,
      inputs: tf.Tensor,
      memory: tf.Tensor,
      is_first: tf.Tensor,
      prepared: Any = None,
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """See `SequenceModel.step`."""
    u = self._stack_input(inputs, is_first)
    y, state = self._stack.step(u, self._state(memory), is_first, prepared)
    return tf.cast(self._output(y), tf.float32), self._flat(state)

  def call(
      self, inputs: tf.Tensor, memory: tf.Tensor, is_first: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """See `SequenceModel.call`."""
    u = self._stack_input(inputs, is_first)
    y, states = self._stack(u, self._state(memory), is_first)
    return tf.cast(self._output(y), tf.float32), self._flat(states)

  def parameter_groups(self) -> Sequence[networks.ParameterGroup]:
    """Returns the state-space parameters of all layers, without decay."""
    variables = tuple(self._stack.ssm_variables)
    return [networks.ParameterGroup('ssm', variables, self._learning_rate, 0.0)]

  def _state(self, memory: tf.Tensor) -> tf.Tensor:
    return tf.reshape(memory, [-1, *self._state_shape])

  def _flat(self, state: tf.Tensor) -> tf.Tensor:
    return networks.with_batch_of(state, 3, state, [self.hidden_size])

  def _stack_input(self, inputs: tf.Tensor, is_first: tf.Tensor) -> tf.Tensor:
    u = self._input(inputs)
    first = tf.cast(self._first_input, u.dtype)
    return tf.where(is_first[..., tf.newaxis], first, u)
