"""A loop over time with a gradient, in time that grows with its length alone.

Inputs are popped off lists and outputs pushed onto lists, and the gradient of
the one is the other. To read and write arrays at an index comes to mind first,
but the gradient of that is an array of all steps for each step, and adding them
up takes time with the square of the length: at 4,096 steps most of it.
"""

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any, Optional

import tensorflow as tf


def run(
    step: Callable[[Any, Any], tuple[Any, Any]],
    inputs: Any,
    carry: Any,
    outputs: Any,
) -> Any:
  """Goes from step to step of a batch of sequences.

  Args:
    step: (inputs of step t, carry from step t - 1) to (outputs of step t, carry
      from step t), leaves [B, ...].
    inputs: A nest of tensors [B, T, ...].
    carry: Into the first step, a nest of tensors.
    outputs: What `step` puts out, a nest of `tf.TensorSpec` without the batch
      axis.

  Returns:
    The outputs of all steps, leaves [B, T, ...].
  """
  steps = [_swapped(tf.convert_to_tensor(x)) for x in tf.nest.flatten(inputs)]
  batch, length = steps[0].shape[1], steps[0].shape[0]
  if length is None:
    length = tf.shape(steps[0])[0]
  # What has no gradient is read at an index.
  waiting = [_list_of(x) for x in steps if x.dtype.is_floating]
  specs = tf.nest.flatten(outputs)
  written = [
      tf.raw_ops.EmptyTensorList(
          element_shape=_sizes([batch, *spec.shape]),
          max_num_elements=length,
          element_dtype=spec.dtype,
      )
      for spec in specs
  ]

  def body(
      t: tf.Tensor, carry: Any, waiting: list[tf.Tensor], written: Any
  ) -> tuple[tf.Tensor, Any, list[tf.Tensor], list[tf.Tensor]]:
    rest = iter(waiting)
    here, left = [], []
    for x in steps:
      if x.dtype.is_floating:
        handle, value = tf.raw_ops.TensorListPopBack(
            input_handle=next(rest),
            element_shape=_sizes(x.shape[1:]),
            element_dtype=x.dtype,
        )
        left.append(handle)
        here.append(value)
      else:
        here.append(x[t])
    results, carry = step(tf.nest.pack_sequence_as(inputs, here), carry)
    written = [
        tf.raw_ops.TensorListPushBack(input_handle=handle, tensor=x)
        for handle, x in zip(written, tf.nest.flatten(results))
    ]
    return t + 1, carry, left, written

  *_, written = tf.while_loop(
      lambda t, *_: t < length,
      body,
      (tf.constant(0), carry, waiting, written),
      maximum_iterations=length,
  )
  stacked = [
      tf.raw_ops.TensorListStack(
          input_handle=handle,
          element_shape=_sizes([batch, *spec.shape]),
          element_dtype=spec.dtype,
          num_elements=length if isinstance(length, int) else -1,
      )
      for handle, spec in zip(written, specs)
  ]
  return tf.nest.pack_sequence_as(outputs, [_swapped(x) for x in stacked])


def _list_of(x: tf.Tensor) -> tf.Tensor:
  """Returns [T, ...] as a list with the first step at its end."""
  return tf.raw_ops.TensorListFromTensor(
      tensor=tf.reverse(x, [0]), element_shape=_sizes(x.shape[1:])
  )


def _sizes(shape: Iterable[Optional[int]]) -> list[int]:
  """Returns a shape as lists have it: -1 where a size is unknown."""
  return [-1 if size is None else size for size in shape]


def _swapped(x: tf.Tensor) -> tf.Tensor:
  """Returns [B, T, ...] as [T, B, ...], and back."""
  return tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
