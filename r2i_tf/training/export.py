"""From an agent to SavedModels that act without this package.

  policies/greedy/   the policy to use
  policies/collect/  the one that explores

Each is a TF-Agents policy SavedModel plus `task.json`, which has the name of
the task, its options and its specs. It loads in TensorFlow alone, of either
stack.
"""

import os
import pathlib
import shutil
from typing import Any, Optional

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment
from tf_agents.policies import policy_saver
from tf_agents.policies import tf_policy
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts

from r2i_tf import files
from r2i_tf import quiet
from r2i_tf import schema
from r2i_tf.environments import options as options_lib

# What PolicySaver says of `_ActionsOnly`.
_NO_DISTRIBUTION = 'WARNING: Could not serialize policy.distribution()'
TASK_FILE = 'task.json'


def export(
    agent: tf_agent.TFAgent,
    environment: py_environment.PyEnvironment,
    task: str,
    options: options_lib.SuiteOptions,
    directory: pathlib.Path,
) -> None:
  """Writes the greedy and the collect policy, each atomically.

  Args:
    agent: Whose policies.
    environment: The environment that they act in, for its specs.
    task: Its name.
    options: How it was set up.
    directory: Gets the directories `greedy` and `collect`; those that are there
      are replaced.
  """
  directory.mkdir(parents=True, exist_ok=True)
  description = {
      'task': task,
      'environment': schema.to_mapping(options),
      'train_steps': int(agent.train_step_counter.numpy()),
      'specs': describe_specs(environment),
  }
  for name, policy in (
      ('greedy', agent.policy),
      ('collect', agent.collect_policy),
  ):
    unfinished = directory / f'.{name}.{os.getpid()}'
    shutil.rmtree(unfinished, ignore_errors=True)
    with quiet.log_messages('absl', _NO_DISTRIBUTION):
      saver = policy_saver.PolicySaver(
          _ActionsOnly(policy),
          batch_size=None,
          train_step=agent.train_step_counter,
      )
    saver.save(str(unfinished))
    files.write_json(unfinished / TASK_FILE, description)
    files.replace_directory(unfinished, directory / name)


class _ActionsOnly(tf_policy.TFPolicy):
  """A policy without `distribution`.

  Its results are of TensorFlow Probability's types, and a SavedModel that has
  them can be loaded only where TF-Agents has registered those.
  """

  def __init__(self, policy: tf_policy.TFPolicy) -> None:
    super().__init__(
        policy.time_step_spec,
        policy.action_spec,
        policy.policy_state_spec,
        policy.info_spec,
        clip=False,  # That policy does it.
        name=policy.name,
    )
    self._policy = policy

  def _variables(self) -> Any:
    return self._policy.variables()

  def _get_initial_state(self, batch_size: Optional[int]) -> Any:
    return self._policy.get_initial_state(batch_size)

  def _action(
      self, time_step: ts.TimeStep, policy_state: Any, seed: Any = None
  ) -> policy_step.PolicyStep:
    return self._policy.action(time_step, policy_state, seed)

  def _distribution(
      self, time_step: ts.TimeStep, policy_state: Any
  ) -> policy_step.PolicyStep:
    raise NotImplementedError('an exported policy gives actions only.')


def describe_specs(environment: py_environment.PyEnvironment) -> Any:
  """Returns the observation and action spec as JSON can hold them.

  Args:
    environment: Batched or not; its specs have no batch dimension.
  """
  return {
      'observation': _describe(environment.observation_spec()),
      'action': _describe(environment.action_spec()),
  }


def _describe(spec: Any) -> Any:
  if isinstance(spec, dict):
    return {key: _describe(value) for key, value in spec.items()}
  if isinstance(spec, (list, tuple)):
    return [_describe(value) for value in spec]
  described = {
      'shape': list(spec.shape),
      'dtype': tf.as_dtype(spec.dtype).name,
  }
  for bound in ('minimum', 'maximum'):
    if hasattr(spec, bound):
      described[bound] = str(getattr(spec, bound))
  return described
