"""The exchange between the replicas of a train step.

With one replica, each function returns its argument. Those that exchange
something must be called by all replicas, within `strategy.run`.

A program for several replicas can also be traced where there is only one, to
be compiled elsewhere (`described`): custom calls then stand for what TensorFlow
cannot lower here, with these targets and the operands and results of the
functions below.
"""

from collections.abc import Iterator
import contextlib
from typing import Any, Optional

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

INDEX, ADD, GATHER = 'r2i.index', 'r2i.add', 'r2i.gather'
_described: Optional[int] = None


@contextlib.contextmanager
def described(number: int) -> Iterator[None]:
  """Has a trace inside give the program of one of several replicas.

  Args:
    number: How many there are to be.
  """
  global _described
  before, _described = _described, number
  try:
    yield
  finally:
    _described = before


def count() -> int:
  """Returns how many replicas there are, on all hosts."""
  return _described or tf.distribute.get_strategy().num_replicas_in_sync


def index() -> tf.Tensor:
  """Returns which of the replicas this is, an int32 scalar."""
  if _described:
    return _custom_call(INDEX, [], tf.int32, [])
  context = tf.distribute.get_replica_context()
  if context is None:
    return tf.constant(0)
  return tf.cast(context.replica_id_in_sync_group, tf.int32)


def compiled_by_strategy() -> bool:
  """Returns whether `strategy.run` makes one program of all that is in it."""
  strategy = tf.distribute.get_strategy()
  return isinstance(strategy, tf.distribute.TPUStrategy)


def reports_alone() -> bool:
  """Returns whether this replica has all numbers, and may write them down."""
  return count() == 1 and not compiled_by_strategy()


def gather(x: tf.Tensor) -> tf.Tensor:
  """Returns the vectors of all replicas end to end.

  Args:
    x: [N], of the same size on every replica.
  """
  if count() == 1:
    return x
  if x.dtype == tf.bool:
    return tf.cast(gather(tf.cast(x, tf.int32)), tf.bool)
  if _described:
    shape = [count() * x.shape[0], *x.shape[1:]]
    return _custom_call(GATHER, [x], x.dtype, shape)
  return tf.distribute.get_replica_context().all_gather(x, axis=0)


def add(tensors: Any) -> Any:
  """Returns the sum of each tensor over all replicas.

  Args:
    tensors: A nest.
  """
  if count() == 1:
    return tensors
  flat = tf.nest.flatten(tensors)
  if _described:
    flat = [_custom_call(ADD, [x], x.dtype, x.shape) for x in flat]
  else:
    context = tf.distribute.get_replica_context()
    flat = context.all_reduce(tf.distribute.ReduceOp.SUM, flat)
  return tf.nest.pack_sequence_as(tensors, flat)


def share(numbers: Any) -> Any:
  """Returns this replica's share of what all have alike: their sum is that.

  Args:
    numbers: A nest.
  """
  if count() == 1:
    return numbers
  return tf.nest.map_structure(lambda x: x / count(), numbers)


def _custom_call(
    target: str, operands: list[tf.Tensor], dtype: tf.DType, shape: Any
) -> tf.Tensor:
  [result] = xla.custom_call_v2(target, operands, [tf.TensorSpec(shape, dtype)])
  result.set_shape(shape)
  return result
