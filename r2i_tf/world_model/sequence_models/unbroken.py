"""A memory that runs on from one episode to the next.

Any sequence model without resets: an ablation of the paper, and what a
convolution needs. What enters at the first step of an episode is zeros, as with
resets, but the memory is that of the step before.

It starts once: at step 0 of a sequence of experience, which does not know what
was before, and at the first step that a policy takes. The memory says which
that is, so that a policy may start from zeros, as every client makes them.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from r2i_tf import networks
from r2i_tf.world_model.sequence_models import interface


class UnbrokenSequenceModel(interface.SequenceModel):
  """Another sequence model, reset only where its memory has not started."""

  def __init__(self, model: interface.SequenceModel):
    """Creates the sequence model.

    Args:
      model: The one whose memory runs on.
    """
    super().__init__(name='unbroken')
    self._model = model
    self.output_size = model.output_size
    self.hidden_size = model.hidden_size
    # 0 before the first step, 1 after it.
    self.memory_spec = {
        'memory': model.memory_spec,
        'started': tf.TensorSpec([1], tf.float32, 'started'),
    }

  def initial(self, batch_size: Any) -> interface.Memory:
    """See `SequenceModel.initial`."""
    return {
        'memory': self._model.initial(batch_size),
        'started': tf.zeros([batch_size, 1]),
    }

  def hidden(self, memory: interface.Memory) -> tf.Tensor:
    """See `SequenceModel.hidden`."""
    return self._model.hidden(memory['memory'])

  def prepare(self) -> Any:
    """See `SequenceModel.prepare`."""
    return self._model.prepare()

  def step(
      self,
      inputs: tf.Tensor,
      memory: interface.Memory,
      is_first: tf.Tensor,
      prepared: Any = None,
  ) -> tuple[tf.Tensor, interface.Memory]:
    """See `SequenceModel.step`; `is_first` resets nothing."""
    starts = memory['started'][:, 0] == 0.0
    output, inner = self._model.step(inputs, memory['memory'], starts, prepared)
    return output, self._started(inner, is_first)

  def call(
      self, inputs: tf.Tensor, memory: interface.Memory, is_first: tf.Tensor
  ) -> tuple[tf.Tensor, interface.Memory]:
    """See `SequenceModel.call`; `is_first` resets nothing."""
    starts = memory['started'] == 0.0
    rest = tf.zeros_like(is_first[:, 1:])
    output, inner = self._model(
        inputs, memory['memory'], tf.concat([starts, rest], 1)
    )
    return output, self._started(inner, is_first)

  def parameter_groups(self) -> Sequence[networks.ParameterGroup]:
    """See `SequenceModel.parameter_groups`."""
    return self._model.parameter_groups()

  def _started(
      self, inner: interface.Memory, like: tf.Tensor
  ) -> interface.Memory:
    started = tf.ones_like(like, tf.float32)[..., tf.newaxis]
    return {'memory': inner, 'started': started}
