"""Adam on all variables of a group at once.

The convention is that of `tf.clip_by_global_norm`: where the norm of all
gradients is not finite, every element of every gradient becomes NaN. This
optimiser leaves variables and moments as they are on such a gradient. The
decision is taken inside of the compiled step, without a branch, and works the
same under every distribution strategy.

An optimiser that goes from variable to variable, as Keras' does, makes three
operations of each: for a world model of a hundred variables a third of what XLA
has to compile in a train step for a CPU. Here gradients and moments come in
blocks, and on CPUs and GPUs a group is a single one, the vector of all its
variables end to end. A TPU keeps matrices in tiles, so that to lay them end to
end and apart again takes more than Adam itself: there each variable is a block
of its own shape. Checkpoints are the same on all of them.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any, Optional

import tensorflow as tf

from r2i_tf import devices
from r2i_tf import networks

_BETA_1, _BETA_2 = 0.9, 0.999
# The least norm that a variable counts as in adaptive clipping: those that are
# zero at first could not move else.
_LEAST_NORM = 1e-3
# What TensorFlow calls the value of a variable in a checkpoint.
_VALUE = 'VARIABLE_VALUE'

# What is updated at once, float32.
Blocks = list[tf.Tensor]


class _Moment(tf.Module):
  """A moment of all variables of a group; in a checkpoint, one vector."""

  def __init__(self, name: str, shapes: Sequence[tf.TensorShape]):
    """Creates it, all zero.

    Args:
      name: Its name.
      shapes: Those of its blocks.
    """
    super().__init__(name=name)
    with self.name_scope:
      self.blocks = [
          tf.Variable(tf.zeros(shape), trainable=False, name='block')
          for shape in shapes
      ]

  def assign(self, blocks: Blocks) -> None:
    """Puts others in place of its blocks."""
    for variable, block in zip(self.blocks, blocks):
      variable.assign(block)

  # TensorFlow's hooks for an object that says itself what a checkpoint has of
  # it: here under the name of a variable's value.

  def _trackable_children(
      self, save_type: str = 'checkpoint', **kwargs: Any
  ) -> Mapping[str, Any]:
    if save_type == 'checkpoint':
      return {}
    return super()._trackable_children(save_type, **kwargs)

  def _serialize_to_tensors(self) -> dict[str, tf.Tensor]:
    with tf.device('/device:CPU:0'):
      return {_VALUE: _end_to_end(self.blocks)}

  def _restore_from_tensors(self, restored: Mapping[str, tf.Tensor]) -> None:
    shapes = [block.shape for block in self.blocks]
    parts = tf.split(restored[_VALUE], [s.num_elements() for s in shapes])
    self.assign([tf.reshape(p, shape) for p, shape in zip(parts, shapes)])


class GroupAdam(tf.Module):
  """Adam (arXiv 1412.6980) with decoupled weight decay and the guard.

  Weight decay (arXiv 1711.05101) acts on matrices and filters only, not on
  biases and norms.
  """

  def __init__(
      self,
      group: networks.ParameterGroup,
      epsilon: float,
      warmup_steps: int = 0,
      update_clip: Optional[float] = None,
  ):
    """Creates the moments, all zero.

    Args:
      group: Its variables, its step size and its weight decay.
      epsilon: Added to the root of the corrected second moment.
      warmup_steps: How many accepted steps the step size takes to grow to that
        of the group: step t of them takes its share t / warmup_steps.
      update_clip: The largest u of a variable, see `apply`; None: no limit.
    """
    super().__init__(name=f'{group.name}_adam')
    self._variables = tuple(group.variables)
    self._rate, self._epsilon = group.learning_rate, epsilon
    self._decay = group.weight_decay
    self._warmup_steps, self._update_clip = warmup_steps, update_clip
    self._sizes = [v.shape.num_elements() for v in self._variables]
    self._apart = devices.target() is devices.Device.TPU
    shapes = (
        [variable.shape for variable in self._variables]
        if self._apart
        else [tf.TensorShape([sum(self._sizes)])]
    )
    with self.name_scope:
      self._m, self._v = (_Moment(name, shapes) for name in ('m', 'v'))
      self._steps = tf.Variable(
          0, trainable=False, dtype=tf.int64, name='steps'
      )

  @property
  def slots(self) -> tuple[tf.Variable, ...]:
    """The optimiser's own variables: both moments and the count of steps."""
    return *self._m.blocks, *self._v.blocks, self._steps

  @property
  def shapes(self) -> list[tf.TensorShape]:
    """Those of its blocks."""
    return [block.shape for block in self._m.blocks]

  def join(self, tensors: Sequence[tf.Tensor]) -> Blocks:
    """Returns what there is of each variable, in their order, as blocks."""
    return list(tensors) if self._apart else [_end_to_end(tensors)]

  def clip_adaptively(self, gradient: Blocks, clip: float) -> Blocks:
    """Limits each variable's gradient by the norm of the variable.

      g <- g min(1, clip max(|w|, 0.001) / |g|)

    Adaptive gradient clipping (arXiv 2102.06171), as DreamerV3 has it: one norm
    for a whole variable, not one for each of its rows.

    Args:
      gradient: The result of `join`.
      clip: The largest share.

    Returns:
      The same blocks, clipped.
    """
    parts = []
    for variable, part in zip(self._variables, self._split(gradient)):
      largest = clip * tf.maximum(tf.norm(variable), _LEAST_NORM)
      parts.append(part * (largest / tf.maximum(tf.norm(part), largest)))
    return self.join(parts)

  def apply(self, gradient: Blocks, accept: tf.Tensor) -> None:
    """Updates all variables, or none.

      v = v + (1 - beta_2) (g^2 - v),  m = m + (1 - beta_1) (c g - m)
      w = w - rate (m' / (sqrt(v') + epsilon) + decay w)

    with m' = m / (1 - beta_1^t) and v' = v / (1 - beta_2^t) at step t, and

      c = min(1, update_clip / u),  u = RMS(g / (sqrt(v') + epsilon))

    of each variable: the update clipping of Adafactor (arXiv 1804.04235,
    section 6), before the first moment. Once a task is learned, gradients are
    small and v follows them down; a gradient of thirty times that size, of a
    sequence that is not learned yet, would then stay in m for ten steps, each
    of which moves the weights as far as fifty usual ones.

    A refused gradient turns all three into "add zero": one selection and one
    factor, instead of a branch or a copy of every moment.

    Args:
      gradient: The result of `join`, clipped.
      accept: bool scalar; False keeps everything as it is.
    """
    gradient = [tf.where(accept, g, tf.zeros_like(g)) for g in gradient]
    factor = tf.cast(accept, tf.float32)
    self._steps.assign_add(tf.cast(accept, tf.int64))
    # At least 1: before the first accepted step the moments are zero.
    steps = tf.cast(tf.maximum(self._steps, 1), tf.float32)
    # v' is not made: its factor is taken out of the root.
    spread = tf.sqrt(1 - _BETA_2**steps)
    correction = spread / (1 - _BETA_1**steps)
    new_v = [
        v + factor * (1 - _BETA_2) * (tf.square(g) - v)
        for v, g in zip(self._v.blocks, gradient)
    ]
    roots = [tf.sqrt(v) + spread * self._epsilon for v in new_v]
    if self._update_clip is not None:
      gradient = self._limited(gradient, [spread / root for root in roots])
    new_m = [
        m + factor * (1 - _BETA_1) * (g - m)
        for m, g in zip(self._m.blocks, gradient)
    ]
    self._m.assign(new_m)
    self._v.assign(new_v)
    rate = factor * self._rate
    if self._warmup_steps:
      rate *= tf.minimum(1.0, steps / self._warmup_steps)
    updates = [rate * correction * m / root for m, root in zip(new_m, roots)]
    for variable, part in zip(self._variables, self._split(updates)):
      change = tf.reshape(part, variable.shape)
      if self._decay and variable.shape.rank > 1:
        change += rate * self._decay * variable
      variable.assign_sub(change)

  def _split(self, blocks: Blocks) -> list[tf.Tensor]:
    """Returns what blocks have of each variable, as vectors or in its shape."""
    return blocks if self._apart else tf.split(*blocks, self._sizes)

  def _limited(self, gradient: Blocks, scales: Blocks) -> Blocks:
    """Returns the gradient, no variable's larger than `update_clip` allows."""
    parts = []
    squares = [tf.square(g * scale) for g, scale in zip(gradient, scales)]
    for part, square in zip(self._split(gradient), self._split(squares)):
      update = tf.sqrt(tf.reduce_mean(square))
      parts.append(
          part * (self._update_clip / tf.maximum(update, self._update_clip))
      )
    return self.join(parts)


def _end_to_end(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
  """Returns all elements as one vector."""
  return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)
