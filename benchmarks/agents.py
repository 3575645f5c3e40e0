"""Agents to be timed, and random data that fits them."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
from tf_agents.environments import tf_py_environment
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib

from r2i_tf import config as agent_config
from r2i_tf import environments
from r2i_tf import run_config
from r2i_tf.agents import R2IAgent

_EPISODE = 100  # Steps of an episode in `trajectories`.


@dataclasses.dataclass(frozen=True)
class Setting:
  """What an agent is made of.

  Attributes:
    name: For tables.
    time_step_spec: Of its environment.
    action_spec: Of its environment.
    config: Its hyperparameters.
  """

  name: str
  time_step_spec: ts.TimeStep
  action_spec: Any
  config: agent_config.R2IConfig


def vector_setting(name: str, config: agent_config.R2IConfig) -> Setting:
  """Returns a setting of three numbers to see and two actions to choose from.

  Args:
    name: Of the setting.
    config: Of the agent.
  """
  return Setting(
      name,
      ts.time_step_spec(tf.TensorSpec([3], tf.float32, 'observation')),
      tensor_spec.BoundedTensorSpec([], tf.int32, 0, 1, 'action'),
      config,
  )


def run_setting(config: run_config.RunConfig) -> Setting:
  """Returns the setting of a run: its agent, its task."""
  environment = tf_py_environment.TFPyEnvironment(
      environments.load_batch(
          config.task, seed=0, count=1, options=config.environment
      )
  )
  return Setting(
      config.task,
      environment.time_step_spec(),
      environment.action_spec(),
      config.agent,
  )


def build(setting: Setting) -> R2IAgent:
  """Returns a new agent."""
  return R2IAgent(
      setting.time_step_spec,
      setting.action_spec,
      setting.config,
      train_step_counter=tf.Variable(
          0,
          dtype=tf.int64,
          trainable=False,
          aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
      ),
  )


def trajectories(
    agent: R2IAgent, batch_size: int, length: int
) -> trajectory_lib.Trajectory:
  """Returns random trajectories [batch_size, length] to train on.

  Episodes of a hundred steps, which follow each other; every sequence starts
  somewhere in one.
  """
  random = np.random.default_rng(0)
  offsets = random.integers(_EPISODE + 1, size=[batch_size, 1])
  place = (offsets + np.arange(length + 1)) % (_EPISODE + 1)
  step_type = np.where(
      place == 0,
      ts.StepType.FIRST,
      np.where(place == _EPISODE, ts.StepType.LAST, ts.StepType.MID),
  ).astype(np.int32)
  drawn = sample(agent.collect_data_spec, (batch_size, length))
  return drawn._replace(
      step_type=tf.constant(step_type[:, :-1]),
      next_step_type=tf.constant(step_type[:, 1:]),
      discount=tf.cast(step_type[:, 1:] != ts.StepType.LAST, tf.float32),
  )


def time_steps(setting: Setting, batch_size: int) -> ts.TimeStep:
  """Returns random time steps [batch_size] inside of an episode."""
  drawn = sample(setting.time_step_spec, (batch_size,))
  return drawn._replace(step_type=tf.fill([batch_size], ts.StepType.MID))


def sample(spec: Any, outer: tuple[int, ...]) -> Any:
  """Returns random values of a nest of specs, small where it sets no bounds."""

  def bounded(leaf):
    if isinstance(leaf, tensor_spec.BoundedTensorSpec):
      return leaf
    if not leaf.dtype.is_floating:
      return tensor_spec.BoundedTensorSpec.from_spec(leaf)
    return tensor_spec.BoundedTensorSpec(leaf.shape, leaf.dtype, -1, 1)

  return tensor_spec.sample_spec_nest(
      tf.nest.map_structure(bounded, spec), seed=0, outer_dims=outer
  )


def plain_config(
    units: int = 128,
    layers: int = 2,
    state_size: int = 64,
    state_layers: int = 3,
    horizon: int = 15,
) -> agent_config.R2IConfig:
  """Returns the paper's defaults but for the sizes, in float32.

  Args:
    units: Of every layer, h_t among them.
    layers: Of encoder, decoder, heads, actor and critic.
    state_size: P of one state-space layer.
    state_layers: How many state-space layers there are.
    horizon: Imagined steps.
  """
  mlp = agent_config.MLPConfig(layers, units)
  return agent_config.R2IConfig(
      world_model=agent_config.WorldModelConfig(
          sequence_model=agent_config.SequenceModelConfig(
              output_size=units,
              width=units,
              s3m=agent_config.S3MConfig(
                  state_size=state_size, layers=state_layers
              ),
          ),
          latent=agent_config.LatentConfig(groups=8, classes=8),
          encoder=mlp,
          decoder=mlp,
          reward_head=mlp,
          continuation_head=mlp,
      ),
      behavior=agent_config.BehaviorConfig(
          actor=mlp, critic=mlp, horizon=horizon
      ),
      precision=agent_config.Precision.FLOAT32,
  )


def smallest_config() -> agent_config.R2IConfig:
  """Returns a config that compiles in no time, to see that a program works."""
  return plain_config(8, 1, 8, 1, 2)
