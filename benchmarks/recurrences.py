"""Who is compared in `benchmarks.scan`: one recurrence, forward and backward.

  x_t = lambda_bar prev_t + inputs_t
  prev_t = initial_state where is_reset_t, else x_(t-1); x_(-1) = carry

Each contestant is one XLA program from these arguments and the gradient that
reaches the states to the states and the gradients of lambda_bar, inputs, carry
and initial_state. Each takes and returns its arrays in the layout that suits it
best, so that nobody pays for a conversion: `R2I_TF` what `r2i_tf.ssm` takes,
the others pairs of real arrays with time in front.
"""

import functools
from typing import Any, Callable, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from r2i_tf import ssm

R2I_TF = 'r2i_tf'
ASSOCIATIVE = 'tfp.math.scan_associative'
LOOP = 'tf.while_loop'

_RESETS = 4  # In a sequence, on average.
# Where r2i_tf.ssm has real and imaginary part, counted from the end.
_PARTS_AXIS = -2

Shape = tuple[int, int, int]


class Problem(NamedTuple):
  """The arguments, complex64 but for `is_reset`, bool; B, L, P is the shape.

  Attributes:
    lambda_bar: [P], magnitudes from 1 - 1e-2 to 1 - 1e-5, any phase.
    inputs: [B, L, P].
    is_reset: [B, L].
    carry: [B, P].
    initial_state: [P].
    upstream: [B, L, P], the gradient with respect to the states.
  """

  lambda_bar: np.ndarray
  inputs: np.ndarray
  is_reset: np.ndarray
  carry: np.ndarray
  initial_state: np.ndarray
  upstream: np.ndarray


class Solution(NamedTuple):
  """The states [B, L, P], and the gradients; complex, shaped as in `Problem`.

  A gradient is d/d(real part) + i d/d(imaginary part).
  """

  states: np.ndarray
  lambda_bar: np.ndarray
  inputs: np.ndarray
  carry: np.ndarray
  initial_state: np.ndarray


@functools.lru_cache(maxsize=1)
def problem(shape: Shape) -> Problem:
  """Returns the same random problem of a shape (B, L, P) each time."""
  batch, length, size = shape
  random = np.random.default_rng(0)

  def normal(*dimensions):
    parts = random.standard_normal((2, *dimensions), np.float32)
    return parts[0] + 1j * parts[1]

  is_reset = random.random((batch, length)) < _RESETS / (length + _RESETS)
  is_reset[0, [0, -1]] = False, True  # No gradient is zero.
  magnitude = 1 - 10 ** random.uniform(-5, -2, size)
  phase = random.uniform(0, 2 * np.pi, size)
  return Problem(
      lambda_bar=(magnitude * np.exp(1j * phase)).astype(np.complex64),
      inputs=normal(batch, length, size),
      is_reset=is_reset,
      carry=normal(batch, size),
      initial_state=normal(size),
      upstream=normal(batch, length, size),
  )


def reference(given: Problem) -> Solution:
  """Returns the solution step by step in float64, see r2i_tf/ssm/scan.py."""
  lambda_bar = given.lambda_bar.astype(np.complex128)
  previous = np.empty(given.inputs.shape, np.complex128)
  states, adjoint = np.empty_like(previous), np.empty_like(previous)
  length = given.inputs.shape[1]
  resets = given.is_reset[..., np.newaxis]
  state = given.carry
  for t in range(length):
    previous[:, t] = np.where(resets[:, t], given.initial_state, state)
    states[:, t] = state = lambda_bar * previous[:, t] + given.inputs[:, t]
  arrives = np.zeros_like(previous[:, 0])
  conjugate = lambda_bar.conj()
  at_resets = np.zeros_like(lambda_bar)
  for t in reversed(range(length)):
    adjoint[:, t] = given.upstream[:, t] + arrives
    through_step = conjugate * adjoint[:, t]
    at_resets += np.where(resets[:, t], through_step, 0).sum(0)
    arrives = np.where(resets[:, t], 0, through_step)
  gradient = np.einsum('blp,blp->p', previous.conj(), adjoint)
  return Solution(states, gradient, adjoint, arrives, at_resets)


def contestant(name: str, shape: Shape) -> tuple[Any, tuple[Any, ...]]:
  """Returns a contestant's `tf.function` and its arguments.

  Its HLO is `function.experimental_get_compiler_ir(*arguments)(
  stage='hlo_serialized')`.

  Args:
    name: `R2I_TF`, `ASSOCIATIVE` or `LOOP`.
    shape: (B, L, P).
  """
  given = problem(shape)
  function, arrange, _ = _CONTESTANTS[name]
  arguments = tf.nest.map_structure(
      tf.constant, tuple(arrange(value) for value in given)
  )
  return tf.function(function, jit_compile=True, autograph=False), arguments


def solution(name: str, outputs: Any) -> Solution:
  """Returns what a contestant's function gave, as every other's."""
  read = _CONTESTANTS[name].read
  return Solution(*(read(value) for value in outputs))


def errors(found: Solution, true: Solution) -> dict[str, float]:
  """Returns the greatest relative error of each part.

  The error of a channel is relative to that channel's greatest magnitude.
  """

  def greatest(x):
    return np.abs(x).reshape([-1, x.shape[-1]]).max(0)

  def relative(ours, theirs):
    return np.max(greatest(ours - theirs) / greatest(theirs))

  parts = zip(Solution._fields, found, true)
  return {name: float(relative(*pair)) for name, *pair in parts}


# r2i_tf -----------------------------------------------------------------------


def _packed(value: np.ndarray) -> np.ndarray:
  if value.dtype == bool:
    return value
  return np.stack([value.real, value.imag], _PARTS_AXIS)


def _from_packed(value: tf.Tensor) -> np.ndarray:
  real, imaginary = np.moveaxis(value.numpy(), _PARTS_AXIS, 0)
  return real + 1j * imaginary


def _r2i_tf(lambda_bar, inputs, is_reset, carry, initial_state, upstream):
  with tf.GradientTape() as tape:
    learned = (lambda_bar, inputs, carry, initial_state)
    tape.watch(learned)
    states = ssm.linear_recurrence(
        lambda_bar, inputs, is_reset, carry, initial_state
    )
  return (states, *tape.gradient(states, learned, upstream))


# The others: pairs of real arrays, time in front ------------------------------


def _time_first(value: np.ndarray):
  if value.dtype == bool:
    return np.ascontiguousarray(value.T)
  value = np.swapaxes(value, 0, 1) if value.ndim == 3 else value
  return np.ascontiguousarray(value.real), np.ascontiguousarray(value.imag)


def _from_time_first(pair) -> np.ndarray:
  value = pair[0].numpy() + 1j * pair[1].numpy()
  return np.swapaxes(value, 0, 1) if value.ndim == 3 else value


def _multiply(x, y):
  return x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]


def _add(x, y):
  return x[0] + y[0], x[1] + y[1]


def _compose(earlier, later):
  """The affine map x -> a x + b of one that is followed by another."""
  (a_earlier, b_earlier), (a_later, b_later) = earlier, later
  b = _add(_multiply(a_later, b_earlier), b_later)
  return _multiply(a_later, a_earlier), b


def _associative(lambda_bar, inputs, is_reset, carry, initial_state, upstream):
  with tf.GradientTape() as tape:
    learned = (lambda_bar, inputs, carry, initial_state)
    tape.watch(learned)
    resets = tf.cast(is_reset, tf.float32)[..., tf.newaxis]
    a = tuple(part * (1 - resets) for part in lambda_bar)
    from_initial = _multiply(lambda_bar, initial_state)
    b = _add(inputs, tuple(resets * part for part in from_initial))
    from_carry = _multiply(tuple(part[0] for part in a), carry)
    b = tuple(
        tf.concat([part[:1] + first, part[1:]], 0)
        for part, first in zip(b, from_carry)
    )
    _, states = tfp.math.scan_associative(_compose, (a, b))
  return (states, *tape.gradient(states, learned, upstream))


def _loop(lambda_bar, inputs, is_reset, carry, initial_state, upstream):
  length = inputs[0].shape[0]

  def body(t, state, arrays):
    reset = is_reset[t][:, tf.newaxis]
    previous = tuple(
        tf.where(reset, first, part)
        for first, part in zip(initial_state, state)
    )
    step = tuple(array.read(t) for array in read)
    state = _add(_multiply(lambda_bar, previous), step)
    arrays = [array.write(t, x) for array, x in zip(arrays, state)]
    return t + 1, state, arrays

  with tf.GradientTape() as tape:
    learned = (lambda_bar, inputs, carry, initial_state)
    tape.watch(learned)
    read = [tf.TensorArray(tf.float32, length).unstack(x) for x in inputs]
    _, _, arrays = tf.while_loop(
        lambda t, *_: t < length,
        body,
        (0, carry, [tf.TensorArray(tf.float32, length) for _ in inputs]),
        maximum_iterations=length,
    )
    states = tuple(array.stack() for array in arrays)
  return (states, *tape.gradient(states, learned, upstream))


class _Contestant(NamedTuple):
  """What it computes, and its layout: from complex arrays, and back."""

  function: Callable[..., Any]
  arrange: Callable[[np.ndarray], Any]
  read: Callable[[Any], np.ndarray]


_CONTESTANTS = {
    R2I_TF: _Contestant(_r2i_tf, _packed, _from_packed),
    ASSOCIATIVE: _Contestant(_associative, _time_first, _from_time_first),
    LOOP: _Contestant(_loop, _time_first, _from_time_first),
}
