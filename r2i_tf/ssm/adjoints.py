"""Gradients written by hand, for the recurrences.

The adjoint of a linear recurrence is a linear recurrence run from the end: it
needs the states, and nothing of what happened on the way to them.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any, NoReturn

import tensorflow as tf


def with_adjoint(
    forward: Callable[..., tf.Tensor],
    adjoint: Callable[..., tuple[tf.Tensor, ...]],
    kept: Sequence[int],
) -> Callable[..., tf.Tensor]:
  """Returns `forward` with a gradient of its own; differentiable once.

  Args:
    forward: The arguments to the states.
    adjoint: The gradient with respect to the states, the states, and those
      arguments that are kept, to the gradients of all arguments.
    kept: The places of the arguments that `adjoint` reads.

  Returns:
    A function of the arguments of `forward`.
  """

  @tf.custom_gradient
  def function(
      *arguments: tf.Tensor,
  ) -> tuple[tf.Tensor, Callable[[tf.Tensor], Any]]:
    states = forward(*_constants(arguments))

    @tf.custom_gradient
    def gradient(
        *given: tf.Tensor,
    ) -> tuple[tuple[tf.Tensor, ...], Callable[..., NoReturn]]:
      return adjoint(*_constants(given)), _refuse_second_derivative

    return states, lambda upstream: gradient(
        upstream, states, *(arguments[place] for place in kept)
    )

  return function


def _constants(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
  """Returns the tensors as constants: no tape looks for gradients inside."""
  return [tf.stop_gradient(tensor) for tensor in tensors]


def _refuse_second_derivative(*_: tf.Tensor) -> NoReturn:
  raise NotImplementedError(
      'a second derivative of a linear recurrence was asked for, but only'
      ' first ones exist; keep a function that is differentiated twice out of'
      ' the layer.'
  )
