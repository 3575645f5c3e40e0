"""The configuration of the agent: every hyperparameter, with its default.

Frozen dataclasses, checked when they are built. The defaults are those of the
paper (arXiv 2403.04253, appendix); `configs/` holds what each domain changes.
How a run is conducted (task, replay, checkpoints) is
`r2i_tf.training.run_config`.
"""

import dataclasses
import enum
import re
from typing import Any, Dict, Optional

from r2i_tf import schema
from r2i_tf.ssm import Discretization


class SequenceModelKind(enum.Enum):
  """Which recurrence carries the memory."""

  S3M = 's3m'
  GRU = 'gru'


class PolicyInput(enum.Enum):
  """What actor and critic see beside the latent z.

  The names are those of the paper: the sequence model's output h, its hidden
  state x, or both.
  """

  OUTPUT = 'output'
  HIDDEN = 'hidden'
  FULL = 'full'


class Precision(enum.Enum):
  """The arithmetic of the matrix products; variables stay float32."""

  FLOAT32 = 'float32'
  MIXED_BFLOAT16 = 'mixed_bfloat16'


def _require_positive(config, prefix: str, *names: str) -> None:
  for name in names:
    value = getattr(config, name)
    schema.require(
        value > 0, f'{prefix}.{name} is {value}, but it must be positive.'
    )


@dataclasses.dataclass(frozen=True)
class MLPConfig:
  """A stack of dense layers, each with LayerNorm and SiLU."""

  layers: int = 2
  units: int = 512

  def __post_init__(self):
    schema.require(
        self.layers >= 0, f'layers is {self.layers}, but it must be at least 0.'
    )
    _require_positive(self, 'mlp', 'units')


@dataclasses.dataclass(frozen=True)
class SequenceModelConfig:
  """The recurrence h_t, x_t = f(x_(t-1), z_(t-1), a_(t-1)).

  Attributes:
    kind: S3M, or the GRU of DreamerV3 as a baseline.
    output_size: The size of h_t (`deter`).
    width: The width of the layers between (`H`).
    state_size: The size of one layer's complex state (`P`).
    layers: How many layers are stacked.
    blocks: How many HiPPO-N blocks initialise one layer's state matrix.
    discretization: Bilinear or zero-order hold.
    learned_initial_state: Whether an episode starts from a learned state
      instead of zeros.
    min_step: The smallest initial step of the discretisation.
    max_step: The largest initial step.
    rematerialize: Whether the backward pass of the S3M computes again what lies
      between a layer's states and its outputs, which takes less memory.
  """

  kind: SequenceModelKind = SequenceModelKind.S3M
  output_size: int = 512
  width: int = 512
  state_size: int = 128
  layers: int = 3
  blocks: int = 8
  discretization: Discretization = Discretization.BILINEAR
  learned_initial_state: bool = True
  min_step: float = 0.001
  max_step: float = 0.1
  rematerialize: bool = False

  def __post_init__(self):
    _require_positive(
        self, 'sequence_model', 'output_size', 'width', 'state_size', 'layers'
    )
    _require_positive(self, 'sequence_model', 'blocks', 'min_step')
    schema.require(
        self.state_size % self.blocks == 0,
        f'sequence_model.state_size is {self.state_size}, which'
        f' sequence_model.blocks = {self.blocks} does not divide.',
    )
    schema.require(
        self.min_step <= self.max_step,
        f'sequence_model.min_step is {self.min_step}, but it must not exceed'
        f' sequence_model.max_step = {self.max_step}.',
    )


@dataclasses.dataclass(frozen=True)
class LatentConfig:
  """The stochastic state z: groups of one-hot classes.

  Attributes:
    groups: How many categorical variables.
    classes: How many classes each has.
    unimix: The share of the uniform distribution mixed into each.
  """

  groups: int = 32
  classes: int = 32
  unimix: float = 0.01

  def __post_init__(self):
    _require_positive(self, 'latent', 'groups', 'classes')
    schema.require(
        0 <= self.unimix < 1,
        f'latent.unimix is {self.unimix}, but it must lie in [0, 1).',
    )


@dataclasses.dataclass(frozen=True)
class WorldModelConfig:
  """Encoder, sequence model, latents, decoder and heads, and their losses.

  Attributes:
    sequence_model: The recurrence.
    latent: The stochastic state.
    encoder: The MLP for vectors, q(z_t | o_t).
    decoder: The MLP for vectors, p(o_t | z_t, h_t).
    reward_head: The MLP of the reward.
    continuation_head: The MLP of the continuation.
    cnn_depth: Channels of the first convolution of images; doubles downwards.
    image_keys: A regular expression; the keys of the observation that it
      matches, as a whole, are images. A key is the path to a part, such as
      'camera/left', or 'observation' where there is but one. None: images are
      what has their shape, uint8 [height, width, channels].
    vector_keys: The same for vectors; None: all that is no image.
    ignored_keys: The same for what the model does not see; None: nothing.
    dynamics_scale: Weight of KL[sg(q) || p].
    representation_scale: Weight of KL[q || sg(p)].
    free_nats: What each of the two KL costs at least.
    bins: Number of bins of the two-hot reward and value heads.
  """

  sequence_model: SequenceModelConfig = SequenceModelConfig()
  latent: LatentConfig = LatentConfig()
  encoder: MLPConfig = MLPConfig()
  decoder: MLPConfig = MLPConfig()
  reward_head: MLPConfig = MLPConfig()
  continuation_head: MLPConfig = MLPConfig()
  cnn_depth: int = 32
  image_keys: Optional[str] = None
  vector_keys: Optional[str] = None
  ignored_keys: Optional[str] = None
  dynamics_scale: float = 0.5
  representation_scale: float = 0.1
  free_nats: float = 1.0
  bins: int = 255

  def __post_init__(self):
    _require_positive(self, 'world_model', 'cnn_depth')
    schema.require(
        self.bins >= 3 and self.bins % 2 == 1,
        f'world_model.bins is {self.bins}, but it must be odd and at least 3.',
    )
    for name in ('image_keys', 'vector_keys', 'ignored_keys'):
      try:
        re.compile(getattr(self, name) or '')
      except re.error as error:
        raise schema.ConfigError(
            f'world_model.{name} is {getattr(self, name)!r}, which is no'
            f' regular expression: {error}.'
        ) from None


@dataclasses.dataclass(frozen=True)
class BehaviorConfig:
  """Actor and critic, learned in imagination.

  Attributes:
    policy_input: What actor and critic see beside z.
    actor: The MLP of the actor.
    critic: The MLP of the critic.
    horizon: Imagined steps from each start (H).
    discount: Discount factor gamma.
    lambda_: The lambda of the lambda-returns.
    entropy_scale: Weight of the policy's entropy.
    slow_critic_fraction: Share of the critic that its slow copy takes over each
      train step.
    return_decay: Decay of the moving 5th and 95th percentile of the returns.
    starts_per_sequence: Imagination starts drawn from each sequence; None for
      all of them, as in the paper.
  """

  policy_input: PolicyInput = PolicyInput.FULL
  actor: MLPConfig = MLPConfig()
  critic: MLPConfig = MLPConfig()
  horizon: int = 15
  discount: float = 1 - 1 / 333
  lambda_: float = 0.95
  entropy_scale: float = 3e-4
  slow_critic_fraction: float = 0.02
  return_decay: float = 0.99
  starts_per_sequence: Optional[int] = None

  def __post_init__(self):
    _require_positive(self, 'behavior', 'horizon', 'discount')
    for name in ('discount', 'lambda_', 'slow_critic_fraction', 'return_decay'):
      value = getattr(self, name)
      schema.require(
          0 <= value <= 1,
          f'behavior.{name} is {value}, but it must lie in [0, 1].',
      )
    schema.require(
        self.starts_per_sequence is None or self.starts_per_sequence > 0,
        f'behavior.starts_per_sequence is {self.starts_per_sequence}, but it'
        ' must be positive, or None for every step.',
    )


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """Adam with clipping by global norm and decoupled weight decay."""

  learning_rate: float = 1e-4
  epsilon: float = 1e-8
  clip_norm: float = 1000.0
  weight_decay: float = 0.0

  def __post_init__(self):
    _require_positive(
        self, 'optimizer', 'learning_rate', 'epsilon', 'clip_norm'
    )


class ModelSize(enum.Enum):
  """The model sizes of DreamerV3, which R2I takes over."""

  TINY = 'tiny'
  SMALL = 'small'
  MEDIUM = 'medium'
  LARGE = 'large'
  XLARGE = 'xlarge'


@dataclasses.dataclass(frozen=True)
class R2IConfig:
  """Everything that defines an `R2IAgent`.

  Attributes:
    world_model: The world model.
    behavior: Actor and critic.
    world_model_optimizer: For all of the world model but the SSM parameters.
    ssm_learning_rate: For the SSM parameters (no weight decay).
    actor_optimizer: For the actor.
    critic_optimizer: For the critic.
    precision: Arithmetic of the matrix products.
    size: A published model size: `SIZED_FIELDS` take its numbers, whatever was
      given for them. It is None then, so that what is read here are the sizes
      themselves, and any of them can be changed with `dataclasses.replace`.
  """

  world_model: WorldModelConfig = WorldModelConfig()
  behavior: BehaviorConfig = BehaviorConfig()
  world_model_optimizer: OptimizerConfig = OptimizerConfig()
  ssm_learning_rate: float = 1e-4
  actor_optimizer: OptimizerConfig = OptimizerConfig(3e-5, 1e-5, 100.0)
  critic_optimizer: OptimizerConfig = OptimizerConfig(3e-5, 1e-5, 100.0)
  precision: Precision = Precision.FLOAT32
  size: Optional[ModelSize] = None

  def __post_init__(self):
    _require_positive(self, 'config', 'ssm_learning_rate')
    if self.size is None:
      return
    sized = schema.replace(self, {'size': None, **_sizes(self.size)})
    for field in dataclasses.fields(self):
      object.__setattr__(self, field.name, getattr(sized, field.name))

  @classmethod
  def preset(cls, size: str) -> 'R2IConfig':
    """Returns the defaults at one of the published model sizes, or 'debug'.

    Args:
      size: 'tiny', 'small', 'medium', 'large' or 'xlarge', which change sizes
        only; or 'debug', a model that two cores train in minutes, with what
        else a model of that size and short memories ask for.

    Raises:
      schema.ConfigError: The size is none of these.
    """
    if size == 'debug':
      return _debug_config()
    valid = [member.value for member in ModelSize]
    if size not in valid:
      raise schema.ConfigError(
          f'unknown model size {size!r}:'
          f' {schema.nearest(size, [*valid, "debug"])}'
      )
    return cls(size=ModelSize(size))


# deter (h), CNN depth, MLP units, MLP layers, as published for DreamerV3.
_SIZES = {
    ModelSize.TINY: (200, 32, 200, 2),
    ModelSize.SMALL: (512, 32, 512, 2),
    ModelSize.MEDIUM: (1024, 48, 640, 3),
    ModelSize.LARGE: (2048, 64, 768, 4),
    ModelSize.XLARGE: (4096, 96, 1024, 5),
}


def _sizes(size: ModelSize) -> Dict[str, Any]:
  """Returns what a model size sets, by the dotted names of the fields."""
  output_size, cnn_depth, units, layers = _SIZES[size]
  mlp = MLPConfig(layers, units)
  return {
      'world_model.sequence_model.output_size': output_size,
      'world_model.sequence_model.width': units,
      'world_model.encoder': mlp,
      'world_model.decoder': mlp,
      'world_model.reward_head': mlp,
      'world_model.continuation_head': mlp,
      'world_model.cnn_depth': cnn_depth,
      'behavior.actor': mlp,
      'behavior.critic': mlp,
  }


SIZED_FIELDS = tuple(_sizes(ModelSize.TINY))


def _debug_config() -> R2IConfig:
  """A model for two cores; what differs from the published recipe, and why.

  * Two latents of four classes. Latents that carry nothing are noise on the
    memory's input.
  * Steps of the discretisation from 0.005 to 0.2. One input moves a state by
    its step size; the published range, from 0.001 on, hardly notices what is
    shown once.
  * Larger learning rates, as small models bear, and short imagination from a
    few starts.
  * Three times the entropy scale. At less, the policy of one seed in three was
    certain of an action before the world model knew what is paid for
    (docs/learning.md).
  """
  mlp = MLPConfig(layers=2, units=64)
  behavior_optimizer = OptimizerConfig(3e-4, 1e-5, 100.0)
  return R2IConfig(
      world_model=WorldModelConfig(
          sequence_model=SequenceModelConfig(
              output_size=64,
              width=64,
              state_size=64,
              layers=2,
              blocks=4,
              min_step=0.005,
              max_step=0.2,
          ),
          latent=LatentConfig(groups=2, classes=4),
          encoder=mlp,
          decoder=mlp,
          reward_head=mlp,
          continuation_head=mlp,
          cnn_depth=4,
      ),
      behavior=BehaviorConfig(
          actor=mlp,
          critic=mlp,
          horizon=5,
          entropy_scale=1e-3,
          starts_per_sequence=8,
      ),
      world_model_optimizer=OptimizerConfig(3e-3),
      ssm_learning_rate=3e-3,
      actor_optimizer=behavior_optimizer,
      critic_optimizer=behavior_optimizer,
  )
