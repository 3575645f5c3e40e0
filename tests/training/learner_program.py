"""Trains on two replicas; a program, since it must split the CPU first.

    python -m tests.training.learner_program <folder>

Writes what `learner_test` looks at to `results.json` in the folder.
"""

import json
import pathlib
import sys

import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory

from r2i_tf.training import learner as learner_lib
from tests.training import fakes


def agent():
  """Returns an agent whose loss is the mean reward of a batch."""
  return fakes.CountingAgent(
      ts.time_step_spec(tf.TensorSpec([1], tf.float32)),
      tensor_spec.BoundedTensorSpec([], tf.int32, 0, 1),
      tf.Variable(
          0,
          dtype=tf.int64,
          trainable=False,
          aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
      ),
  )


def batches(rewards):
  """Returns a dataset with a batch [2, 3] of each reward."""

  def batch(reward):
    shape = [2, 3]
    return trajectory.Trajectory(
        step_type=tf.ones(shape, tf.int32),
        observation=tf.zeros([*shape, 1]),
        action=tf.zeros(shape, tf.int32),
        policy_info=(),
        next_step_type=tf.ones(shape, tf.int32),
        reward=tf.fill(shape, reward),
        discount=tf.ones(shape),
    )

  return tf.data.Dataset.from_tensor_slices(rewards).map(batch)


def main(folder):
  """Takes two train steps on two logical devices."""
  cpu = tf.config.list_physical_devices('CPU')[0]
  tf.config.set_logical_device_configuration(
      cpu, [tf.config.LogicalDeviceConfiguration()] * 2
  )
  strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
  with strategy.scope():
    mirrored = agent()
  learner = learner_lib.Learner(
      mirrored, batches([1.0, 2.0, 3.0, 6.0]), strategy
  )
  learner.train()
  learner.train()
  results = {
      'losses': list(learner.take_losses().values()),
      'train_steps': learner.train_steps,
      'counter': int(mirrored.train_step_counter.numpy()),
  }
  # As for a TPU, of which there is none.
  learner = learner_lib.Learner(
      mirrored, batches([1.0, 2.0, 3.0, 6.0]), strategy, steps_per_call=2
  )
  learner.feeds = True
  learner.train()
  results['fed'] = list(learner.take_losses().values())
  fed = learner_lib.Learner(mirrored, batches([1.0, 2.0, 6.0]), strategy)
  fed.feeds = True
  fed.train()
  results['first_fed'] = fed.take_losses()['loss']
  path = pathlib.Path(folder) / 'results.json'
  path.write_text(json.dumps(results), encoding='utf-8')


if __name__ == '__main__':
  main(sys.argv[1])
