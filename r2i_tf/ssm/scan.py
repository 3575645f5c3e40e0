"""The linear recurrence under every state-space layer, over a whole sequence.

A diagonal state-space model is, once discretised, one complex affine map a
step and a channel:

  x_t = lambda_bar * prev_t + inputs_t
  prev_t = initial_state where is_reset_t, else x_(t-1)

`linear_recurrence` evaluates it for all t at once, `linear_recurrence_step`
for one t; they give the same states. Complex numbers are pairs of float32
along the last axis, (real, imaginary): no device needs complex types for it.

How the sequence form works. The sequence is cut into chunks of K steps. Every
chunk is first run from a zero state, all chunks side by side, which leaves one
state a chunk. Those chunk states obey the same recurrence, with lambda_bar^K
for lambda_bar and a reset to zero at every chunk that holds a reset, so they
are joined by the same procedure, one level up; the depth is logarithmic in the
length. Then every chunk is run again, now from the state that truly enters it.

The powers of lambda_bar are taken in float64 and rounded once: squaring in
float32 would double the relative error each time, which is what spoils long
memories, where abs(lambda_bar) is close to 1. They are a few [P] vectors.

The gradient is written out by hand (see `_adjoint`): the adjoint of a linear
recurrence is the same recurrence run from the end, so a backward pass costs
one more scan and keeps nothing but the states.
"""

from __future__ import annotations

import functools

import tensorflow as tf

# Chunks are unrolled. XLA recomputes an unrolled chain for each of its outputs
# when it fuses it, work that grows with the square of the chunk: on a CPU, 16
# took three times as long as 8, 32 six times, 4 a little longer.
DEFAULT_CHUNK_LENGTH = 8

# (real part, imaginary part), two float32 tensors of one shape.
_Pair = tuple[tf.Tensor, tf.Tensor]


def linear_recurrence(
    lambda_bar: tf.Tensor,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    chunk_length: int = DEFAULT_CHUNK_LENGTH,
) -> tf.Tensor:
  """Runs a resettable diagonal linear recurrence over a sequence.

  x_t = lambda_bar * prev_t + inputs_t for t = 0, ..., L - 1, where prev_t is
  `initial_state` if is_reset_t, else x_(t-1), and x_(-1) is `carry`.

  Differentiable in everything but `is_reset`. The batch size may be unknown
  when traced; L and P must be known.

  Args:
    lambda_bar: float32 [P, 2], the discretised eigenvalues.
    inputs: float32 [B, L, P, 2], the projected inputs B_bar u_t. L >= 1.
    is_reset: bool [B, L], True where the state is replaced before the step.
    carry: float32 [B, P, 2], the state before step 0.
    initial_state: float32 [P, 2], what a reset puts in the state's place.
    chunk_length: steps run in sequence inside a chunk, at least 2.

  Returns:
    The states x_t, float32 [B, L, P, 2].

  Raises:
    ValueError: if a shape, a dtype or `chunk_length` is not as above.
  """
  lambda_bar, inputs, is_reset, carry, initial_state = _validated(
      lambda_bar, inputs, is_reset, carry, initial_state, sequence=True
  )
  if chunk_length < 2:
    raise ValueError(f'chunk_length is {chunk_length}; it must be at least 2.')

  @tf.custom_gradient
  def recurrence(lambda_bar, inputs, carry, initial_state):
    states = _join(
        _scan(
            _split(lambda_bar),
            _split(inputs),
            is_reset,
            _split(carry),
            _split(initial_state),
            chunk_length,
        )
    )
    gradient = functools.partial(
        _adjoint,
        lambda_bar,
        states,
        is_reset,
        carry,
        initial_state,
        chunk_length,
    )
    return states, gradient

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
    lambda_bar: float32 [P, 2], the discretised eigenvalues.
    inputs: float32 [B, P, 2], the projected input B_bar u of this step.
    is_reset: bool [B], True where the state is replaced before the step.
    carry: float32 [B, P, 2], the state before the step.
    initial_state: float32 [P, 2], what a reset puts in the state's place.

  Returns:
    The state after the step, float32 [B, P, 2].

  Raises:
    ValueError: if a shape or a dtype is not as above.
  """
  lambda_bar, inputs, is_reset, carry, initial_state = _validated(
      lambda_bar, inputs, is_reset, carry, initial_state, sequence=False
  )
  return _join(
      _step(
          _split(lambda_bar),
          _split(inputs),
          is_reset,
          _split(carry),
          _split(initial_state),
      )
  )


def _split(pairs: tf.Tensor) -> _Pair:
  return pairs[..., 0], pairs[..., 1]


def _join(pair: _Pair) -> tf.Tensor:
  return tf.stack(pair, axis=-1)


def _multiply(left: _Pair, right: _Pair) -> _Pair:
  return (
      left[0] * right[0] - left[1] * right[1],
      left[0] * right[1] + left[1] * right[0],
  )


def _step(
    lambda_bar: _Pair,
    inputs: _Pair,
    is_reset: tf.Tensor,
    previous: _Pair,
    initial_state: _Pair,
) -> _Pair:
  """One step for any leading shape [...]: pairs [..., P], is_reset [...]."""
  # A selection, not a product with a mask: a reset also clears a NaN.
  chosen = tuple(
      tf.where(is_reset[..., tf.newaxis], initial, state)
      for initial, state in zip(initial_state, previous)
  )
  product = _multiply(lambda_bar, chosen)
  return product[0] + inputs[0], product[1] + inputs[1]


def _power(base: _Pair, exponent: int) -> _Pair:
  """The power base ** exponent of float64 pairs, by repeated squaring."""
  result = None
  while exponent:
    if exponent % 2:
      result = base if result is None else _multiply(result, base)
    base = _multiply(base, base)
    exponent //= 2
  return result


def _scan(
    lambda_bar: _Pair,
    inputs: _Pair,
    is_reset: tf.Tensor,
    carry: _Pair,
    initial_state: _Pair,
    chunk_length: int,
    reverse: bool = False,
) -> _Pair:
  """The recurrence over axis 1, from the end where `reverse`.

  Args:
    lambda_bar: pair of [P], float32 at the first level; float64 above it,
      where it is a power that is to be rounded only for use.
    inputs: pair of [B, L, P].
    is_reset: bool [B, L].
    carry: pair of [B, P], the state before the first step taken. It must be
      zero where `reverse`, as the padding is what such a scan meets first.
    initial_state: pair of [P].
    chunk_length: K.
    reverse: whether the first step taken is the last along axis 1.

  Returns:
    The states, pair of [B, L, P].
  """
  length, state_size = inputs[0].shape[1:]
  rounded = tuple(tf.cast(part, tf.float32) for part in lambda_bar)

  def run(previous, step_inputs, step_resets):
    """Unrolled steps; each list element is one step, in axis order."""
    states = [None] * len(step_inputs)
    for index in _order(len(step_inputs), reverse):
      previous = _step(
          rounded,
          step_inputs[index],
          step_resets[index],
          previous,
          initial_state,
      )
      states[index] = previous
    return states, previous

  if length <= chunk_length:
    states, _ = run(
        carry,
        [(inputs[0][:, k], inputs[1][:, k]) for k in range(length)],
        [is_reset[:, k] for k in range(length)],
    )
    return tuple(tf.stack(parts, axis=1) for parts in zip(*states))

  chunks = -(-length // chunk_length)
  padding = chunks * chunk_length - length
  if padding:
    inputs = tuple(
        tf.pad(part, [[0, 0], [0, padding], [0, 0]]) for part in inputs
    )
    is_reset = tf.pad(is_reset, [[0, 0], [0, padding]])
  inputs = tuple(
      tf.reshape(part, [-1, chunks, chunk_length, state_size])
      for part in inputs
  )
  is_reset = tf.reshape(is_reset, [-1, chunks, chunk_length])
  step_inputs = [
      (inputs[0][:, :, k], inputs[1][:, :, k]) for k in range(chunk_length)
  ]
  step_resets = [is_reset[:, :, k] for k in range(chunk_length)]

  zeros = tf.zeros_like(step_inputs[0][0])
  _, chunk_states = run((zeros, zeros), step_inputs, step_resets)
  chunk_lambda = _power(
      tuple(tf.cast(part, tf.float64) for part in lambda_bar), chunk_length
  )
  zero_state = tf.zeros_like(initial_state[0])
  chunk_states = _scan(
      chunk_lambda,
      chunk_states,
      tf.reduce_any(is_reset, axis=2),
      carry,
      (zero_state, zero_state),
      chunk_length,
      reverse,
  )
  entering = tuple(
      _shift(states, first, reverse)
      for states, first in zip(chunk_states, carry)
  )
  states, _ = run(entering, step_inputs, step_resets)
  return tuple(
      tf.reshape(
          tf.stack(parts, axis=2), [-1, chunks * chunk_length, state_size]
      )[:, :length]
      for parts in zip(*states)
  )


def _order(length: int, reverse: bool):
  return reversed(range(length)) if reverse else range(length)


def _shift(states: tf.Tensor, first: tf.Tensor, reverse: bool) -> tf.Tensor:
  """The state before each step: [B, L, ...] one step later, `first` put in."""
  if reverse:
    return tf.concat([states[:, 1:], first[:, tf.newaxis]], axis=1)
  return tf.concat([first[:, tf.newaxis], states[:, :-1]], axis=1)


def _adjoint(
    lambda_bar: tf.Tensor,
    states: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    chunk_length: int,
    upstream: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
  """The gradient of the recurrence, given that of its states.

  With g_t the gradient that reaches x_t from outside, a_t the whole gradient
  with respect to x_t, * for the conjugate and r for the resets:

    a_t = g_t + lambda_bar* (1 - r_(t+1)) a_(t+1)
    d inputs_t = a_t
    d carry = lambda_bar* (1 - r_0) a_0
    d initial_state = sum over b, t of r_t lambda_bar* a_t
    d lambda_bar = sum over b, t of prev_t* a_t

  Args:
    lambda_bar: [P, 2].
    states: [B, L, P, 2], what the recurrence returned.
    is_reset: bool [B, L].
    carry: [B, P, 2].
    initial_state: [P, 2].
    chunk_length: as in the forward scan.
    upstream: [B, L, P, 2], the gradient with respect to `states`.

  Returns:
    The gradients for lambda_bar, inputs, carry and initial_state.
  """
  conjugate = (lambda_bar[:, 0], -lambda_bar[:, 1])
  zero_carry = tf.zeros_like(carry[..., 0])
  zero_state = tf.zeros_like(conjugate[0])
  # What arrives at t comes through step t + 1, so its reset is what counts.
  next_is_reset = tf.concat(
      [is_reset[:, 1:], tf.zeros_like(is_reset[:, :1])], axis=1
  )
  adjoint = _scan(
      conjugate,
      _split(upstream),
      next_is_reset,
      (zero_carry, zero_carry),
      (zero_state, zero_state),
      chunk_length,
      reverse=True,
  )

  through_step = _multiply(
      conjugate,
      tuple(tf.where(is_reset[:, :1], 0.0, part[:, 0]) for part in adjoint),
  )
  resets = is_reset[..., tf.newaxis]
  at_resets = tuple(
      tf.reduce_sum(tf.where(resets, part, 0.0), axis=[0, 1])
      for part in adjoint
  )
  previous = tuple(
      tf.where(resets, initial, _shift(part, first, reverse=False))
      for part, first, initial in zip(
          _split(states), _split(carry), _split(initial_state)
      )
  )
  product = _multiply((previous[0], -previous[1]), adjoint)
  lambda_gradient = tuple(tf.reduce_sum(part, axis=[0, 1]) for part in product)
  return (
      _join(lambda_gradient),
      _join(adjoint),
      _join(through_step),
      _join(_multiply(conjugate, at_resets)),
  )


def _validated(lambda_bar, inputs, is_reset, carry, initial_state, sequence):
  """The arguments as tensors, their ranks, shapes and dtypes checked."""
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
  state_size = tensors['inputs'].shape[-2]
  if None in tensors['inputs'].shape[1:]:
    raise ValueError(
        f'inputs has shape {tensors["inputs"].shape}; every dimension but the'
        ' batch must be known when traced.'
    )
  if sequence and batch_and_time[1] < 1:
    raise ValueError('inputs has length 0; it must hold at least one step.')
  expected = {
      'lambda_bar': [state_size, 2],
      'inputs': batch_and_time + [state_size, 2],
      'is_reset': batch_and_time,
      'carry': batch_and_time[:1] + [state_size, 2],
      'initial_state': [state_size, 2],
  }
  for name, shape in expected.items():
    if not tensors[name].shape.is_compatible_with(shape):
      raise ValueError(
          f'{name} has shape {tensors[name].shape}; with inputs of shape'
          f' {tensors["inputs"].shape} it must be {tf.TensorShape(shape)}.'
      )
  return tuple(tensors.values())
