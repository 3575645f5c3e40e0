"""How a run is conducted: the task, the data, the schedule, the agent.

The way of a hyperparameter: the defaults here, with the changes of a recipe of
`presets`, are a `ConfigDict`; flags change its fields; and it becomes this
dataclass, checked. Nothing here imports TensorFlow.
"""

import dataclasses
import enum
from typing import Any, Optional

import ml_collections
from ml_collections import config_dict

from r2i_tf import config as agent_config
from r2i_tf import errors
from r2i_tf import presets
from r2i_tf import schema
from r2i_tf.environments import options

# The longest limit that a suite has of its own: Atari's 108,000 frames at 4 a
# step.
EVALUATION_STEPS = 27_000
EVALUATION_PICTURES = 2


class StrategyKind(enum.Enum):
  """Where the learner's replicas are: strategies of `tf.distribute`.

  One device; all GPUs of this host; those of several hosts; or the cores of a
  TPU. No field of a run, which may go on under another.
  """

  ONE_DEVICE = 'one_device'
  MIRRORED = 'mirrored'
  MULTI_WORKER = 'multi_worker'
  TPU = 'tpu'


class ReplayKind(enum.Enum):
  """Where experience is kept; docs/replay.md says how to choose."""

  MEMORY = 'memory'  # Of the process that trains.
  DISK = 'disk'  # Files in the run's directory, the newest steps in memory.
  REVERB = 'reverb'  # A server of its own.


@dataclasses.dataclass(frozen=True)
class ReplayConfig:
  """How much experience is kept, and how much of it a train step sees.

  By default every sequence of steps that is kept is equally likely, wherever in
  an episode it starts. `episode_starts` and `whole_episodes` say otherwise, for
  every kind: at the moment a batch is drawn, or, where a server draws, at the
  moment a sequence is written to it.

  Attributes:
    capacity: Steps kept, over all environments together.
    batch_size: Sequences in a batch (B).
    sequence_length: Steps in a sequence (T).
    kind: Where it is kept: in the run's memory, in its files, or in a replay
      server, from which many processes work (docs/distributed.md).
    episode_starts: The probability that a sequence starts at the first step of
      an episode; it runs on into the next ones. The others start anywhere.
    whole_episodes: Whether each sequence is one episode, from its first step
      on: cut after T steps if it is longer, padded to T if it is shorter with
      steps that no loss sees. All episodes are equally likely.
    held_out: Whether one sequence in 32 is kept from training, to see how the
      world model does on what it has not learned by heart; a replay server has
      none such.
    stride: Of a replay server: steps from the start of one sequence to the
      start of the next; a divisor of `sequence_length`. None takes one that is
      near an eighth of it, and not below 16 where the length allows.
  """

  capacity: int = 10_000_000
  batch_size: int = 4
  sequence_length: int = 1024
  kind: ReplayKind = ReplayKind.MEMORY
  episode_starts: float = 0.0
  whole_episodes: bool = False
  held_out: bool = True
  stride: Optional[int] = None

  def __post_init__(self) -> None:
    schema.require_positive(
        self, 'replay', 'capacity', 'batch_size', 'sequence_length'
    )
    schema.require(
        self.sequence_length >= 2,
        f'replay.sequence_length is {self.sequence_length}, but a sequence'
        ' needs at least 2 steps.',
    )
    schema.require(
        0 <= self.episode_starts <= 1,
        f'replay.episode_starts is {self.episode_starts}, but a probability'
        ' lies in [0, 1].',
    )
    schema.require(
        not (self.whole_episodes and self.episode_starts),
        f'replay.episode_starts is {self.episode_starts} where'
        ' replay.whole_episodes starts every sequence at the start of an'
        ' episode; give one of the two.',
    )
    if self.stride is not None:
      schema.require_positive(self, 'replay', 'stride')
      schema.require(
          self.sequence_length % self.stride == 0,
          f'replay.stride is {self.stride}, but it must be a divisor of'
          f' replay.sequence_length = {self.sequence_length}.',
      )


@dataclasses.dataclass(frozen=True)
class RolesConfig:
  """How the processes of a run with a replay server work together.

  Attributes:
    weights_seconds: Seconds between two times that the learner publishes its
      weights, and that a collector asks for them.
    export_seconds: Seconds between two times that the learner exports its
      policies.
  """

  weights_seconds: float = 5.0
  export_seconds: float = 300.0

  def __post_init__(self) -> None:
    schema.require_positive(self, 'roles', 'weights_seconds', 'export_seconds')


@dataclasses.dataclass(frozen=True)
class RunConfig:
  """A whole training run; the defaults are the paper's where it has any.

  Attributes:
    task: The environment's name, such as 'bsuite/memory_len/9'.
    seed: Seed of everything random in the run.
    steps: Environment steps after which the run ends, over all environments.
    environment: How the tasks of each suite are set up; the task takes what is
      of its own suite.
    parallel_environments: Environments stepped together.
    environment_processes: Whether each environment has a process of its own,
      which pays where a step is slow, and may crash; see `pool`.
    pool: Of those processes.
    collect_steps: Steps of each environment between two rounds of training.
    collect_while_training: Whether environments in processes of their own take
      their next step while the run trains for the last one, by actions that
      were chosen before.
    prefill: Environment steps collected before the first train step.
    train_ratio: Steps replayed in training for each environment step.
    train_steps_per_call: Train steps taken together, in a loop that TensorFlow
      runs; more than 1 pays where a step is as short as a call from Python.
    replay: The experience.
    roles: The processes of a run with a replay server.
    log_seconds: Seconds between two lines of metrics.
    report_seconds: Seconds between two looks at what the world model predicts,
      as pictures in the run's directory and in TensorBoard; the last one is at
      the run's end. None takes none.
    checkpoint_seconds: Seconds between two checkpoints.
    evaluation_episodes: Episodes of the evaluation at the end; 0 for none.
    evaluation_steps: Steps after which an episode of the evaluation is cut.
    evaluation_pictures: How many of its episodes are drawn; 0 for none.
    deterministic_export: Whether the greedy policy that the run exports takes
      the most likely latents instead of drawing them; it then draws nothing at
      all, and TensorFlow Lite can run it.
    stop_at_return: Ends the run early once the mean return of the last 200
      episodes reaches this; None never does.
    max_minutes: Ends the run after so much wall time; None never does.
    agent: The agent.
  """

  task: str = 'bsuite/memory_len/2'
  seed: int = 0
  steps: int = 100_000
  environment: options.SuiteOptions = options.SuiteOptions()
  parallel_environments: int = 4
  environment_processes: bool = False
  pool: options.PoolOptions = options.PoolOptions()
  collect_steps: int = 1
  collect_while_training: bool = False
  prefill: int = 4_096
  train_ratio: float = 32.0
  train_steps_per_call: int = 1
  replay: ReplayConfig = ReplayConfig()
  roles: RolesConfig = RolesConfig()
  log_seconds: float = 10.0
  report_seconds: Optional[float] = 300.0
  checkpoint_seconds: float = 300.0
  evaluation_episodes: int = 100
  evaluation_steps: int = EVALUATION_STEPS
  evaluation_pictures: int = EVALUATION_PICTURES
  deterministic_export: bool = False
  stop_at_return: Optional[float] = None
  max_minutes: Optional[float] = None
  agent: agent_config.R2IConfig = agent_config.R2IConfig()

  def __post_init__(self) -> None:
    schema.require_positive(
        self,
        '',
        'steps',
        'parallel_environments',
        'collect_steps',
        'train_ratio',
        'train_steps_per_call',
        'log_seconds',
        'checkpoint_seconds',
        'evaluation_steps',
    )
    schema.require(
        0 <= self.seed < 2**31,
        f'seed is {self.seed}, but it must lie in [0, 2**31).',
    )
    schema.require(
        self.max_minutes is None or self.max_minutes > 0,
        f'max_minutes is {self.max_minutes}, but it must be positive, or None'
        ' for no limit.',
    )
    for name in ('evaluation_episodes', 'evaluation_pictures'):
      schema.require(
          getattr(self, name) >= 0,
          f'{name} is {getattr(self, name)}, but it must be at least 0.',
      )
    schema.require(
        self.report_seconds is None or self.report_seconds > 0,
        f'report_seconds is {self.report_seconds}, but it must be positive, or'
        ' None for no looks.',
    )
    schema.require(
        self.environment_processes or not self.collect_while_training,
        'collect_while_training is True, but environment_processes is False,'
        ' and environments in the process that trains cannot step beside it;'
        ' set both or neither.',
    )
    schema.require(
        self.replay.kind is not ReplayKind.REVERB
        or not self.collect_while_training,
        "collect_while_training is True, but replay.kind is 'reverb', whose"
        ' collectors are processes that never wait for the training; set it to'
        ' False.',
    )
    longest = self.replay.capacity // self.parallel_environments
    schema.require(
        self.replay.sequence_length < longest,
        f'replay.sequence_length is {self.replay.sequence_length}, but'
        f' replay.capacity = {self.replay.capacity} over'
        f' parallel_environments = {self.parallel_environments} keeps only'
        f' {longest} steps of each; shorten the sequence or raise the'
        ' capacity.',
    )
    needed = self.replay.sequence_length * self.parallel_environments
    schema.require(
        self.prefill >= needed,
        f'prefill is {self.prefill}, but a first sequence from each of'
        f' {self.parallel_environments} environments needs at least {needed}'
        ' steps.',
    )

  @classmethod
  def preset(cls, name: str, variant: str = '') -> 'RunConfig':
    """Returns the defaults with the changes of a named recipe.

    Args:
      name: One of `presets.RUNS`, such as 'bsuite'.
      variant: One of the recipe's variants, such as 'debug'; '' for the recipe
        itself.

    Raises:
      schema.ConfigError: There is no such recipe, or no such variant of it.
    """
    return schema.from_mapping(cls, recipe(name, variant))


def recipe(name: str, variant: str = '') -> ml_collections.ConfigDict:
  """Returns a named recipe with its fields open, for `--config` to act on.

  A config file of one's own may start from it and set fields. A field takes
  anything, also what a flag says literally, so that an integer may be written
  1e6 and an optional field None; `schema.from_mapping`, which knows the types,
  is the one judge of them.

  Args:
    name: One of `presets.RUNS`, such as 'bsuite'.
    variant: One of the recipe's variants, such as 'debug'; '' for the recipe
      itself.

  Raises:
    schema.ConfigError: There is no such recipe, or no such variant of it.
  """
  schema.require(
      name in presets.RUNS,
      f'there is no recipe {name!r}: {errors.did_you_mean(name, presets.RUNS)}',
  )
  variants = presets.RUNS[name]
  if variant not in variants:
    others = [other for other in variants if other]
    if not variant:
      message = f'is to be named with a variant, as in {name}:{others[0]}'
    elif others:
      message = f'has no variant {variant!r}'
    else:
      message = f'has no variants, but {variant!r} is named'
    hint = f': {errors.did_you_mean(variant, others)}' if others else '.'
    raise schema.ConfigError(f'the recipe {name!r} {message}{hint}')
  config = _open(schema.to_mapping(RunConfig()))
  config.update_from_flattened_dict(variants[variant])
  return config


def _open(value: Any) -> Any:
  """Returns nested dicts as a `ConfigDict` whose fields take any value."""
  if isinstance(value, dict):
    return ml_collections.ConfigDict(
        {key: _open(item) for key, item in value.items()}
    )
  return config_dict.FieldReference(value, field_type=object)
