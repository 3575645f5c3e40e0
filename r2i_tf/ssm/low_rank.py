"""The linear recurrence whose matrix is diagonal less a matrix of rank one.

The state-space model of S4 (`kinds.siso_dplr`) has, for each of H channels, N
complex states and one map

  x_t = A prev_t + inputs_t,   A = diag(e) - f g^T
  prev_t = initial_state where is_reset_t, else x_(t-1)

S4 never multiplies such matrices: it trains by a convolution, which neither
resets nor gives states. Here the steps are taken one after the other, in one
XLA loop of L steps: a step costs two passes over H N numbers, twice that of a
diagonal model, and nothing is cut into chunks. A chunk would have to be passed
over by A^K, a dense matrix [N, N] for each channel, and A is far from normal:
the eigenvectors that would make it diagonal cannot be computed in any floating
point for HiPPO-LegS (arXiv 2111.00396, lemma 3.2). A CPU, whose vector units
one step fills, runs a diagonal model in that order, too; a GPU or a TPU waits
for L steps where a diagonal model has it wait for about 2 sqrt(L).

With conjugate symmetry the states stand for themselves and their conjugates,
and so do e, f and g: the product g^T x is twice its real part.

Complex numbers are two planes, [..., 2, P], of P = H N states, channel by
channel.
"""

from typing import NamedTuple

import tensorflow as tf

from r2i_tf.ssm import adjoints
from r2i_tf.ssm import loops
from r2i_tf.ssm import planes


class LowRankMap(NamedTuple):
  """A = diag(e) - f g^T of each channel; all float32 [2, P].

  Attributes:
    diagonal: e.
    left: f.
    right: g.
  """

  diagonal: tf.Tensor
  left: tf.Tensor
  right: tf.Tensor


def low_rank_recurrence(
    matrix: LowRankMap,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    channel_size: int,
    conjugate_symmetry: bool,
) -> tf.Tensor:
  """Runs the recurrence over a sequence.

  Differentiable, once, in everything but `is_reset`; a backward pass keeps
  nothing but the states. Compiled by XLA, also where it is called from a
  function that is not. The batch size may be unknown when traced.

  Args:
    matrix: A.
    inputs: float32 [B, L, 2, P]. L >= 1.
    is_reset: bool [B, L], True where the state is replaced before the step.
    carry: float32 [B, 2, P], the state before step 0.
    initial_state: float32 [2, P], which a reset puts in the state's place.
    channel_size: N, which divides P.
    conjugate_symmetry: Whether a state stands for its conjugate, too.

  Returns:
    The states x_t, float32 [B, L, 2, P].
  """
  options = (channel_size, conjugate_symmetry)

  def forward(
      diagonal: tf.Tensor,
      left: tf.Tensor,
      right: tf.Tensor,
      inputs: tf.Tensor,
      carry: tf.Tensor,
      initial_state: tf.Tensor,
  ) -> tf.Tensor:
    matrix = LowRankMap(diagonal, left, right)
    return _forward(matrix, inputs, is_reset, carry, initial_state, *options)

  def adjoint(
      upstream: tf.Tensor,
      states: tf.Tensor,
      diagonal: tf.Tensor,
      left: tf.Tensor,
      right: tf.Tensor,
      carry: tf.Tensor,
      initial_state: tf.Tensor,
  ) -> tuple[tf.Tensor, ...]:
    matrix = LowRankMap(diagonal, left, right)
    return _adjoint(
        matrix, states, is_reset, carry, initial_state, upstream, *options
    )

  recurrence = adjoints.with_adjoint(forward, adjoint, kept=[0, 1, 2, 4, 5])
  return recurrence(*matrix, inputs, carry, initial_state)


def low_rank_recurrence_step(
    matrix: LowRankMap,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    channel_size: int,
    conjugate_symmetry: bool,
) -> tf.Tensor:
  """Runs one step; arguments as of `low_rank_recurrence`, without axis L."""
  previous = tf.where(is_reset[:, tf.newaxis, tf.newaxis], initial_state, carry)
  moved = _apply(
      matrix, planes.split(previous), channel_size, conjugate_symmetry
  )
  return planes.join(moved) + inputs


def _apply(
    matrix: LowRankMap,
    state: planes.Planes,
    channel_size: int,
    conjugate_symmetry: bool,
) -> planes.Planes:
  """A x for each channel, planes [..., P]."""
  diagonal, left, right = (planes.split(part) for part in matrix)
  products = [
      tf.reduce_sum(_by_channel(part, channel_size), axis=-1, keepdims=True)
      for part in planes.multiply(right, state)
  ]
  if conjugate_symmetry:
    products = [2.0 * products[0], tf.zeros_like(products[1])]
  removed = planes.multiply(
      tuple(_by_channel(part, channel_size) for part in left), tuple(products)
  )
  return tuple(
      kept - tf.reshape(part, tf.shape(kept))
      for kept, part in zip(planes.multiply(diagonal, state), removed)
  )


def _by_channel(x: tf.Tensor, channel_size: int) -> tf.Tensor:
  """[..., H N] as [..., H, N]."""
  channels = x.shape[-1] // channel_size
  outer = tf.shape(x)[:-1]
  shaped = tf.reshape(x, tf.concat([outer, [channels, channel_size]], 0))
  shaped.set_shape([*x.shape[:-1], channels, channel_size])
  return shaped


def _conjugate(x: tf.Tensor) -> tf.Tensor:
  return x * tf.constant([[1.0], [-1.0]])


# Compiled also where the caller is not: the slices of the loops are XLA's.
@tf.function(jit_compile=True, autograph=False)
def _forward(
    matrix: LowRankMap,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    channel_size: int,
    conjugate_symmetry: bool,
) -> tf.Tensor:
  """The states; arguments as of `low_rank_recurrence`."""
  return loops.run(
      lambda state, step: _apply(
          matrix, state, channel_size, conjugate_symmetry
      ),
      inputs,
      is_reset,
      planes.split(carry),
      planes.split(initial_state),
      axis=1,
  )


@tf.function(jit_compile=True, autograph=False)
def _adjoint(
    matrix: LowRankMap,
    states: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    upstream: tf.Tensor,
    channel_size: int,
    conjugate_symmetry: bool,
) -> tuple[tf.Tensor, ...]:
  """The gradient of the recurrence, given that of its states.

  With g_t the gradient that reaches x_t from outside, a_t the whole gradient
  with respect to x_t, A' the adjoint of A and r for the resets:

    a_t = g_t + A' (1 - r_(t+1)) a_(t+1)
    d inputs_t = a_t
    d carry = A' (1 - r_0) a_0
    d initial_state = A' sum over b, t of r_t a_t

  A' is diag(conj e) - conj(g) conj(f)^T, a map of the same form. The gradients
  of e, f and g are those of A prev_t, of all steps side by side.

  Returns:
    The gradients for e, f, g, the inputs, the carry and the initial state.
  """
  transposed = LowRankMap(
      diagonal=_conjugate(matrix.diagonal),
      left=_conjugate(matrix.right),
      right=_conjugate(matrix.left),
  )
  zero = tf.zeros_like(initial_state)

  def back(x: planes.Planes) -> planes.Planes:
    return _apply(transposed, x, channel_size, conjugate_symmetry)

  adjoint = loops.run(
      lambda state, step: back(state),
      upstream,
      is_reset,
      planes.split(tf.zeros_like(carry)),
      planes.split(zero),
      axis=1,
      reverse=True,
      reset_after=True,
  )
  reset = is_reset[..., tf.newaxis, tf.newaxis]
  previous = tf.concat([carry[:, tf.newaxis], states[:, :-1]], 1)
  previous = tf.where(reset, initial_state, previous)
  with tf.GradientTape() as tape:
    tape.watch(matrix)
    moved = planes.join(
        _apply(matrix, planes.split(previous), channel_size, conjugate_symmetry)
    )
  of_matrix = tape.gradient(moved, list(matrix), output_gradients=adjoint)
  first = tf.where(reset[:, 0], zero, adjoint[:, 0])
  at_resets = tf.reduce_sum(tf.where(reset, adjoint, zero), axis=[0, 1])
  return (
      *of_matrix,
      adjoint,
      planes.join(back(planes.split(first))),
      planes.join(back(planes.split(at_resets))),
  )
