"""Computing again in the backward pass instead of keeping.

`tf.recompute_grad` does not survive XLA: it marks what is to be computed again
by identities, which XLA removes, and then finds the same values computed twice
and keeps one. A barrier of XLA's own is what it respects.
"""

from __future__ import annotations

from typing import Any, Callable

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla


def rematerialized(
    function: Callable[..., tf.Tensor],
) -> Callable[..., tf.Tensor]:
  """Returns `function` with a gradient that keeps only its arguments.

  Args:
    function: tensors to one tensor. It may read variables; what it computes
      must depend on nothing else.

  Returns:
    A function of the same values and gradients.
  """

  @tf.custom_gradient
  def wrapped(*arguments):
    # Its own gradient would keep everything.
    result = function(*arguments)

    def gradient(upstream, variables=()):
      # Constants to any tape around: the barrier has no gradient.
      kept = together([tf.stop_gradient(x) for x in (*arguments, upstream)])
      with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(kept[:-1])
        for variable in variables:
          tape.watch(variable)
        again = function(*kept[:-1])
      gradients = tape.gradient(
          again,
          [*kept[:-1], *variables],
          output_gradients=kept[-1],
          unconnected_gradients=tf.UnconnectedGradients.ZERO,
      )
      of_arguments = gradients[: len(arguments)]
      return of_arguments, gradients[len(arguments) :]

    return result, gradient

  def call(*arguments):
    return wrapped(*arguments)

  return call


# Compiled also where the caller is not: the barrier is XLA's.
@tf.function(jit_compile=True, autograph=False)
def together(tensors: Any) -> Any:
  """Returns the tensors once all of them are there; without gradient.

  XLA's compiler neither moves what uses one of them before what makes another,
  nor finds that something on either side is the same.

  Args:
    tensors: a nest of tensors.
  """
  flat = xla.optimization_barrier(*tf.nest.flatten(tensors))
  return tf.nest.pack_sequence_as(tensors, flat)
