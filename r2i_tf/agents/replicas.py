"""The exchange between the replicas of a train step.

With one replica, each function returns its argument. Those that exchange
something must be called by all replicas, within `strategy.run`.
"""

from typing import Any

import tensorflow as tf


def count() -> int:
  """Returns how many replicas there are, on all hosts."""
  return tf.distribute.get_strategy().num_replicas_in_sync


def index() -> tf.Tensor:
  """Returns which of the replicas this is, an int32 scalar."""
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
  context = tf.distribute.get_replica_context()
  if x.dtype == tf.bool:
    return tf.cast(context.all_gather(tf.cast(x, tf.int32), axis=0), tf.bool)
  return context.all_gather(x, axis=0)


def add(tensors: Any) -> Any:
  """Returns the sum of each tensor over all replicas.

  Args:
    tensors: A nest.
  """
  if count() == 1:
    return tensors
  context = tf.distribute.get_replica_context()
  flat = context.all_reduce(
      tf.distribute.ReduceOp.SUM, tf.nest.flatten(tensors)
  )
  return tf.nest.pack_sequence_as(tensors, flat)


def share(numbers: Any) -> Any:
  """Returns this replica's share of what all have alike: their sum is that.

  Args:
    numbers: A nest.
  """
  if count() == 1:
    return numbers
  return tf.nest.map_structure(lambda x: x / count(), numbers)
