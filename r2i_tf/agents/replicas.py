"""The exchange between the replicas of a train step.

With one replica, each function returns its argument. Those that exchange
something must be called by all replicas, within `strategy.run`.
"""

from typing import Any

import tensorflow as tf
from tf_agents.agents import tf_agent


def gather(x: tf.Tensor) -> tf.Tensor:
  """Returns the vectors of all replicas end to end.

  Args:
    x: [N], of the same size on every replica.
  """
  context = tf.distribute.get_replica_context()
  if context.num_replicas_in_sync == 1:
    return x
  if x.dtype == tf.bool:
    return tf.cast(context.all_gather(tf.cast(x, tf.int32), axis=0), tf.bool)
  return context.all_gather(x, axis=0)


def mean(tensors: Any) -> Any:
  """Returns the mean of each tensor over all replicas.

  Args:
    tensors: A nest.
  """
  context = tf.distribute.get_replica_context()
  if context.num_replicas_in_sync == 1:
    return tensors
  flat = context.all_reduce(
      tf.distribute.ReduceOp.MEAN, tf.nest.flatten(tensors)
  )
  return tf.nest.pack_sequence_as(tensors, flat)


def share(info: tf_agent.LossInfo) -> tf_agent.LossInfo:
  """Divides by the number of replicas: a `Learner` adds their shares.

  Args:
    info: The loss and the scalars of this replica.
  """
  replicas = tf.distribute.get_strategy().num_replicas_in_sync
  if replicas == 1:
    return info
  return tf.nest.map_structure(lambda x: x / replicas, info)


def own_seed(seed: tf.Tensor) -> tf.Tensor:
  """Returns a stateless seed of this replica alone.

  Args:
    seed: int32 [2], the same on every replica.
  """
  context = tf.distribute.get_replica_context()
  if context is None or context.num_replicas_in_sync == 1:
    return seed
  return tf.random.experimental.stateless_fold_in(
      seed, tf.cast(context.replica_id_in_sync_group, tf.int32)
  )
