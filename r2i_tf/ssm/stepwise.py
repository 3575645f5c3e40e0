"""The recurrence of `scan` in one chunk: step after step, each number once.

What its time goes to is memory: an input is read once and its state written
once, and the gradient's sums are taken while what they add up is in the cache.

How it is written follows from what XLA makes of it on a CPU:

  - Both planes of a step are one array [B, 2, P], whose complex product with a
    constant takes a reversal of the planes. Two arrays that are joined would be
    written number by number, behind a branch.
  - A sum that a loop carries is added to in its place, number by number as
    well. So the sums are taken over a block of steps, written out as one
    expression, and put into an array of their own.
  - What a loop writes into is filled first. Equal fillings are made one, which
    is copied for each loop; so each is of a number out of its own inputs.

To be called in a program that XLA compiles: the slices are XLA's own.
"""

from collections.abc import Callable
from collections.abc import Sequence
import functools
import operator
from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

from r2i_tf.ssm import loops

# Steps whose part of the gradient's sums is one expression. What they read is
# in the cache of a core; the sums take a quarter of the memory of the states.
_BLOCK = 8
# A sum of more numbers XLA divides on a CPU, in a way that is slow.
_SUMMANDS = 32


def run(
    lambda_bar: tf.Tensor,
    inputs: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
) -> tf.Tensor:
  """Returns the states; arguments as of `scan.linear_recurrence`."""
  length = inputs.shape[1]
  forward = _multiplier(lambda_bar)

  def body(
      step: tf.Tensor, state: tf.Tensor, states: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    is_new = _for_planes(loops.at(is_reset, step, axis=1))
    state = forward(tf.where(is_new, initial_state, state))
    state += loops.at(inputs, step, axis=1)
    state.set_shape(carry.shape)
    return step + 1, state, loops.put(states, state, step, axis=1)

  _, _, states = tf.while_loop(
      lambda step, *_: step < length,
      body,
      (tf.constant(0), carry, _filled(inputs, tf.shape(inputs))),
      maximum_iterations=length,
  )
  return states


def adjoint(
    lambda_bar: tf.Tensor,
    states: tf.Tensor,
    is_reset: tf.Tensor,
    carry: tf.Tensor,
    initial_state: tf.Tensor,
    upstream: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
  """Returns the gradient of `run`; arguments as of `scan._adjoint`.

  A block of steps is run, then its terms of the two sums over b and t are
  added up, r_t a_t for the initial state and prev_t' a_t for lambda_bar. Of the
  second x_(t-1)' a_t is taken there; the terms of the first step and of resets,
  where prev_t is something else, follow at the end.
  """
  batch_size, length = tf.shape(upstream)[0], upstream.shape[1]
  block = min(_BLOCK, length)
  blocks = -(-length // block)
  back = _multiplier(lambda_bar * [[1.0], [-1.0]])
  # Whether the state after a step goes no further: then nothing comes back.
  is_end = tf.concat([is_reset[:, 1:], tf.ones_like(is_reset[:, :1])], axis=1)

  def step_back(
      step: tf.Tensor, later: tf.Tensor, result: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    ends = _for_planes(loops.at(is_end, step, axis=1))
    now = back(tf.where(ends, 0.0, later))
    now += loops.at(upstream, step, axis=1)
    now.set_shape(carry.shape)
    return step - 1, now, loops.put(result, now, step, axis=1)

  def block_back(
      count: tf.Tensor,
      later: tf.Tensor,
      result: tf.Tensor,
      products: tf.Tensor,
      at_resets: tf.Tensor,
  ) -> tuple[tf.Tensor, ...]:
    last = length - 1 - count * block
    first = tf.maximum(last - block + 1, 0)
    _, now, result = tf.while_loop(
        lambda step, *_: step >= first,
        step_back,
        (last, later, result),
        maximum_iterations=block,
    )
    x, a, ends, resets = (
        _block(array, first, batch_size, block)
        for array in (states, result, is_end, is_reset)
    )
    if length % block:  # The block at the start overlaps with the one before.
      step = first + tf.range(block)
      ends |= step >= last
      resets &= step <= last
    across = _conjugate_product(loops.at(states, last, axis=1), later)
    across_ends = _for_planes(loops.at(is_end, last, axis=1))
    terms = [tf.where(across_ends, 0.0, across)]
    for k in range(block - 1):
      term = _conjugate_product(x[:, k], a[:, k + 1])
      terms.append(tf.where(_for_planes(ends[:, k]), 0.0, term))
    reset_terms = [
        tf.where(_for_planes(resets[:, k]), a[:, k], 0.0) for k in range(block)
    ]
    return (
        count + 1,
        now,
        result,
        loops.put(products, _sum(terms), count, axis=0),
        loops.put(at_resets, _sum(reset_terms), count, axis=0),
    )

  of_blocks = _filled(carry, tf.concat([[blocks], tf.shape(carry)], axis=0))
  of_blocks.set_shape([blocks, *carry.shape])
  _, first, result, products, at_resets = tf.while_loop(
      lambda count, *_: count < blocks,
      block_back,
      (
          tf.constant(0),
          tf.zeros_like(carry),
          _filled(upstream, tf.shape(upstream)),
          of_blocks,
          of_blocks,
      ),
      maximum_iterations=blocks,
  )
  first = tf.where(_for_planes(is_reset[:, 0]), 0.0, first)
  of_lambda_bar = _total(products) + _conjugate_product(carry, first)
  at_resets = tf.reduce_sum(_total(at_resets), axis=0)
  return (
      tf.reduce_sum(of_lambda_bar, axis=0)
      + _conjugate_product(initial_state, at_resets),
      result,
      back(first),
      back(at_resets),
  )


def _multiplier(factor: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
  """Returns the complex product with a factor [2, P], of [..., 2, P].

  Its arrays are made here once: outside of the loop that uses it.
  """
  re, im = tf.unstack(factor)
  straight, crossed = tf.stack([re, re]), tf.stack([-im, im])
  return lambda x: straight * x + crossed * tf.reverse(x, [-2])


def _conjugate_product(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
  """Returns left' right, of [..., 2, P] each."""
  turned = tf.reverse(right, [-2]) * [[1.0], [-1.0]]
  return left[..., :1, :] * right + left[..., 1:, :] * turned


def _for_planes(flags: tf.Tensor) -> tf.Tensor:
  """Flags [B] to go with [B, 2, P]."""
  return flags[:, tf.newaxis, tf.newaxis]


def _block(
    x: tf.Tensor, first: tf.Tensor, batch_size: tf.Tensor, steps: int
) -> tf.Tensor:
  """The part of [B, L, ...] that begins at a step: [B, steps, ...]."""
  inner = x.shape[2:]
  part = xla.dynamic_slice(
      x,
      tf.stack([0, first, *[0] * len(inner)]),
      tf.stack([batch_size, steps, *inner]),
  )
  part.set_shape([x.shape[0], steps, *inner])
  return part


def _filled(like: tf.Tensor, shape: Any) -> tf.Tensor:
  """Returns an array to be overwritten, of a number that `like` has."""
  return tf.broadcast_to(tf.reshape(like, [-1])[0], shape)


def _sum(terms: Sequence[tf.Tensor]) -> tf.Tensor:
  return functools.reduce(operator.add, terms)


def _total(x: tf.Tensor) -> tf.Tensor:
  """The sum over the first axis of [C, B, 2, P], in stages."""
  while x.shape[0] > 1:
    size = min(x.shape[0], _SUMMANDS)
    x = tf.pad(x, [[0, -x.shape[0] % size], [0, 0], [0, 0], [0, 0]])
    groups = x.shape[0] // size
    parts = tf.reshape(x, tf.concat([[groups, size], tf.shape(x)[1:]], 0))
    parts.set_shape([groups, size, *x.shape[1:]])
    x = tf.reduce_sum(parts, axis=1)
  return x[0]
