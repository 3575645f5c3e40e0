"""From batches to a trained agent, on the devices of a strategy.

  batches -> agent.train on each replica -> losses, added over the replicas

A call takes one train step or several, in a loop that TensorFlow runs.

The learner knows nothing of environments, of time, or of where batches come
from; `run` does.
"""

from collections.abc import Mapping
from typing import Any, Optional

import numpy as np
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.utils import common

from r2i_tf.training import strategies


class Learner:
  """Trains an agent, one batch for each replica in a step.

  Attributes:
    train_steps: Steps taken, over all starts of the run.
    steps_per_call: Train steps of one `train`.
    feeds: Whether Python fetches the batches, not the program that trains.
  """

  def __init__(
      self,
      agent: tf_agent.TFAgent,
      batches: tf.data.Dataset,
      strategy: Optional[tf.distribute.Strategy] = None,
      steps_per_call: int = 1,
  ):
    """Initializes the agent; asks for no batch yet.

    Args:
      agent: Its variables exist already, made in the strategy's scope. Each
        replica returns its share of loss and scalars, as `R2IAgent` does: their
        sum over the replicas is reported.
      batches: Each is for one replica in one step: a nest of tensors [B, T,
        ...] as the agent's `train` takes it.
      strategy: The replicas; None for the strategy that is in force, which by
        default is one device.
      steps_per_call: Train steps of one `train`.
    """
    self.steps_per_call = steps_per_call
    self._agent = agent
    self._strategy = strategy or tf.distribute.get_strategy()
    # Not a strategy's own iterator: that draws ahead, in threads, and the same
    # seed would not give the same run again.
    self._batches = iter(batches)
    self.feeds = strategies.is_remote(self._strategy)
    with self._strategy.scope():
      agent.initialize()
    self._train_function = common.function(self._train)
    self._loss_names: tuple[str, ...] = ()
    self._loss_sum: Any = 0.0
    self._loss_count = 0
    self.train_steps = 0

  def trace(self) -> None:
    """Makes the graph of a call now, if Python does not fetch its batches.

    TensorFlow numbers its functions, and XLA's cache of compiled programs knows
    a program by its function's name, too. Traced at one place of each start, it
    has the same name in a run that begins and in one that goes on.
    """
    if not self.feeds:
      self._train_function.get_concrete_function()

  def train(self) -> None:
    """Takes the train steps of a call; waits for no device.

    Raises:
      tf.errors.OutOfRangeError: There are no more batches.
    """
    if self.feeds:
      self._loss_sum += self._train_function(self._fetched())
    else:
      self._loss_sum += self._train_function()
    self._loss_count += self.steps_per_call
    self.train_steps += self.steps_per_call

  def take_losses(self) -> dict[str, float]:
    """Returns the mean of each loss since the last call; waits for them."""
    if not self._loss_count:
      return {}
    means = np.asarray(self._loss_sum) / self._loss_count
    self._loss_sum, self._loss_count = 0.0, 0
    return dict(zip(self._loss_names, means.tolist()))

  def trackables(self) -> Mapping[str, Any]:
    """Returns the objects whose variables belong into a checkpoint, by name."""
    return {
        'agent': self._agent,
        'train_step': self._agent.train_step_counter,
    }

  def state(self) -> Mapping[str, Any]:
    """Returns the count for `restore`, as plain values."""
    return {'train_steps': self.train_steps}

  def restore(self, state: Mapping[str, Any]) -> None:
    """Continues the count of `state`."""
    self.train_steps = state['train_steps']

  def _fetched(self) -> Any:
    """Returns the batches of a call for each replica, [steps, B, T, ...]."""
    replicas = range(self._strategy.num_replicas_in_sync)
    steps = [
        [next(self._batches) for _ in replicas]
        for _ in range(self.steps_per_call)
    ]

    def of_replica(context: tf.distribute.experimental.ValueContext) -> Any:
      index = context.replica_id_in_sync_group
      return tf.nest.map_structure(
          lambda *parts: tf.stack(parts), *[step[index] for step in steps]
      )

    return self._strategy.experimental_distribute_values_from_function(
        of_replica
    )

  def _train(self, fed: Any = None) -> tf.Tensor:
    """Takes the train steps; returns the sums of the losses as one vector."""
    losses = self._train_once(0, fed)
    if self.steps_per_call == 1:
      return losses
    _, losses = tf.while_loop(
        lambda step, _: step < self.steps_per_call,
        lambda step, losses: (step + 1, losses + self._train_once(step, fed)),
        (1, losses),
    )
    return losses

  def _train_once(self, step: Any, fed: Any) -> tf.Tensor:
    if fed is None:
      # Replicas are traced one after the other; TensorFlow keeps the order.
      losses = self._strategy.run(lambda: self._on_replica(next(self._batches)))
    else:
      losses = self._strategy.run(self._on_fed, args=(fed, step))
    return self._strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

  def _on_fed(self, batches: Any, step: tf.Tensor) -> tf.Tensor:
    return self._on_replica(tf.nest.map_structure(lambda x: x[step], batches))

  def _on_replica(self, experience: Any) -> tf.Tensor:
    """Trains on the batch of one replica; returns its share of the losses."""
    info = self._agent.train(experience)
    extra = info.extra
    if hasattr(extra, '_asdict'):
      extra = extra._asdict()
    losses = {'loss': info.loss, **(extra or {})}
    self._loss_names = tuple(losses)  # Known once the function is traced.
    return tf.stack([tf.cast(loss, tf.float32) for loss in losses.values()])


def train_step_counter() -> tf.Variable:
  """Returns a counter for an agent, to be made in the scope of its strategy."""
  return tf.Variable(
      0,
      dtype=tf.int64,
      trainable=False,
      # On several replicas each adds the same.
      aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
      name='train_step',
  )
