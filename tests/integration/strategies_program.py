"""Trains under a strategy; a program, since devices are to be split first.

    python -m tests.integration.strategies_program <strategy> <actions> <folder>

The strategy is `one`, `mirrored2` or another number, with so many logical CPUs,
or `multi_worker`, which reads TF_CONFIG, and trains by TF-Agents' Learner where
the others have ours. Takes two train steps on the same two batches, whichever
it is, and writes to `<strategy>.npz` in the folder the values of all variables
and what the learner reports after each; `multi_worker` does so for each worker,
and adds its number to the name.
"""

import os
import re
import sys

import numpy as np
import tensorflow as tf
from tf_agents.train import learner as stock_learner

from r2i_tf import config as agent_config
from r2i_tf.training import learner as learner_lib
from tests.agents import small

BATCH, STEPS = 4, 2
_ACTIONS = {'discrete': small.DISCRETE, 'continuous': small.BOX}
# Between them, all that replicas exchange and draw.
_CHANGES = {
    'discrete': {'replay_critic_scale': 0.3},
    'continuous': {'posterior': agent_config.Posterior.RECURRENT},
}


def _strategy(name):
  if name == 'multi_worker':
    return tf.distribute.MultiWorkerMirroredStrategy()
  if name == 'one':
    return tf.distribute.OneDeviceStrategy('CPU:0')
  count = int(re.sub('mirrored', '', name))
  [cpu] = tf.config.list_physical_devices('CPU')
  tf.config.set_logical_device_configuration(
      cpu, [tf.config.LogicalDeviceConfiguration()] * count
  )
  return tf.distribute.MirroredStrategy([f'CPU:{i}' for i in range(count)])


def _batches(action_spec, strategy):
  """The parts that the replicas of this worker have of each batch, in turn."""
  examples = [
      small.trajectories(action_spec=action_spec, batch=BATCH, length=7, seed=s)
      for s in range(STEPS)
  ]
  examples = tf.nest.map_structure(lambda *x: tf.concat(x, 0), *examples)
  parts = tf.data.Dataset.from_tensor_slices(examples).batch(
      BATCH // strategy.num_replicas_in_sync, drop_remainder=True
  )
  resolver = strategy.cluster_resolver
  if resolver is None or not resolver.cluster_spec():
    return parts
  workers = len(resolver.cluster_spec().as_dict()['worker'])
  return parts.shard(workers, resolver.task_id)


def values(agent):
  """Returns the values of everything that a train step changes."""
  optimizers = agent._train_step.updates.optimizers
  variables = [*agent.world_model.variables, *agent.behavior.variables]
  for optimizer in optimizers.values():
    variables.extend(optimizer.slots)
  return {f'{i} {v.name}': v.numpy() for i, v in enumerate(variables)}


def _steps(agent, batches, strategy):
  """Takes the steps; yields what our learner reports."""
  learner = learner_lib.Learner(agent, batches, strategy)
  for _ in range(STEPS):
    learner.train()
    yield learner.take_losses()


def _stock_steps(agent, batches, strategy, folder):
  """The same by TF-Agents' Learner."""
  learner = stock_learner.Learner(
      folder,
      agent.train_step_counter,
      agent,
      experience_dataset_fn=lambda: tf.data.Dataset.zip(
          (batches, tf.data.Dataset.range(STEPS))
      ),
      strategy=strategy,
      checkpoint_interval=0,
      summary_interval=0,
  )
  for _ in range(STEPS):
    info = learner.run(iterations=1)
    yield {'loss': float(info.loss), **info.extra}


def main(name, actions, folder):
  """Trains, and writes the file."""
  strategy = _strategy(name)
  spec = _ACTIONS[actions]
  with strategy.scope():
    agent = small.agent(
        action_spec=spec, starts_per_sequence=5, **_CHANGES[actions]
    )
  batches = _batches(spec, strategy)
  if name == 'multi_worker':
    name += str(strategy.cluster_resolver.task_id)
    steps = _stock_steps(
        agent, batches, strategy, os.path.join(folder, f'learner_of_{name}')
    )
  else:
    steps = _steps(agent, batches, strategy)
  found = {}
  for step, losses in enumerate(steps):
    for key, value in {**values(agent), **losses}.items():
      found[f'{step} {key}'] = value
  np.savez(os.path.join(folder, name), **found)


if __name__ == '__main__':
  main(*sys.argv[1:])
