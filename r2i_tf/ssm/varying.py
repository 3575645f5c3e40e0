"""The linear recurrence whose coefficients change from step to step.

A selective state-space model (`kinds.selective`) has, once discretised, one
real affine map a step and a channel:

  x_t = a_t * prev_t + inputs_t
  prev_t = initial_state where is_reset_t, else x_(t-1)

It is the recurrence of `scan`, with a_t for the constant lambda_bar, and is cut
into chunks in the same way. But what a chunk makes of the state that enters it
is no power of a constant: each chunk is run once from zero, to find what it
leaves behind, and its a_t are multiplied. So there are 2 K + C steps in
sequence in place of K + C, or L in one chunk, as `chunking` decides.

Real numbers are one plane, [..., 1, P].
"""

from typing import Optional

import tensorflow as tf

from r2i_tf.ssm import adjoints
from r2i_tf.ssm import chunking
from r2i_tf.ssm import loops
from r2i_tf.ssm import planes

# For the coefficients, the inputs, the carry and the initial state.
_Gradients = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]


def varying_recurrence(
    coefficients: tf.Tensor,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    chunk_length: Optional[int] = None,
) -> tf.Tensor:
  """Runs a resettable real linear recurrence with coefficients of each step.

  x_t = a_t * prev_t + inputs_t for t = 0, ..., L - 1, where prev_t is
  `initial_state` if is_reset_t, else x_(t-1), and x_(-1) is `carry`.

  Differentiable, once, in everything but `is_reset`; a backward pass keeps the
  coefficients and the states. Compiled by XLA, also where it is called from a
  function that is not. The batch size may be unknown when traced.

  Args:
    coefficients: float32 [B, L, 1, P], a_t.
    inputs: float32 [B, L, 1, P]. L >= 1.
    is_reset: bool [B, L], True where the state is replaced before the step.
    carry: float32 [B, 1, P], the state before step 0.
    initial_state: float32 [1, P], which a reset puts in the state's place.
    chunk_length: K, at least 1; None for `chunking.chunk_length`'s choice.

  Returns:
    The states x_t, float32 [B, L, 1, P].

  Raises:
    ValueError: A shape or `chunk_length` is not as above.
  """
  batch_size, length, _, state_size = inputs.shape
  one_step = [batch_size, 1, state_size]
  for name, tensor, shape in (
      ('inputs', inputs, [None, None, 1, None]),
      ('coefficients', coefficients, inputs.shape),
      ('is_reset', is_reset, [batch_size, length]),
      ('carry', carry, one_step),
      ('initial_state', initial_state, one_step[1:]),
  ):
    if not tensor.shape.is_compatible_with(shape):
      raise ValueError(
          f'{name} has shape {tensor.shape}; with inputs of shape'
          f' {inputs.shape} it must be {tf.TensorShape(shape)}.'
      )
  chunk_length = chunking.checked_length(chunk_length, length)

  def forward(
      coefficients: tf.Tensor,
      inputs: tf.Tensor,
      carry: tf.Tensor,
      initial_state: tf.Tensor,
  ) -> tf.Tensor:
    return _run(
        coefficients, inputs, is_reset, carry, initial_state, chunk_length
    )

  def adjoint(
      upstream: tf.Tensor,
      states: tf.Tensor,
      coefficients: tf.Tensor,
      carry: tf.Tensor,
      initial_state: tf.Tensor,
  ) -> _Gradients:
    return _adjoint(
        coefficients,
        states,
        is_reset,
        carry,
        initial_state,
        upstream,
        chunk_length,
    )

  recurrence = adjoints.with_adjoint(forward, adjoint, kept=[0, 2, 3])
  return recurrence(coefficients, inputs, carry, initial_state)


def varying_recurrence_step(
    coefficients: tf.Tensor,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
) -> tf.Tensor:
  """Runs one step of `varying_recurrence`.

  Args:
    coefficients: float32 [B, 1, P], a_t.
    inputs: float32 [B, 1, P].
    is_reset: bool [B].
    carry: float32 [B, 1, P], the state before the step.
    initial_state: float32 [1, P].

  Returns:
    The state after the step, float32 [B, 1, P].
  """
  previous = tf.where(is_reset[:, tf.newaxis, tf.newaxis], initial_state, carry)
  return coefficients * previous + inputs


# Compiled also where the caller is not: the slices of the loops are XLA's.
@tf.function(jit_compile=True, autograph=False)
def _run(
    coefficients: tf.Tensor,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    chunk_length: int,
    reverse: bool = False,
) -> tf.Tensor:
  """The states; with `reverse` the last step is the first taken."""
  length = inputs.shape[1]
  carry, initial_state = planes.split(carry), planes.split(initial_state)
  if chunk_length == length:
    return loops.run(
        loops.varying(coefficients, axis=1),
        inputs,
        is_reset,
        carry,
        initial_state,
        axis=1,
        reverse=reverse,
    )
  coefficients = loops.chunked(coefficients, chunk_length)
  inputs = loops.chunked(inputs, chunk_length)
  is_reset = loops.chunked(is_reset, chunk_length)
  within = loops.varying(coefficients, axis=1)
  zeros = tuple(tf.zeros_like(part) for part in initial_state)
  # What a chunk leaves, entered with zero, and what it makes of what enters.
  left = loops.run(
      within,
      inputs,
      is_reset,
      tuple(tf.zeros_like(part[:, 0]) for part in planes.split(inputs)),
      initial_state,
      axis=1,
      reverse=reverse,
  )[:, 0 if reverse else -1]
  left = loops.run(
      loops.varying(tf.reduce_prod(coefficients, axis=1), axis=0),
      left,
      tf.reduce_any(is_reset, axis=1),
      carry,
      zeros,
      axis=0,
      reverse=reverse,
  )
  parts = zip(carry, planes.split(left))
  if reverse:
    entering = [
        tf.concat([part[1:], first[tf.newaxis]], 0) for first, part in parts
    ]
  else:
    entering = [
        tf.concat([first[tf.newaxis], part[:-1]], 0) for first, part in parts
    ]
  states = loops.run(
      within,
      inputs,
      is_reset,
      tuple(entering),
      initial_state,
      axis=1,
      reverse=reverse,
  )
  return loops.unchunked(states, length)


@tf.function(jit_compile=True, autograph=False)
def _adjoint(
    coefficients: tf.Tensor,
    states: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    upstream: tf.Tensor,
    chunk_length: int,
) -> _Gradients:
  """The gradient of the recurrence, given that of its states.

  With g_t the gradient that reaches x_t from outside, d_t the whole gradient
  with respect to x_t, and r for the resets:

    d_t = g_t + a_(t+1) (1 - r_(t+1)) d_(t+1)
    d inputs_t = d_t
    d a_t = prev_t d_t
    d carry = a_0 (1 - r_0) d_0
    d initial_state = sum over b, t of r_t a_t d_t

  The first line is the recurrence itself, run from the end, with the
  coefficients and the resets of the step after.

  Args:
    coefficients: [B, L, 1, P].
    states: [B, L, 1, P], as the recurrence returned them.
    is_reset: bool [B, L].
    carry: [B, 1, P].
    initial_state: [1, P].
    upstream: [B, L, 1, P], the gradient with respect to `states`.
    chunk_length: As in the forward run.

  Returns:
    The gradients for the coefficients, inputs, carry and initial state.
  """
  after = tf.concat(
      [coefficients[:, 1:], tf.zeros_like(coefficients[:, :1])], 1
  )
  reset_after = tf.concat([is_reset[:, 1:], tf.zeros_like(is_reset[:, :1])], 1)
  zeros = tf.zeros_like(initial_state)
  adjoint = _run(
      after,
      upstream,
      reset_after,
      tf.zeros_like(carry),
      zeros,
      chunk_length,
      reverse=True,
  )
  reset = is_reset[..., tf.newaxis, tf.newaxis]
  previous = tf.concat([carry[:, tf.newaxis], states[:, :-1]], 1)
  previous = tf.where(reset, initial_state, previous)
  passed = coefficients * adjoint
  return (
      previous * adjoint,
      adjoint,
      tf.where(reset[:, 0], zeros, passed[:, 0]),
      tf.reduce_sum(tf.where(reset, passed, zeros), axis=[0, 1]),
  )
