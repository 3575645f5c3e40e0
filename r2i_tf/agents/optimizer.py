"""Adam that refuses gradients that are not finite.

The convention is that of `tf.clip_by_global_norm`: where the norm of all
gradients is not finite, every element of every gradient becomes NaN. This
optimiser leaves a variable and its moments as they are on such a gradient. The
decision is taken inside of the compiled step, without a branch, and works the
same under every distribution strategy.
"""

import tensorflow as tf

from r2i_tf import config as agent_config


class GuardedAdam(tf.keras.optimizers.Adam):
  """Keras' Adam with decoupled weight decay and the guard.

  Weight decay (arXiv 1711.05101) acts on matrices and filters only, not on
  biases and norms.
  """

  def __init__(
      self,
      config: agent_config.OptimizerConfig,
      learning_rate: float,
      weight_decay: float,
      name: str,
  ):
    """Creates the optimiser.

    Args:
      config: Its epsilon.
      learning_rate: Step size.
      weight_decay: Share of a matrix taken off a step, times the step size.
      name: Name of its variables.
    """
    super().__init__(
        learning_rate, epsilon=config.epsilon, jit_compile=False, name=name
    )
    self._decay = weight_decay

  def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
    """Updates one variable, or leaves it where the gradient is NaN."""
    # A refused gradient is NaN as a whole: one element tells.
    finite = tf.math.is_finite(tf.reshape(gradient, [-1])[0])
    index = self._index_dict[self._var_key(variable)]
    slots = (variable, self._momentums[index], self._velocities[index])
    before = [tf.identity(slot) for slot in slots]
    super().update_step(gradient, variable)
    if self._decay and variable.shape.rank > 1:
      rate = tf.cast(self.learning_rate, variable.dtype) * self._decay
      variable.assign_sub(rate * before[0])
    for slot, old in zip(slots, before):
      slot.assign(tf.where(finite, slot, old))

  def withdraw_step(self, refused: tf.Tensor) -> None:
    """Takes back the count of a step that was refused."""
    self.iterations.assign_sub(tf.cast(refused, self.iterations.dtype))
