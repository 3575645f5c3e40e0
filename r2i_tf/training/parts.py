"""The parts of a run: the default ones, and the place of one's own."""

from collections.abc import Callable
from collections.abc import Mapping
import contextlib
import dataclasses
from typing import Any, Optional

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import replay as replay_lib
from r2i_tf import run_config
from r2i_tf.agents import r2i_agent
from r2i_tf.training import evaluation

BuildAgent = Callable[
    [ts.TimeStep, Any, run_config.RunConfig, tf.Variable], tf_agent.TFAgent
]
LoadBatch = Callable[..., py_environment.PyEnvironment]

# The class of each kind of replay that one process has for itself.
_REPLAYS: Mapping[run_config.ReplayKind, type[replay_lib.Replay]] = {
    run_config.ReplayKind.MEMORY: replay_lib.UniformReplay,
    run_config.ReplayKind.DISK: replay_lib.DiskReplay,
}


@dataclasses.dataclass(frozen=True)
class RunParts:
  """The parts that a run is built from, for those who bring their own.

  Attributes:
    build_agent: (time step spec, action spec, config, train step counter) to
      an agent whose variables all exist.
    load_batch: (task, seed, count, options, pool) to a batched environment, as
      `environments.load_batch`.
    load: (task, seed, options) to a single environment, for the specs before
      the run and the evaluation after it.
    replay: The class of the replay, made of (data spec, streams, capacity,
      directory); None for that of `replay.kind` in the run's configuration.
  """

  build_agent: BuildAgent
  load_batch: LoadBatch
  load: evaluation.LoadEnvironment
  replay: Optional[type[replay_lib.Replay]] = None

  def replay_class(
      self, config: run_config.RunConfig
  ) -> type[replay_lib.Replay]:
    """Returns the class of the run's replay.

    Args:
      config: The run.

    Raises:
      errors.RunError: Its kind is none that one process has for itself.
    """
    kind = config.replay.kind
    replay = self.replay or _REPLAYS.get(kind)
    if replay is None:
      raise errors.RunError(
          f'replay.kind is {kind.value!r}, but this run has a replay of its'
          ' own: give r2i-train a --replay_address, or call'
          ' r2i_tf.roles.learner.train.'
      )
    return replay

  def replay_size(
      self, config: run_config.RunConfig, streams: int, capacity: int
  ) -> replay_lib.Size:
    """Returns how large a replay of the run would be.

    One environment, which is closed again, tells how large a step is.

    Args:
      config: The run.
      streams: Environments that the replay is for.
      capacity: Steps to keep, over all of them.

    Raises:
      errors.RunError: As for `replay_class`.
    """
    replay_class = self.replay_class(config)
    with contextlib.closing(
        self.load(config.task, config.seed, config.environment)
    ) as environment:
      time_step = environment.time_step_spec()
      action = policy_step.PolicyStep(environment.action_spec())
    data_spec = tensor_spec.from_spec(
        trajectory.from_transition(time_step, action, time_step)
    )
    return replay_class.size_of(data_spec, streams, capacity)


def _build_r2i_agent(
    time_step_spec: ts.TimeStep,
    action_spec: Any,
    config: run_config.RunConfig,
    train_step: tf.Variable,
) -> r2i_agent.R2IAgent:
  return r2i_agent.R2IAgent(
      time_step_spec,
      action_spec,
      config=config.agent,
      seed=config.seed,
      train_step_counter=train_step,
  )


R2I_PARTS = RunParts(
    _build_r2i_agent, environments.load_batch, environments.load
)
