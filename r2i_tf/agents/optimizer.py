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
    """Updates one variable, or leaves it where the gradient is NaN.

      m = m + (1 - beta_1) (g - m),  v = v + (1 - beta_2) (g^2 - v)
      w = w - rate (corrected m / (sqrt(v) + epsilon) + decay w)

    A refused gradient turns all three into "add zero": one selection and one
    factor, instead of a branch or a copy of every slot.
    """
    # A refused gradient is NaN as a whole: one element tells.
    finite = tf.math.is_finite(tf.reshape(gradient, [-1])[0])
    accept = tf.cast(finite, variable.dtype)
    gradient = tf.where(finite, gradient, tf.zeros_like(gradient))
    index = self._index_dict[self._var_key(variable)]
    m, v = self._momentums[index], self._velocities[index]
    step = tf.cast(self.iterations + 1, variable.dtype)
    correction = tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
    rate = accept * tf.cast(self.learning_rate, variable.dtype)
    m.assign_add(accept * (1 - self.beta_1) * (gradient - m))
    v.assign_add(accept * (1 - self.beta_2) * (tf.square(gradient) - v))
    update = correction * m / (tf.sqrt(v) + self.epsilon)
    if self._decay and variable.shape.rank > 1:
      update += self._decay * variable
    variable.assign_sub(rate * update)

  def withdraw_step(self, refused: tf.Tensor) -> None:
    """Takes back the count of a step that was refused."""
    self.iterations.assign_sub(tf.cast(refused, self.iterations.dtype))
