"""The GRU of DreamerV3 (arXiv 2301.04104), normalised, step after step.

The memory is the output: m_t = x_t = h_t.
"""

from typing import Any

import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf import networks
from r2i_tf.world_model import over_time
from r2i_tf.world_model.sequence_models import interface


class GRUSequenceModel(interface.SequenceModel):
  """A baseline: its sequence form takes as many steps as the sequence has."""

  def __init__(
      self,
      config: agent_config.SequenceModelConfig,
      options: networks.LayerOptions,
  ):
    """Creates the sequence model.

    Args:
      config: Its sizes; it has nothing of `s3m`.
      options: Of the layers.
    """
    super().__init__(name='gru', dtype=options.dtype)
    size = config.output_size
    self.output_size = self.hidden_size = size
    self.memory_spec = tf.TensorSpec([size], tf.float32, 'memory')
    self._input = networks.MLP(agent_config.MLPConfig(1, config.width), options)
    self._gates = tf.keras.layers.Dense(
        3 * size,
        use_bias=False,
        kernel_initializer=networks.kernel_initializer(),
        dtype=options.dtype,
    )
    self._norm = networks.normalization(options)
    self._learned = config.learned_initial_state
    if self._learned:
      self._initial = self.add_weight(
          name='initial_state',
          shape=[size],
          initializer='zeros',
          # The memory is float32, whatever the policy.
          experimental_autocast=False,
      )

  def initial(self, batch_size: Any) -> tf.Tensor:
    """Returns float32 [B, D]."""
    if not self._learned:
      return tf.zeros([batch_size, self.hidden_size])
    return tf.tile(tf.tanh(self._initial)[tf.newaxis], [batch_size, 1])

  def hidden(self, memory: tf.Tensor) -> tf.Tensor:
    """Returns all of the memory."""
    return memory

  def step(
      self,
      inputs: tf.Tensor,
      memory: tf.Tensor,
      is_first: tf.Tensor,
      prepared: Any = None,
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """See `SequenceModel.step`."""
    del prepared  # There is nothing to prepare.
    memory = self._step(self._input(inputs), memory, is_first)
    return memory, memory

  def call(
      self, inputs: tf.Tensor, memory: tf.Tensor, is_first: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """See `SequenceModel.call`."""

    def step(
        inputs: tuple[tf.Tensor, tf.Tensor], memory: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
      memory = self._step(inputs[0], memory, inputs[1])
      return memory, memory

    outputs = over_time.run(
        step, (self._input(inputs), is_first), memory, self.memory_spec
    )
    return outputs, outputs

  def _step(
      self, u: tf.Tensor, memory: tf.Tensor, is_first: tf.Tensor
  ) -> tf.Tensor:
    memory = tf.where(is_first[:, tf.newaxis], self.initial(1), memory)
    joint = tf.concat([tf.cast(memory, u.dtype), u], -1)
    gates = tf.cast(self._norm(self._gates(joint)), tf.float32)
    reset, candidate, update = tf.split(gates, 3, -1)
    candidate = tf.tanh(tf.sigmoid(reset) * candidate)
    # The bias of -1 starts the cell as one that keeps its memory.
    update = tf.sigmoid(update - 1)
    return update * candidate + (1 - update) * memory
