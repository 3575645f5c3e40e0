"""The configuration of the agent: every hyperparameter, with its default.

Frozen dataclasses, checked when they are built. The defaults are the column
Default of the paper (arXiv 2403.04253, appendix); `presets` holds the changes
of model sizes, domains and small machines. How a run is conducted (task,
replay, checkpoints) is `run_config`. Nothing here imports TensorFlow.
"""

import dataclasses
import enum
from typing import Optional

from r2i_tf import errors
from r2i_tf import presets
from r2i_tf import schema
from r2i_tf.ssm import Computation
from r2i_tf.ssm import Discretization
from r2i_tf.ssm import NormPosition
from r2i_tf.ssm import StateSpaceKind
from r2i_tf.ssm import options as ssm_options


class SequenceModelKind(enum.Enum):
  """Which recurrence carries the memory."""

  S3M = 's3m'
  GRU = 'gru'


class Posterior(enum.Enum):
  """What the latent of a step is inferred from.

  The observation alone, q(z_t | o_t), as R2I has it, which gives all latents of
  a sequence at once; or what is remembered as well, q(z_t | h_t, o_t), as
  DreamerV3 has it, which takes a sequence step after step.
  """

  NON_RECURRENT = 'non_recurrent'
  RECURRENT = 'recurrent'


class PolicyInput(enum.Enum):
  """The parts of a state that actor and critic see beside the latent z.

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


class Norm(enum.Enum):
  """What normalises the outputs of dense layers and convolutions.

  LayerNorm, or RMSNorm (arXiv 1910.07467), which newer versions of DreamerV3
  have.
  """

  LAYER = 'layer'
  RMS = 'rms'


@dataclasses.dataclass(frozen=True)
class MLPConfig:
  """A stack of dense layers, each with normalisation and SiLU."""

  layers: int = 5
  units: int = 1024

  def __post_init__(self) -> None:
    schema.require(
        self.layers >= 0, f'layers is {self.layers}, but it must be at least 0.'
    )
    schema.require_positive(self, 'mlp', 'units')


@dataclasses.dataclass(frozen=True)
class S3MConfig:
  """The stack of state-space layers; only of the kind s3m.

  Attributes:
    kind: Which state-space model a layer runs; docs/ablations.md compares them
      and says what each option costs.
    state_size: The size of one layer's complex state (`P`); of the kinds but
      mimo, the size of the state of each of its `width` channels.
    layers: How many layers are stacked.
    blocks: How many HiPPO-N blocks initialise one layer's state matrix; of the
      kind mimo.
    discretization: Bilinear or zero-order hold.
    computation: How the states of a sequence are computed; a convolution needs
      `sequence_model.resets` off.
    conjugate_symmetry: Whether a state has one of each conjugate pair, its twin
      implied.
    eigenvalue_clip: Upper bound of the real parts of the eigenvalues, negative;
      None for no bound.
    norm: Whether a layer's LayerNorm stands after the residual sum or before
      the state-space model.
    attention_window: How many steps, the present one included, the attention
      between two layers sees; None for no attention.
    attention_heads: How many heads it has; they divide `width`.
    min_step: The smallest initial step of the discretisation.
    max_step: The largest initial step.
    learning_rate: Of the state-space parameters, which have no weight decay.
    rematerialize: Whether the backward pass computes again what lies between a
      layer's states and its outputs, which takes less memory.
  """

  kind: StateSpaceKind = StateSpaceKind.MIMO
  state_size: int = 128
  layers: int = 4
  blocks: int = 8
  discretization: Discretization = Discretization.BILINEAR
  computation: Computation = Computation.SCAN
  conjugate_symmetry: bool = False
  eigenvalue_clip: Optional[float] = None
  norm: NormPosition = NormPosition.POST
  attention_window: Optional[int] = None
  attention_heads: int = 4
  min_step: float = 0.001
  max_step: float = 0.1
  learning_rate: float = 1e-4
  rematerialize: bool = False

  def __post_init__(self) -> None:
    schema.require_positive(
        self, 's3m', 'state_size', 'layers', 'blocks', 'min_step'
    )
    schema.require_positive(self, 's3m', 'learning_rate', 'attention_heads')
    schema.require(
        self.kind is not StateSpaceKind.MIMO
        or self.state_size % self.blocks == 0,
        f's3m.state_size is {self.state_size}, which s3m.blocks ='
        f' {self.blocks} does not divide.',
    )
    schema.require(
        self.min_step <= self.max_step,
        f's3m.min_step is {self.min_step}, but it must not exceed s3m.max_step'
        f' = {self.max_step}.',
    )
    reason = ssm_options.refusal(
        self.kind,
        self.discretization,
        self.computation,
        self.conjugate_symmetry,
        self.eigenvalue_clip,
    )
    schema.require(reason is None, f's3m.{reason}')
    window = self.attention_window
    schema.require(
        window is None or window >= 2,
        f's3m.attention_window is {window}, but attention to the present step'
        ' alone adds nothing: it must be at least 2, or None.',
    )
    schema.require(
        window is None or self.layers >= 2,
        f's3m.attention_window is {window}, but attention stands between layers'
        f' and s3m.layers is {self.layers}: set it to at least 2.',
    )


@dataclasses.dataclass(frozen=True)
class SequenceModelConfig:
  """The recurrence h_t, x_t = f(x_(t-1), z_(t-1), a_(t-1)).

  Attributes:
    kind: S3M, or the GRU of DreamerV3 as a baseline.
    output_size: The size of h_t (`deter`).
    width: The width of the layers between (`H`).
    learned_initial_state: Whether an episode starts from a learned state
      instead of zeros.
    resets: Whether memory starts anew with an episode; if not, it runs on from
      one to the next, in sequences and in acting alike.
    s3m: The fields that only the S3M has.
  """

  kind: SequenceModelKind = SequenceModelKind.S3M
  output_size: int = 4096
  width: int = 1024
  learned_initial_state: bool = True
  resets: bool = True
  s3m: S3MConfig = S3MConfig()

  def __post_init__(self) -> None:
    schema.require_positive(self, 'sequence_model', 'output_size', 'width')
    if self.kind is not SequenceModelKind.S3M:
      return
    schema.require(
        self.s3m.computation is Computation.SCAN or not self.resets,
        's3m.computation is convolution, which cannot reset the memory inside'
        ' of a sequence: set sequence_model.resets to False, or'
        ' s3m.computation to scan.',
    )
    schema.require(
        self.s3m.attention_window is None
        or self.width % self.s3m.attention_heads == 0,
        f's3m.attention_heads is {self.s3m.attention_heads}, but it must'
        f' divide sequence_model.width = {self.width}.',
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

  def __post_init__(self) -> None:
    schema.require_positive(self, 'latent', 'groups', 'classes')
    schema.require(
        0 <= self.unimix < 1,
        f'latent.unimix is {self.unimix}, but it must lie in [0, 1).',
    )


@dataclasses.dataclass(frozen=True)
class WorldModelConfig:
  """Encoder, sequence model, latents, decoder and heads, and their losses.

  Attributes:
    sequence_model: The recurrence.
    posterior: What latents are inferred from; None: as published with the kind
      of the recurrence, non_recurrent for s3m, recurrent for gru.
    latent: The stochastic state.
    encoder: The MLP for vectors, of which the posterior sees the outputs.
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
    dynamics_free_nats: The least that KL[sg(q) || p] costs a step.
    representation_free_nats: The least that KL[q || sg(p)] costs a step.
    bins: Number of bins of the two-hot reward and value heads.
  """

  sequence_model: SequenceModelConfig = SequenceModelConfig()
  posterior: Optional[Posterior] = None
  latent: LatentConfig = LatentConfig()
  encoder: MLPConfig = MLPConfig()
  decoder: MLPConfig = MLPConfig()
  reward_head: MLPConfig = MLPConfig()
  continuation_head: MLPConfig = MLPConfig()
  cnn_depth: int = 96
  image_keys: Optional[str] = None
  vector_keys: Optional[str] = None
  ignored_keys: Optional[str] = None
  dynamics_scale: float = 0.5
  representation_scale: float = 0.1
  dynamics_free_nats: float = 1.0
  representation_free_nats: float = 1.0
  bins: int = 255

  def __post_init__(self) -> None:
    schema.require_positive(self, 'world_model', 'cnn_depth')
    schema.require(
        self.bins >= 3 and self.bins % 2 == 1,
        f'world_model.bins is {self.bins}, but it must be odd and at least 3.',
    )
    schema.require_patterns(
        self, 'world_model', 'image_keys', 'vector_keys', 'ignored_keys'
    )
    model = self.sequence_model
    schema.require(
        model.kind is not SequenceModelKind.S3M
        or model.s3m.computation is Computation.SCAN
        or not self.has_recurrent_posterior,
        's3m.computation is convolution, which takes a sequence at once, but'
        ' with world_model.posterior = recurrent each step waits for the one'
        ' before: set that to non_recurrent, or s3m.computation to scan.',
    )

  @property
  def has_recurrent_posterior(self) -> bool:
    """Whether latents are inferred from what is remembered, too."""
    if self.posterior is None:
      return self.sequence_model.kind is SequenceModelKind.GRU
    return self.posterior is Posterior.RECURRENT


@dataclasses.dataclass(frozen=True)
class BehaviorConfig:
  """Actor and critic, learned in imagination.

  Attributes:
    policy_input: The parts that actor and critic see beside z.
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
    replay_critic_scale: Weight of the critic's loss on the replayed sequences,
      beside that on imagined ones. Newer versions of DreamerV3 have 0.3.
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
  replay_critic_scale: float = 0.0

  def __post_init__(self) -> None:
    schema.require_positive(self, 'behavior', 'horizon', 'discount')
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
    schema.require(
        self.replay_critic_scale >= 0,
        f'behavior.replay_critic_scale is {self.replay_critic_scale}, but it'
        ' must be at least 0.',
    )


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """Adam with clipping and decoupled weight decay.

  Attributes:
    learning_rate: Step size of Adam.
    epsilon: Added to the root of Adam's second moment.
    clip_norm: The largest norm of all gradients of a group together.
    weight_decay: Share of a matrix taken off a step, times the step size.
    adaptive_clip: The largest norm of each variable's gradient, as a share of
      the norm of the variable (arXiv 2102.06171); it takes the place of
      `clip_norm`. Newer versions of DreamerV3 have 0.3. None: no such limit.
    warmup_steps: How many accepted steps the step size takes to grow from
      nothing to `learning_rate`, along a line.
    update_clip: The largest root mean square of a variable's gradient over the
      root of its second moment (arXiv 1804.04235, section 6, where it is 1); it
      keeps single gradients, however large, from throwing back what is learned.
      None: no such limit.
  """

  learning_rate: float = 1e-4
  epsilon: float = 1e-8
  clip_norm: float = 1000.0
  weight_decay: float = 0.0
  adaptive_clip: Optional[float] = None
  warmup_steps: int = 0
  update_clip: Optional[float] = None

  def __post_init__(self) -> None:
    schema.require_positive(
        self, 'optimizer', 'learning_rate', 'epsilon', 'clip_norm'
    )
    for field in ('adaptive_clip', 'update_clip'):
      if getattr(self, field) is not None:
        schema.require_positive(self, 'optimizer', field)
    schema.require(
        self.warmup_steps >= 0,
        f'optimizer.warmup_steps is {self.warmup_steps}, but it must be at'
        ' least 0.',
    )


@dataclasses.dataclass(frozen=True)
class R2IConfig:
  """Everything that defines an `R2IAgent`.

  Attributes:
    world_model: The world model.
    behavior: Actor and critic.
    world_model_optimizer: For all of the world model but the groups that its
      sequence model sets apart.
    actor_optimizer: For the actor.
    critic_optimizer: For the critic.
    precision: Arithmetic of the matrix products. Published is float16, which
      needs its losses scaled; bfloat16 takes its place.
    norm: The normalisation in all networks but the layers of the S3M.
  """

  world_model: WorldModelConfig = WorldModelConfig()
  behavior: BehaviorConfig = BehaviorConfig()
  world_model_optimizer: OptimizerConfig = OptimizerConfig()
  actor_optimizer: OptimizerConfig = OptimizerConfig(3e-5, 1e-5, 100.0)
  critic_optimizer: OptimizerConfig = OptimizerConfig(3e-5, 1e-5, 100.0)
  precision: Precision = Precision.MIXED_BFLOAT16
  norm: Norm = Norm.LAYER

  @classmethod
  def preset(cls, name: str) -> 'R2IConfig':
    """Returns the defaults with the changes of a named recipe.

    Args:
      name: A published model size, 'tiny', 'small', 'medium', 'large' or
        'xlarge', which changes sizes only; or 'debug', a model that two cores
        train in minutes, with what else a model of that size and short memories
        ask for.

    Raises:
      schema.ConfigError: The name is none of these.
    """
    schema.require(
        name in presets.AGENTS,
        f'unknown model size {name!r}:'
        f' {errors.did_you_mean(name, presets.AGENTS)}',
    )
    return schema.replace(cls(), presets.AGENTS[name])
