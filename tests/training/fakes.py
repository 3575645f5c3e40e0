"""An agent and environments small enough to test a run with."""

import dataclasses

import numpy as np
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import batched_py_environment
from tf_agents.environments import py_environment
from tf_agents.policies import random_tf_policy
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from r2i_tf import config as agent_config
from r2i_tf import environments
from r2i_tf import run_config
from r2i_tf.training import parts as parts_lib
from tests.environments import fakes as rooms


class Countdown(py_environment.PyEnvironment):
  """Episodes of `length` transitions; shows the steps left, pays 1 for each."""

  def __init__(self, length, size=1):
    super().__init__()
    self._length, self._size, self._left = length, size, 0

  def observation_spec(self):
    return array_spec.ArraySpec([self._size], np.float32, 'left')

  def action_spec(self):
    return array_spec.BoundedArraySpec([], np.int32, 0, 1, 'action')

  def _observation(self):
    return np.full([self._size], self._left, np.float32)

  def _reset(self):
    self._left = self._length
    return ts.restart(self._observation())

  def _step(self, action):
    if self._left == 0:
      return self.reset()
    self._left -= 1
    make = ts.transition if self._left else ts.termination
    return make(self._observation(), reward=1.0)


class Echo(Countdown):
  """Pays what it is told; lengths and observations hang on seed and episode."""

  def __init__(self, seed=0, shift=0.0):
    super().__init__(0, size=3)
    self._random, self._shift = np.random.default_rng(seed), shift
    self.is_closed = False

  def _observation(self):
    return self._random.normal(size=3).astype(np.float32)

  def _reset(self):
    self._length = int(self._random.integers(2, 9))
    return super()._reset()

  def _step(self, action):
    time_step = super()._step(action)
    return time_step._replace(reward=np.float32(action + self._shift))

  def close(self):
    self.is_closed = True


class CountingAgent(tf_agent.TFAgent):
  """Acts at random; its one weight is the number of train steps.

  On several replicas it returns its share, as `R2IAgent` does.
  """

  def __init__(self, time_step_spec, action_spec, train_step_counter):
    policy = random_tf_policy.RandomTFPolicy(time_step_spec, action_spec)
    super().__init__(
        time_step_spec,
        action_spec,
        policy,
        policy,
        train_sequence_length=None,
        train_step_counter=train_step_counter,
    )
    self.weight = tf.Variable(
        0.0, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
    )

  def _initialize(self):
    pass

  def _train(self, experience, weights=None):
    self.train_step_counter.assign_add(1)
    self.weight.assign_add(1.0)
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    reward = tf.reduce_mean(experience.reward) / replicas
    weight = self.weight.read_value() / replicas
    return tf_agent.LossInfo(reward, {'weight': weight})


def load(task, seed, options):
  """Loads 'countdown/<length>' or 'countdown/<length>/<observation size>'."""
  del seed, options
  return Countdown(*[int(part) for part in task.split('/')[1:]])


def load_batch(task, seed, count, options, pool):
  del pool
  return batched_py_environment.BatchedPyEnvironment(
      [load(task, seed, options) for _ in range(count)], multithreading=False
  )


def parts(agents=None):
  """Returns the parts of a run; `agents` collects the agents it builds."""

  def build_agent(time_step_spec, action_spec, config, train_step):
    del config
    agent = CountingAgent(time_step_spec, action_spec, train_step)
    if agents is not None:
      agents.append(agent)
    return agent

  return parts_lib.RunParts(build_agent, load_batch, load)


def diaries(agents=None, pool_class=environments.EnvironmentPool):
  """Returns the parts of a run in a pool of diaries.

  Args:
    agents: As for `parts`.
    pool_class: Makes the pool.
  """

  def load_diary(task, seed, options):
    del task, options
    return environments.load(rooms.Diary, seed)

  def load_pool(task, seed, count, options, pool):
    del task
    return pool_class(rooms.Diary, range(seed, seed + count), options, pool)

  return dataclasses.replace(
      parts(agents), load=load_diary, load_batch=load_pool
  )


def config(**changes):
  """Returns a run that takes a second."""
  fields = {
      'task': 'countdown/5',
      'steps': 200,
      'parallel_environments': 1,
      'collect_steps': 1,
      'prefill': 20,
      'train_ratio': 4.0,
      'replay': run_config.ReplayConfig(
          capacity=1000, batch_size=2, sequence_length=8
      ),
      'evaluation_episodes': 0,
  }
  return run_config.RunConfig(**{**fields, **changes})


def r2i_config():
  """Returns a run of the real agent, of 200 train steps."""
  mlp = agent_config.MLPConfig(1, 8)
  return run_config.RunConfig(
      task='bsuite/memory_len/1',
      steps=128 + 200 * 2,
      parallel_environments=2,
      prefill=128,
      train_ratio=16.0,
      replay=run_config.ReplayConfig(1_000, batch_size=4, sequence_length=8),
      log_seconds=1e6,
      evaluation_episodes=0,
      agent=agent_config.R2IConfig(
          world_model=agent_config.WorldModelConfig(
              sequence_model=agent_config.SequenceModelConfig(
                  output_size=8,
                  width=8,
                  s3m=agent_config.S3MConfig(state_size=4, layers=1, blocks=1),
              ),
              latent=agent_config.LatentConfig(2, 3),
              encoder=mlp,
              decoder=mlp,
              reward_head=mlp,
              continuation_head=mlp,
          ),
          behavior=agent_config.BehaviorConfig(
              actor=mlp, critic=mlp, horizon=2, starts_per_sequence=2
          ),
      ),
  )
