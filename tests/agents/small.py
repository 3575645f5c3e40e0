"""Agents, and data for them, small enough to compile within a test."""

import dataclasses

import numpy as np
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib

from r2i_tf import config as agent_config
from r2i_tf.agents import R2IAgent
from tests.world_model import small

DISCRETE = tensor_spec.BoundedTensorSpec([], tf.int32, 0, 2, 'action')
BOX = tensor_spec.BoundedTensorSpec(
    [2], tf.float32, [0.0, -3.0], [1.0, 3.0], 'action'
)
VECTOR = tf.TensorSpec([3], tf.float32, 'observation')

_MLP = agent_config.MLPConfig(1, 8)
_FAST = agent_config.OptimizerConfig(1e-2)


def config(
    kind=agent_config.SequenceModelKind.S3M,
    precision=agent_config.Precision.FLOAT32,
    posterior=None,
    norm=agent_config.Norm.LAYER,
    optimizer=(),
    **behavior,
):
  """Returns a config that learns visibly within a few steps."""
  optimizer = dataclasses.replace(_FAST, **dict(optimizer))
  behavior = {'actor': _MLP, 'critic': _MLP, 'horizon': 3, **behavior}
  return agent_config.R2IConfig(
      # No free nats: else the prior may learn nothing for some steps.
      world_model=small.config(
          kind,
          layers=1,
          posterior=posterior,
          dynamics_free_nats=0.0,
          representation_free_nats=0.0,
      ),
      behavior=agent_config.BehaviorConfig(**behavior),
      world_model_optimizer=optimizer,
      actor_optimizer=optimizer,
      critic_optimizer=optimizer,
      precision=precision,
      norm=norm,
  )


def agent(observation_spec=VECTOR, action_spec=DISCRETE, seed=0, **changes):
  """Returns an agent; every one has the same variables to start from."""
  tf.keras.utils.set_random_seed(1)
  return R2IAgent(
      ts.time_step_spec(observation_spec),
      action_spec,
      config(**changes),
      seed=seed,
      train_step_counter=tf.Variable(
          0,
          dtype=tf.int64,
          trainable=False,
          aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
      ),
  )


def trajectories(
    observation_spec=VECTOR, action_spec=DISCRETE, seed=1, batch=2, length=6
):
  """Returns random trajectories [batch, length], episodes of 4 steps each."""
  rng = np.random.default_rng(seed)
  outer = [batch, length]
  # Another phase in each sequence.
  place = (np.arange(batch)[:, np.newaxis] + np.arange(length)) % 4
  step_type = np.array([0, 1, 1, 2], np.int32)[place]

  def sample(spec):
    shape = [*outer, *spec.shape]
    if hasattr(spec, 'minimum'):
      low, high = spec.minimum, spec.maximum
      if spec.dtype.is_integer:
        return tf.constant(rng.integers(low, high + 1, shape), spec.dtype)
      return tf.constant(rng.uniform(low, high, shape), spec.dtype)
    if spec.dtype == tf.uint8:
      return tf.constant(rng.integers(0, 256, shape), spec.dtype)
    return tf.constant(rng.normal(size=shape), spec.dtype)

  return trajectory_lib.Trajectory(
      step_type=tf.constant(step_type),
      observation=tf.nest.map_structure(sample, observation_spec),
      action=sample(action_spec),
      policy_info=(),
      next_step_type=tf.constant(np.roll(step_type, -1, 1)),
      reward=tf.constant(rng.normal(size=outer), tf.float32),
      discount=tf.constant((place != 2).astype(np.float32)),
  )


def values(module):
  """Returns the values of all variables of a module, by their order."""
  return [variable.numpy() for variable in module.variables]
