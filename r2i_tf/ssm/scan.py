"""The linear recurrence under every state-space layer, over a whole sequence.

A diagonal state-space model is, once discretised, one complex affine map a
step and a channel:

  x_t = lambda_bar * prev_t + inputs_t
  prev_t = initial_state where is_reset_t, else x_(t-1)

`linear_recurrence` evaluates it for all t at once, `linear_recurrence_step`
for one t; they give the same states. Complex numbers are two planes of float32
along axis -2, real before imaginary, [..., 2, P]: no device needs complex
types, and a plane is P numbers side by side, as vector units want them. A
matrix product with 2 P columns gives that layout without a copy.

How the sequence form works. Affine maps compose associatively, so a sequence
may be cut into C chunks of K steps that are worked on side by side:

  1. Each chunk is reduced to the state that it leaves behind when it is entered
     with zero: a sum of its inputs, weighted by powers of lambda_bar. An input
     before a chunk's last reset weighs nothing.
  2. These C states obey the same recurrence, with lambda_bar^K and with a reset
     to zero at every chunk that holds a reset. It gives the state that enters
     each chunk.
  3. Each chunk is run from the state that enters it.

That is O(L) work; K + C of it, about 2 sqrt(L), is in sequence. A CPU, to
which a step costs little, takes the whole sequence as one chunk (`chunking`):
only the third part is left (`stepwise`). The loops are XLA loops, of which XLA
compiles one step. Unrolled steps would be compiled one by one, and recomputed
for each of their outputs where they are fused.

The powers of lambda_bar are taken in float64 and rounded once: squaring in
float32 would double the relative error each time, which would spoil long
memories, where abs(lambda_bar) is close to 1. They are K + 1 vectors [P].

The gradient is written out by hand (see `_adjoint`): the adjoint of a linear
recurrence is the same recurrence run from the end, so a backward pass costs
one more scan and keeps nothing but the states.
"""

from typing import Optional

import tensorflow as tf

from r2i_tf.ssm import adjoints
from r2i_tf.ssm import chunking
from r2i_tf.ssm import loops
from r2i_tf.ssm import planes
from r2i_tf.ssm import stepwise

# For lambda_bar, the inputs, the carry and the initial state.
_Gradients = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]


def linear_recurrence(
    lambda_bar: tf.Tensor,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    chunk_length: Optional[int] = None,
) -> tf.Tensor:
  """Runs a resettable diagonal linear recurrence over a sequence.

  x_t = lambda_bar * prev_t + inputs_t for t = 0, ..., L - 1, where prev_t is
  `initial_state` if is_reset_t, else x_(t-1), and x_(-1) is `carry`.

  Differentiable, once, in everything but `is_reset`. Compiled by XLA, also
  where it is called from a function that is not. The batch size may be unknown
  when traced; L and P must be known.

  Args:
    lambda_bar: float32 [2, P], the discretised eigenvalues.
    inputs: float32 [B, L, 2, P], the projected inputs B_bar u_t. L >= 1.
    is_reset: bool [B, L], True where the state is replaced before the step.
    carry: float32 [B, 2, P], the state before step 0.
    initial_state: float32 [2, P], which a reset puts in the state's place.
    chunk_length: K, at least 1; None for `chunking.chunk_length`'s choice.

  Returns:
    The states x_t, float32 [B, L, 2, P].

  Raises:
    ValueError: A shape, a dtype or `chunk_length` is not as above.
  """
  lambda_bar, inputs, is_reset, carry, initial_state = _validated(
      lambda_bar, inputs, is_reset, carry, initial_state, sequence=True
  )
  chunk_length = chunking.checked_length(chunk_length, inputs.shape[1])

  def forward(
      lambda_bar: tf.Tensor,
      inputs: tf.Tensor,
      carry: tf.Tensor,
      initial_state: tf.Tensor,
  ) -> tf.Tensor:
    return _forward(
        lambda_bar, inputs, is_reset, carry, initial_state, chunk_length
    )

  def adjoint(
      upstream: tf.Tensor,
      states: tf.Tensor,
      lambda_bar: tf.Tensor,
      carry: tf.Tensor,
      initial_state: tf.Tensor,
  ) -> _Gradients:
    return _adjoint(
        lambda_bar,
        states,
        is_reset,
        carry,
        initial_state,
        upstream,
        chunk_length,
    )

  recurrence = adjoints.with_adjoint(forward, adjoint, kept=[0, 2, 3])
  return recurrence(lambda_bar, inputs, carry, initial_state)


def linear_recurrence_step(
    lambda_bar: tf.Tensor,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
) -> tf.Tensor:
  """Runs one step of the recurrence of `linear_recurrence`.

  Args:
    lambda_bar: float32 [2, P], the discretised eigenvalues.
    inputs: float32 [B, 2, P], the projected input B_bar u of this step.
    is_reset: bool [B], True where the state is replaced before the step.
    carry: float32 [B, 2, P], the state before the step.
    initial_state: float32 [2, P], which a reset puts in the state's place.

  Returns:
    The state after the step, float32 [B, 2, P].

  Raises:
    ValueError: A shape or a dtype is not as above.
  """
  lambda_bar, inputs, is_reset, carry, initial_state = _validated(
      lambda_bar, inputs, is_reset, carry, initial_state, sequence=False
  )
  state = planes.select(
      is_reset, planes.split(initial_state), planes.split_flat(carry)
  )
  state = planes.affine(
      planes.split(lambda_bar), planes.split_flat(inputs), state
  )
  return tf.reshape(tf.concat(state, -1), tf.shape(inputs))


# Compiled also where the caller is not: the slices of the loops are XLA's.
@tf.function(jit_compile=True, autograph=False)
def _forward(
    lambda_bar: tf.Tensor,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    chunk_length: int,
) -> tf.Tensor:
  """The states; arguments as of `linear_recurrence`."""
  length, state_size = inputs.shape[1], inputs.shape[3]
  if chunk_length == length:
    return stepwise.run(lambda_bar, inputs, is_reset, carry, initial_state)
  lambda_bar, carry = planes.split(lambda_bar), planes.split(carry)
  initial_state = planes.split(initial_state)
  inputs = loops.chunked(inputs, chunk_length)
  is_reset = loops.chunked(is_reset, chunk_length)
  powers = planes.powers(lambda_bar, chunk_length)
  # What a chunk leaves, entered with zero: from its last reset on, if any.
  resets = tf.cumsum(tf.cast(is_reset, tf.int32), axis=1)
  zeros = planes.zeros(state_size)
  from_reset = planes.multiply(lambda_bar, initial_state)
  left = loops.weighted_sum(
      tuple(part[chunk_length - 1 :: -1] for part in powers),
      tuple(
          part + extra
          for part, extra in zip(
              planes.split(inputs), planes.select(is_reset, from_reset, zeros)
          )
      ),
      is_counted=resets == resets[:, -1:],
  )
  left = loops.run(
      loops.constant(tuple(part[chunk_length] for part in powers)),
      planes.join(left),
      tf.reduce_any(is_reset, axis=1),
      carry,
      zeros,
      axis=0,
  )
  entering = tuple(
      tf.concat([first[tf.newaxis], part[:-1]], axis=0)
      for first, part in zip(carry, planes.split(left))
  )
  states = loops.run(
      loops.constant(lambda_bar),
      inputs,
      is_reset,
      entering,
      initial_state,
      axis=1,
  )
  return loops.unchunked(states, length)


@tf.function(jit_compile=True, autograph=False)
def _adjoint(
    lambda_bar: tf.Tensor,
    states: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    upstream: tf.Tensor,
    chunk_length: int,
) -> _Gradients:
  """The gradient of the recurrence, given that of its states.

  With g_t the gradient that reaches x_t from outside, a_t the whole gradient
  with respect to x_t, ' for the conjugate and r for the resets:

    a_t = g_t + lambda_bar' (1 - r_(t+1)) a_(t+1)
    d inputs_t = a_t
    d carry = lambda_bar' (1 - r_0) a_0
    d initial_state = lambda_bar' sum over b, t of r_t a_t
    d lambda_bar = sum over b, t of prev_t' a_t

  Args:
    lambda_bar: [2, P].
    states: [B, L, 2, P], as the recurrence returned them.
    is_reset: bool [B, L].
    carry: [B, 2, P].
    initial_state: [2, P].
    upstream: [B, L, 2, P], the gradient with respect to `states`.
    chunk_length: As in the forward scan.

  Returns:
    The gradients for lambda_bar, inputs, carry and initial_state.
  """
  if chunk_length == upstream.shape[1]:
    return stepwise.adjoint(
        lambda_bar, states, is_reset, carry, initial_state, upstream
    )
  conjugate = planes.conjugate(planes.split(lambda_bar))
  adjoint = planes.split(_run_back(conjugate, upstream, is_reset, chunk_length))
  zeros = planes.zeros(states.shape[3])
  first = planes.select(
      is_reset[:, 0], zeros, tuple(part[:, 0] for part in adjoint)
  )
  at_resets = tuple(
      tf.reduce_sum(part, axis=[0, 1])
      for part in planes.select(is_reset, adjoint, zeros)
  )
  # prev_t is the carry at t = 0, the initial state at a reset, else x_(t-1).
  # One term each: shifting x instead would copy it.
  later = planes.multiply(
      planes.conjugate(tuple(part[:, :-1] for part in planes.split(states))),
      tuple(part[:, 1:] for part in adjoint),
  )
  terms = (
      tuple(
          tf.reduce_sum(part, axis=[0, 1])
          for part in planes.select(is_reset[:, 1:], zeros, later)
      ),
      tuple(
          tf.reduce_sum(part, axis=0)
          for part in planes.multiply(
              planes.conjugate(planes.split(carry)), first
          )
      ),
      planes.multiply(planes.conjugate(planes.split(initial_state)), at_resets),
  )
  return (
      planes.join(tuple(tf.add_n(parts) for parts in zip(*terms))),
      planes.join(adjoint),
      planes.join(planes.multiply(conjugate, first)),
      planes.join(planes.multiply(conjugate, at_resets)),
  )


def _run_back(
    conjugate: planes.Pair,
    upstream: tf.Tensor,
    is_reset: tf.Tensor,
    chunk_length: int,
) -> tf.Tensor:
  """a_t of `_adjoint`, [B, L, 2, P]; chunks as in the forward scan.

  From t + 1 to t passes a_(t+1), or zero where t + 1 was reset. So a reset acts
  after its own step here, and a chunk hands on the a of its first step, or
  zero.
  """
  length, state_size = upstream.shape[1], upstream.shape[3]
  zeros = planes.zeros(state_size)
  carry = tuple(tf.zeros_like(part[:, 0]) for part in planes.split(upstream))
  upstream = loops.chunked(upstream, chunk_length)
  is_reset = loops.chunked(is_reset, chunk_length)
  powers = planes.powers(conjugate, chunk_length)
  resets = tf.cumsum(tf.cast(is_reset, tf.int32), axis=1)
  handed_on = loops.weighted_sum(
      tuple(part[:chunk_length] for part in powers),
      planes.split(upstream),
      is_counted=resets == 0,
  )
  handed_on = loops.run(
      loops.constant(tuple(part[chunk_length] for part in powers)),
      planes.join(handed_on),
      tf.reduce_any(is_reset, axis=1),
      carry,
      zeros,
      axis=0,
      reverse=True,
  )
  entering = tuple(
      tf.concat([part[1:], last[tf.newaxis]], axis=0)
      for part, last in zip(planes.split(handed_on), carry)
  )
  adjoint = loops.run(
      loops.constant(conjugate),
      upstream,
      is_reset,
      entering,
      zeros,
      axis=1,
      reverse=True,
      reset_after=True,
  )
  return loops.unchunked(adjoint, length)


def _validated(
    lambda_bar: tf.Tensor,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    sequence: bool,
) -> tuple[tf.Tensor, ...]:
  """Returns the arguments as tensors, ranks, shapes and dtypes checked."""
  values = {
      'lambda_bar': (lambda_bar, tf.float32, 2),
      'inputs': (inputs, tf.float32, 4 if sequence else 3),
      'is_reset': (is_reset, tf.bool, 2 if sequence else 1),
      'carry': (carry, tf.float32, 3),
      'initial_state': (initial_state, tf.float32, 2),
  }
  tensors = {}
  for name, (value, dtype, rank) in values.items():
    tensor = tf.convert_to_tensor(value)
    if tensor.dtype != dtype:
      raise ValueError(
          f'{name} has dtype {tensor.dtype.name}; it must be {dtype.name}.'
      )
    if tensor.shape.rank != rank:
      raise ValueError(
          f'{name} has shape {tensor.shape}; it must have rank {rank}.'
      )
    tensors[name] = tensor
  batch_and_time = list(tensors['inputs'].shape[:-2])
  state_size = tensors['inputs'].shape[-1]
  if None in tensors['inputs'].shape[1:]:
    raise ValueError(
        f'inputs has shape {tensors["inputs"].shape}; every dimension but the'
        ' batch must be known when traced.'
    )
  if sequence and batch_and_time[1] < 1:
    raise ValueError('inputs has length 0; it must hold at least one step.')
  expected = {
      'lambda_bar': [2, state_size],
      'inputs': batch_and_time + [2, state_size],
      'is_reset': batch_and_time,
      'carry': batch_and_time[:1] + [2, state_size],
      'initial_state': [2, state_size],
  }
  for name, shape in expected.items():
    if not tensors[name].shape.is_compatible_with(shape):
      raise ValueError(
          f'{name} has shape {tensors[name].shape}; with inputs of shape'
          f' {tensors["inputs"].shape} it must be {tf.TensorShape(shape)}.'
      )
  return tuple(tensors.values())
