"""A run's directory, opened for looking.

  config.json, the task's specs -> agent -> variables of the last checkpoint
                                         -> the replay in that checkpoint

No file is changed and none is locked, so that a run may go on meanwhile: what
is seen of it is its last checkpoint.
"""

from collections.abc import Callable
import contextlib
import dataclasses
import pathlib
from typing import Optional
import zipfile

import numpy as np
import tensorflow as tf
from tf_agents.specs import tensor_spec

from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf.agents import r2i_agent
from r2i_tf.replay import numbered
from r2i_tf.training import checkpoints
from r2i_tf.training import learner
from r2i_tf.training import parts as parts_lib
from r2i_tf.training import seeds
from r2i_tf.training import workdir as workdir_lib

# What the newest steps of a replay may take here, which the run has as well.
_REPLAY_BYTES = 2**30
# Raised where the files of a replay are damaged, or are not there.
_READ_ERRORS = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclasses.dataclass(frozen=True)
class OpenedRun:
  """What a run was when it wrote its last checkpoint.

  Attributes:
    paths: Its directory.
    config: As it was started.
    agent: With the variables of that checkpoint.
    environment_steps: How far it was, over all hosts.
    train_steps: The same.
    moduli_at_start: Of each layer |lambda_bar| of the channels, float32 [P], of
      an agent that was made as the run's was; see `WorldModel.moduli`.
    replay: Its newest steps; None for one of a server, which keeps it.
  """

  paths: workdir_lib.Workdir
  config: run_config.RunConfig
  agent: r2i_agent.R2IAgent
  environment_steps: int
  train_steps: int
  moduli_at_start: tuple[np.ndarray, ...]
  replay: Optional[numbered.NumberedReplay]


def open_run(
    workdir: str,
    parts: parts_lib.RunParts = parts_lib.R2I_PARTS,
    note: Callable[[str], None] = print,
) -> OpenedRun:
  """Opens a run, which may be over or go on.

  Args:
    workdir: Its directory.
    parts: Those that it was started with.
    note: Takes a line for the user, about files that cannot be read.

  Raises:
    errors.RunError: There is no run, or none of this version, or no checkpoint
      yet; or its agent is none of this package.
  """
  paths = workdir_lib.Workdir(workdir)
  config = paths.read_config()
  with contextlib.closing(
      parts.load(config.task, config.seed, config.environment)
  ) as environment:
    time_step_spec = tensor_spec.from_spec(environment.time_step_spec())
    action_spec = tensor_spec.from_spec(environment.action_spec())
  is_served = config.replay.kind is run_config.ReplayKind.REVERB
  # As the run does before it builds its agent, for the same first weights.
  tf.keras.utils.set_random_seed(
      config.seed if is_served else seeds.of_start(config.seed, 0)
  )
  agent = parts.build_agent(
      time_step_spec, action_spec, config, learner.train_step_counter()
  )
  if not isinstance(agent, r2i_agent.R2IAgent):
    raise errors.RunError(
        f'the agent of the run in {paths.path} is a {type(agent).__name__}, but'
        ' only an R2IAgent can be looked into: give the --workdir of one.'
    )
  at_start = tuple(x.numpy() for x in agent.world_model.moduli())
  store = checkpoints.CheckpointStore(
      paths.checkpoints,
      {'agent': agent, 'train_step': agent.train_step_counter},
      note,
  )
  while True:
    found = store.peek()
    if found is None:
      raise errors.RunError(
          f'the run in {paths.path} has written no checkpoint yet; it does so'
          f' every {config.checkpoint_seconds:g} seconds'
          ' (checkpoint_seconds), and when it is stopped.'
      )
    checkpoint, state = found
    hosts = state.get('hosts', 1)
    try:
      replay = None
      if not is_served:
        replay = _restored(config, parts, agent, paths, checkpoint, hosts, note)
    except _READ_ERRORS as error:
      if not checkpoint.exists():
        continue  # The run has written newer ones meanwhile.
      raise errors.RunError(
          f'the replay in {checkpoint} cannot be read'
          f' ({errors.first_line(error)}): wait for the next checkpoint, or'
          ' look at new episodes, by --source=new.'
      ) from error
    break
  total = state.get('total', state)
  return OpenedRun(
      paths,
      config,
      agent,
      int(total['environment_steps']),
      int(state['train_steps']),
      at_start,
      replay,
  )


def _restored(
    config: run_config.RunConfig,
    parts: parts_lib.RunParts,
    agent: r2i_agent.R2IAgent,
    paths: workdir_lib.Workdir,
    checkpoint: pathlib.Path,
    hosts: int,
    note: Callable[[str], None],
) -> numbered.NumberedReplay:
  """Returns the replay in a checkpoint, or its newest steps."""
  replay_class = parts.replay_class(config)
  if not issubclass(replay_class, numbered.NumberedReplay):
    raise errors.RunError(
        f'the replay of the run in {paths.path} is a {replay_class.__name__},'
        ' whose episodes cannot be read: look at new ones, by --source=new.'
    )
  streams = config.parallel_environments // hosts
  capacity = config.replay.capacity // hosts
  spec = agent.collect_data_spec
  size = replay_class.size_of(spec, streams, capacity)
  if size.memory_bytes > _REPLAY_BYTES:
    capacity = _REPLAY_BYTES // size.step_bytes
  replay = replay_class(spec, streams, capacity, paths.replay)
  replay.is_read_only = True
  replay.report = note
  replay.restore(checkpoint)
  return replay
