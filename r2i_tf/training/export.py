"""From an agent to SavedModels that act without this package.

  policies/greedy/   the policy to use
  policies/collect/  the one that explores

Each is a TF-Agents policy SavedModel with one more signature,
`serving_default`, plus `task.json`, which has the name of the task, its
options, its specs and the names of the signatures' tensors. It loads in
TensorFlow alone, of either stack. Where the agent can say what it thinks of its
policy's steps, the greedy one has a signature `assess` beside.

Of R2I's own policies `action` is an XLA program, compiled where it is loaded,
and `serving_default`, which servers and converters read, plain operations.
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

from r2i_tf import errors
from r2i_tf import files
from r2i_tf import quiet
from r2i_tf import schema
from r2i_tf.environments import options as options_lib
from r2i_tf.training import signatures

# What PolicySaver says of `_Exported`.
_NO_DISTRIBUTION = 'WARNING: Could not serialize policy.distribution()'
# What TensorFlow says of keys that are not ASCII, and then takes another name.
_NO_NODE_NAME = '`time_step_observation'
TASK_FILE = 'task.json'
_TRIAL = '.trial_export'


def export(
    agent: tf_agent.TFAgent,
    environment: py_environment.PyEnvironment,
    task: str,
    options: options_lib.SuiteOptions,
    directory: pathlib.Path,
    deterministic: bool = False,
) -> None:
  """Writes the greedy and the collect policy, each atomically.

  Args:
    agent: Whose policies.
    environment: The environment that they act in, for its specs.
    task: Its name.
    options: How it was set up.
    directory: Gets the directories `greedy` and `collect`; those that are there
      are replaced.
    deterministic: Whether the greedy policy draws nothing at all.

  Raises:
    errors.RunError: It is to draw nothing, and the agent has no such policy.
  """
  description = {
      'task': task,
      'environment': schema.to_mapping(options),
      'train_steps': int(agent.train_step_counter.numpy()),
      'specs': describe_specs(environment),
  }
  for name, policy, assessed in (
      ('greedy', _greedy(agent, deterministic), not deterministic),
      ('collect', agent.collect_policy, False),
  ):
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = directory / f'.{name}.{os.getpid()}'
    shutil.rmtree(unfinished, ignore_errors=True)
    _save(policy, agent, unfinished, assessed)
    names = {
        root: signatures.by_key(root, nest)
        for root, nest in _named_parts(policy).items()
    }
    files.write_json(unfinished / TASK_FILE, {**description, 'names': names})
    files.replace_directory(unfinished, directory / name)


def try_export(
    agent: tf_agent.TFAgent, directory: pathlib.Path, deterministic: bool
) -> None:
  """Writes the greedy policy and removes it again.

  What cannot be exported is so found before a run, not after it.

  Args:
    agent: As for `export`.
    directory: As there; what is written stands beside it, while it is there.
    deterministic: As there.

  Raises:
    errors.RunError: It cannot be exported, or not be written there.
  """
  path = directory.with_name(_TRIAL)
  shutil.rmtree(path, ignore_errors=True)  # Of a start that was killed.
  try:
    _save(_greedy(agent, deterministic), agent, path, not deterministic)
  except OSError as error:
    raise errors.RunError(
        f'policies cannot be written to {directory.parent}: {error.strerror}.'
    ) from error
  except (ValueError, TypeError, tf.errors.OpError) as error:
    raise errors.RunError(
        'the policy of this run cannot be exported, which its end would do:'
        f' {str(error).strip().splitlines()[0]}'
    ) from error
  finally:
    shutil.rmtree(path, ignore_errors=True)


def _greedy(agent: tf_agent.TFAgent, deterministic: bool) -> tf_policy.TFPolicy:
  if not deterministic:
    return agent.policy
  if not hasattr(agent, 'deterministic_policy'):
    raise errors.RunError(
        'deterministic_export is True, but the agent of this run, a'
        f' {type(agent).__name__}, has no method `deterministic_policy`; set it'
        ' to False.'
    )
  return agent.deterministic_policy()


def _save(
    policy: tf_policy.TFPolicy,
    agent: tf_agent.TFAgent,
    directory: pathlib.Path,
    assessed: bool,
) -> None:
  """Writes a SavedModel.

  Args:
    policy: The policy.
    agent: Whose it is.
    directory: Gets it.
    assessed: Whether it is to have the signature `assess`, if the agent has
      what that takes. The policy that draws nothing has variables of its own:
      with those of the agent beside, it would be twice as large.
  """
  exported = served = _Exported(policy)
  if hasattr(policy, 'frozen'):
    frozen = policy.frozen()
    exported, served = _Exported(frozen), _Exported(frozen.plain())
  with (
      quiet.log_messages('absl', _NO_DISTRIBUTION),
      quiet.log_messages('tensorflow', _NO_NODE_NAME),
  ):
    saver = policy_saver.PolicySaver(
        exported,
        batch_size=None,
        use_nest_path_signatures=False,  # Which fails for some keys.
        train_step=agent.train_step_counter,
    )
    serve = signatures.serving_function(served)
    saver.signatures[signatures.SERVING] = serve
    if assessed and hasattr(agent, 'assess'):
      assess = signatures.assessing_function(
          agent.assess, exported.policy_state_spec
      )
      # Which also has the critic's variables saved.
      saver.register_concrete_function(signatures.ASSESSING, assess)
      saver.signatures[signatures.ASSESSING] = assess
    saver.save(str(directory))


def _named_parts(policy: tf_policy.TFPolicy) -> dict[str, Any]:
  """Returns the nests of specs whose leaves have names of their keys."""
  return {
      'observation': policy.time_step_spec.observation,
      'state': policy.policy_state_spec,
      'action': policy.action_spec,
  }


class _Exported(tf_policy.TFPolicy):
  """A policy as it is exported.

  Its tensors have names that fit every signature. It has no `distribution`:
  that gives types of TensorFlow Probability, and a SavedModel that has them can
  be loaded only where TF-Agents has registered those.
  """

  def __init__(self, policy: tf_policy.TFPolicy) -> None:
    time_step_spec = policy.time_step_spec
    named = {
        root: signatures.named(root, nest)
        for root, nest in _named_parts(policy).items()
    }
    super().__init__(
        time_step_spec._replace(
            step_type=signatures.named('step_type', time_step_spec.step_type),
            reward=signatures.named('reward', time_step_spec.reward),
            discount=signatures.named('discount', time_step_spec.discount),
            observation=named['observation'],
        ),
        named['action'],
        named['state'],
        signatures.named('info', policy.info_spec),
        clip=False,  # That policy does it.
        name=policy.name,
    )
    # What is tracked is saved: of a policy that says what acting needs, that
    # alone, and neither other variables nor each layer as an object.
    self._saved = list(getattr(policy, 'acting_variables', [])) or policy
    self._prepared = getattr(policy, 'prepared', None)
    self._initial_state = policy.get_initial_state
    # Traced once for all the signatures that act by it.
    self._act = tf.function(
        lambda time_step, state: policy.action(time_step, state),
        autograph=False,
    )

  def _get_initial_state(self, batch_size: Optional[int]) -> Any:
    return self._initial_state(batch_size)

  def _action(
      self, time_step: ts.TimeStep, policy_state: Any, seed: Any = None
  ) -> policy_step.PolicyStep:
    del seed  # PolicySaver gives one only where it is asked to.
    return self._act(time_step, policy_state)

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
