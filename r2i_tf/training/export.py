"""From an agent to SavedModels that act without this package.

  policies/greedy/   the policy to use
  policies/collect/  the one that explores

Each is a TF-Agents policy SavedModel plus `task.json`, which has the name of
the task, its options and its specs.
"""

import os
import pathlib
import shutil
from typing import Any

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment
from tf_agents.policies import policy_saver

from r2i_tf import files
from r2i_tf import schema
from r2i_tf.environments import options as options_lib

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
    saver = policy_saver.PolicySaver(
        policy, batch_size=None, train_step=agent.train_step_counter
    )
    saver.save(str(unfinished))
    files.write_json(unfinished / TASK_FILE, description)
    files.replace_directory(unfinished, directory / name)


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
