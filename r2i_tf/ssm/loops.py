"""Loops over the steps of a recurrence, and its chunks; see `scan`.

To be called in a program that XLA compiles: the slices are XLA's own.
"""

from collections.abc import Callable

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

from r2i_tf.ssm import planes

# The linear part of a step: a state, and the number of the step along the axis,
# to what the step makes of that state.
Transition = Callable[[planes.Planes, tf.Tensor], planes.Planes]


def constant(lambda_bar: planes.Pair) -> Transition:
  """The transition of a diagonal model whose steps are alike: a pair [P]."""
  return lambda state, step: planes.multiply(lambda_bar, state)


def varying(coefficients: tf.Tensor, axis: int) -> Transition:
  """The transition of a real diagonal model, [..., K, ..., 1, P] by `axis`."""

  def transition(state: planes.Planes, step: tf.Tensor) -> planes.Planes:
    return (planes.split(at(coefficients, step, axis))[0] * state[0],)

  return transition


def run(
    transition: Transition,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: planes.Planes,
    initial_state: planes.Planes,
    axis: int,
    reverse: bool = False,
    reset_after: bool = False,
) -> tf.Tensor:
  """One loop over `axis`: a step is an affine map of the state.

  Args:
    transition: The linear part of that map.
    inputs: [..., L, ..., K, P], steps along `axis`, K planes.
    is_reset: bool [..., L, ...].
    carry: Planes [..., P], the state before the first step taken.
    initial_state: Planes [P].
    axis: The axis of `inputs` and `is_reset` that the steps are along.
    reverse: Whether the last step along the axis is the first taken.
    reset_after: Whether a reset replaces the state after its step, instead of
      before; the step's own result is returned either way.

  Returns:
    The states, of the shape of `inputs`.
  """
  length = inputs.shape[axis]

  def body(
      count: tf.Tensor, state: planes.Planes, states: tf.Tensor
  ) -> tuple[tf.Tensor, planes.Planes, tf.Tensor]:
    step = length - 1 - count if reverse else count
    step_is_reset = at(is_reset, step, axis)
    if not reset_after:
      state = planes.select(step_is_reset, initial_state, state)
    state = planes.add(
        transition(state, step), planes.split(at(inputs, step, axis))
    )
    states = put(states, planes.join(state), step, axis)
    if reset_after:
      state = planes.select(step_is_reset, initial_state, state)
    for part, first in zip(state, carry):
      part.set_shape(first.shape)
    return count + 1, state, states

  _, _, states = tf.while_loop(
      lambda count, *_: count < length,
      body,
      (tf.constant(0), carry, _blank(inputs, is_reset)),
      maximum_iterations=length,
  )
  return states


def at(x: tf.Tensor, step: tf.Tensor, axis: int) -> tf.Tensor:
  """Returns the part of `x` at a step along `axis`: a slice, without `axis`."""
  shape = tf.shape(x)
  size = tf.concat([shape[:axis], [1], shape[axis + 1 :]], axis=0)
  part = xla.dynamic_slice(x, _start(step, axis, x.shape.rank), size)
  part.set_shape(x.shape[:axis] + [1] + x.shape[axis + 1 :])
  return tf.squeeze(part, axis)


def put(x: tf.Tensor, part: tf.Tensor, step: tf.Tensor, axis: int) -> tf.Tensor:
  """Returns `x` with the part at a step along `axis` replaced."""
  return xla.dynamic_update_slice(
      x, tf.expand_dims(part, axis), _start(step, axis, x.shape.rank)
  )


def _start(step: tf.Tensor, axis: int, rank: int) -> tf.Tensor:
  return tf.stack([0] * axis + [step] + [0] * (rank - axis - 1))


def _blank(like: tf.Tensor, is_reset: tf.Tensor) -> tf.Tensor:
  """Returns zeros of a shape that TensorFlow cannot know to be zeros.

  It would compute zeros that it knows when it hands the program to XLA, and
  hold several copies of them on the host. XLA sees through this and makes a
  broadcast.
  """
  flag = tf.reshape(is_reset, [-1])[0]
  zero = tf.cast(tf.logical_and(flag, False), like.dtype)
  return tf.broadcast_to(zero, tf.shape(like))


def chunked(x: tf.Tensor, chunk_length: int) -> tf.Tensor:
  """[B, L, ...] as [C, K, B, ...], padded with zeros at the end.

  With time first a step of all chunks is whole tiles of [B, P] numbers; a TPU's
  compiler then fuses all of a step into one operation.
  """
  x = tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
  padding = -x.shape[0] % chunk_length
  x = tf.pad(x, [[0, padding]] + [[0, 0]] * (x.shape.rank - 1))
  shape = [x.shape[0] // chunk_length, chunk_length]
  return tf.reshape(x, tf.concat([shape, tf.shape(x)[1:]], axis=0))


def unchunked(x: tf.Tensor, length: int) -> tf.Tensor:
  """The inverse of `chunked`."""
  steps = x.shape[0] * x.shape[1]
  x = tf.reshape(x, tf.concat([[steps], tf.shape(x)[2:]], axis=0))[:length]
  return tf.transpose(x, [1, 0, *range(2, x.shape.rank)])


def weighted_sum(
    powers: planes.Pair, inputs: planes.Pair, is_counted: tf.Tensor
) -> planes.Pair:
  """Sum over k of powers_k inputs_k: [K, P] and [C, K, B, P] to [C, B, P]."""
  powers = tuple(part[:, tf.newaxis] for part in powers)
  products = planes.select(
      is_counted, planes.multiply(powers, inputs), planes.zeros(1)
  )
  return tuple(tf.reduce_sum(part, axis=1) for part in products)
