"""What a backward pass keeps, and when it is done with it.

`tf.recompute_grad` does not survive XLA: it marks the values to compute again
by identities; XLA removes these, finds the same values computed twice and keeps
one. It respects a barrier of its own.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

# From the gradient of the result to those of the arguments and variables.
_Gradient = Callable[..., tuple[list[tf.Tensor], list[tf.Tensor]]]


def rematerialized(
    function: Callable[..., tf.Tensor],
) -> Callable[..., tf.Tensor]:
  """Returns `function` with a gradient that keeps only its arguments.

  Args:
    function: Tensors to one tensor. It may read variables; its result must
      depend on nothing else.

  Returns:
    A function of the same values and gradients.
  """

  @tf.custom_gradient
  def wrapped(*arguments: tf.Tensor) -> tuple[tf.Tensor, _Gradient]:
    # Its own gradient would keep everything.
    result = function(*arguments)

    def gradient(
        upstream: tf.Tensor, variables: Sequence[tf.Variable] = ()
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
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

  def call(*arguments: tf.Tensor) -> tf.Tensor:
    return wrapped(*arguments)

  return call


def finished_at_once(
    function: Callable[..., tf.Tensor],
) -> Callable[..., tf.Tensor]:
  """Returns `function` with a gradient that goes on when all of it is there.

  The gradients of variables are for the optimiser at the end of a train step,
  and XLA may leave them until then. Meanwhile it keeps what they are made of:
  here, every activation of `function`, and the gradient of each.

  Args:
    function: Tensors to one tensor. It may read variables.

  Returns:
    A function of the same values and gradients.
  """

  @tf.custom_gradient
  def wrapped(*arguments: tf.Tensor) -> tuple[tf.Tensor, _Gradient]:
    with tf.GradientTape() as tape:
      tape.watch(arguments)
      result = function(*arguments)

    def gradient(
        upstream: tf.Tensor, variables: Sequence[tf.Variable] = ()
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
      gradients = tape.gradient(
          result,
          [*arguments, *variables],
          output_gradients=upstream,
          unconnected_gradients=tf.UnconnectedGradients.ZERO,
      )
      # Constants to any tape around: the barrier has no gradient.
      gradients = together([tf.stop_gradient(x) for x in gradients])
      return gradients[: len(arguments)], gradients[len(arguments) :]

    return result, gradient

  def call(*arguments: tf.Tensor) -> tf.Tensor:
    return wrapped(*arguments)

  return call


# Compiled also where the caller is not: the barrier is XLA's.
@tf.function(jit_compile=True, autograph=False)
def together(tensors: Any) -> Any:
  """Returns the tensors once all of them are there; without gradient.

  XLA's compiler neither moves an operation that uses one of them before an
  operation that makes another, nor merges equal operations on either side.

  Args:
    tensors: A nest of tensors.
  """
  flat = xla.optimization_barrier(*tf.nest.flatten(tensors))
  return tf.nest.pack_sequence_as(tensors, flat)
