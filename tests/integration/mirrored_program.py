"""Trains on two replicas; a program, since it must split the CPU first.

    python -m tests.integration.mirrored_program <folder>

Writes what `mirrored_test` looks at to `results.json` in the folder.
"""

import json
import os
import sys

import numpy as np
import tensorflow as tf
from tf_agents.train import learner as learner_lib

from r2i_tf.agents import replicas
from tests.agents import small


def _per_replica(variable):
  return [value.numpy() for value in variable.values]


def _differing(agent):
  """Names of variables that differ between the replicas."""
  variables = [*agent.variables]
  for optimizer in agent._train_step.updates.optimizers.values():
    variables.extend(optimizer.slots)
  variables = [v for v in variables if hasattr(v, 'values')]
  # All of the agent's, and more: the moments.
  assert len(variables) > len(agent.variables), 'they are not mirrored'
  return [
      v.name
      for v in variables
      if not np.array_equal(*_per_replica(v), equal_nan=True)
  ]


def _moments(agent):
  """The first moments of Adam: a tenth of the gradient after one step."""
  optimizers = agent._train_step.updates.optimizers
  return [optimizer.slots[0].numpy() for optimizer in optimizers.values()]


def main(folder):
  """Runs everything on two logical devices."""
  cpu = tf.config.list_physical_devices('CPU')[0]
  tf.config.set_logical_device_configuration(
      cpu, [tf.config.LogicalDeviceConfiguration()] * 2
  )
  strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
  batches = [small.trajectories(seed=seed) for seed in (1, 2)]
  bad = batches[0].replace(reward=batches[0].reward * float('nan'))
  results = {'replicas': strategy.num_replicas_in_sync}

  @tf.function
  def gathered():
    def on_replica():
      index = tf.distribute.get_replica_context().replica_id_in_sync_group
      numbers = tf.range(3.0) + 3 * tf.cast(index, tf.float32)
      return replicas.gather(numbers), replicas.gather(numbers > 1)

    return strategy.run(on_replica)

  results['gathered'] = [
      [value.numpy().tolist() for value in x.values] for x in gathered()
  ]

  with strategy.scope():
    agent = small.agent()

  def dataset():
    # Two elements a step, one for each replica.
    elements = [*batches * 3, bad, batches[1]]
    stacked = tf.nest.map_structure(lambda *x: tf.stack(x), *elements)
    return tf.data.Dataset.from_tensor_slices((stacked, [0] * len(elements)))

  learner = learner_lib.Learner(
      folder,
      agent.train_step_counter,
      agent,
      experience_dataset_fn=dataset,
      strategy=strategy,
      checkpoint_interval=0,
      summary_interval=0,
  )
  info = learner.run(iterations=1)
  results['world_model_loss'] = float(info.extra['world_model/loss'])
  results['refused'] = float(info.extra['train/refused'])
  mirrored = _moments(agent)
  learner.run(iterations=2)
  results['step'] = int(agent.train_step_counter.numpy())
  results['differing'] = _differing(agent)
  results['percentiles'] = (
      agent.behavior.normalizer.variables[0].numpy().tolist()
  )

  # A bad batch on one replica is refused on both.
  before = [v.numpy() for v in agent.trainable_variables]
  info = learner.run(iterations=1)
  results['refused_bad'] = float(info.extra['train/refused'])
  results['changed_by_bad'] = [
      v.name
      for v, old in zip(agent.trainable_variables, before)
      if not np.array_equal(v.numpy(), old)
  ]
  results['differing_after_bad'] = _differing(agent)

  # One replica, all of the data.
  alone = small.agent()
  both = tf.nest.map_structure(lambda *x: tf.concat(x, 0), *batches)
  extra = alone.train(both).extra
  results['world_model_loss_alone'] = float(extra['world_model/loss'])
  results['gradient_errors'] = [
      float(np.max(np.abs(a - b)) / (np.max(np.abs(b)) + 1e-6))
      for a, b in zip(mirrored, _moments(alone))
  ]
  with open(os.path.join(folder, 'results.json'), 'w', encoding='utf-8') as f:
    json.dump(results, f)


if __name__ == '__main__':
  main(sys.argv[1])
