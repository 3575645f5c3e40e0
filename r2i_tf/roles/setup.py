"""From a run's configuration to what its roles agree on."""

from collections.abc import Callable
import contextlib
import sys
from typing import Any

from tf_agents.environments import py_environment
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import trajectory

from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf.replay.reverb import identity as identity_lib
from r2i_tf.replay.reverb import tables

Stop = Callable[[], bool]

# What a learner must have as its server has it: the rest of the configuration
# is the learner's alone.
SHARED = ('environment', 'replay', 'prefill', 'train_ratio', 'agent')


def data_spec(environment: py_environment.PyEnvironment) -> Any:
  """Returns the spec of one step, as `collect_data_spec` of an agent.

  Args:
    environment: Batched or not; its specs have no batch axis.
  """
  time_step = environment.time_step_spec()
  action = policy_step.PolicyStep(environment.action_spec())
  return tensor_spec.from_spec(
      trajectory.from_transition(time_step, action, time_step)
  )


def settings(config: run_config.RunConfig) -> tables.Settings:
  """Returns how the experience of a run is cut, kept and paced.

  Args:
    config: The run.

  Raises:
    errors.RunError: Training could never begin.
  """
  return tables.Settings.of(
      sequence_length=config.replay.sequence_length,
      batch_size=config.replay.batch_size,
      capacity=config.replay.capacity,
      prefill=config.prefill,
      train_ratio=config.train_ratio,
      stride=config.replay.stride,
      episode_starts=config.replay.episode_starts,
      whole_episodes=config.replay.whole_episodes,
  )


def identity(
    config: run_config.RunConfig, step_spec: Any
) -> identity_lib.Identity:
  """Returns what a server of this run, and who joins it, are for.

  Args:
    config: The run.
    step_spec: Of one step.
  """
  return identity_lib.Identity(
      task=config.task,
      specs=identity_lib.describe(step_spec),
      sequence_length=config.replay.sequence_length,
      stride=settings(config).stride,
      config=schema.to_mapping(config),
  )


def note(text: str) -> None:
  """Writes a line to the log of a role, at once, if that takes any.

  Args:
    text: The line.
  """
  with contextlib.suppress(OSError):
    print(text, file=sys.stderr, flush=True)
