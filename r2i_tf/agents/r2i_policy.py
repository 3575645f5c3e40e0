"""The policy of R2I for TF-Agents: observe one step, then act.

  global generator -> noise -+
  o_t, policy state ---------+-> one XLA program -> a_t, policy state

A step is a few hundred small operations, most of whose time is not arithmetic,
so XLA compiles it. The numbers that it draws by come from outside: XLA has no
part in TensorFlow's generator, and compiled or not, a step does the same.
"""

from collections.abc import Callable
import enum
from typing import Any, Optional, Protocol

import tensorflow as tf
import tensorflow_probability as tfp
from tf_agents.policies import tf_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from r2i_tf import config as agent_config
from r2i_tf.behavior import actions as actions_lib
from r2i_tf.world_model import Carry
from r2i_tf.world_model import Features
from r2i_tf.world_model import WorldModel


class Acting(Protocol):
  """What a policy needs of a behaviour: an `ActorCritic` has it, and more.

  Attributes:
    actions: The codec of the environment's actions.
    actor: Features to the parameters of the actions' distribution.
  """

  actions: actions_lib.ActionCodec
  actor: actions_lib.Actor


class Compiled(enum.Enum):
  """When a policy's steps are an XLA program.

  XLA compiles for one size of the batch, which takes a second.

  Attributes:
    NEVER: What converters of exports read.
    KNOWN_BATCH: Where the batch's size is known when a step is traced, as it is
      for a driver; an export for batches of any size has plain operations.
    ALWAYS: For any size, each compiled when it first comes.
  """

  NEVER = 'never'
  KNOWN_BATCH = 'known_batch'
  ALWAYS = 'always'


def compiled(config: agent_config.R2IConfig) -> Compiled:
  """Returns when the policies of an agent are compiled.

  Not with bfloat16: on a CPU, where policies act, XLA's products of it take far
  longer than TensorFlow's.

  Args:
    config: Of the agent.
  """
  if config.precision is agent_config.Precision.FLOAT32:
    return Compiled.KNOWN_BATCH
  return Compiled.NEVER


class R2IPolicy(tf_policy.TFPolicy):
  """Acts by the actor on the world model's state.

  The policy state is a dict of float32 or int32 tensors, so that every client
  can carry it: `memory`, a nest of the sequence model's choice, leaves [B,
  ...]; `latent` (z_t), float32 [B, G * K]; and `action` (a_t, encoded), float32
  [B, A]. It is reset where `time_step.is_first()`. `action` puts in a_t;
  `distribution` cannot know it and puts in its mode.

  Attributes:
    prepared: Variables with the discretised parameters of a `frozen` policy;
      None for one that makes them of its weights in each step.
  """

  def __init__(
      self,
      time_step_spec: ts.TimeStep,
      action_spec: types.NestedTensorSpec,
      world_model: WorldModel,
      behavior: Acting,
      features: Features,
      greedy: bool = False,
      latent_mode: bool = False,
      compiled: Compiled = Compiled.NEVER,
      prepared: Any = None,
      name: Optional[str] = 'R2IPolicy',
  ):
    """Creates the policy over networks that it shares with the agent.

    Args:
      time_step_spec: Of the environment.
      action_spec: Of the environment, one bounded spec.
      world_model: The world model.
      behavior: The actor.
      features: The part of a state that the actor sees.
      greedy: Whether to take the most likely action instead of sampling.
      latent_mode: Whether to take the most likely latent instead of sampling.
      compiled: When `action` is an XLA program.
      prepared: Of the world model's `prepare`, as variables, to be read in
        place of what they were made of; None to read that.
      name: Name of the policy.
    """
    self._world_model = world_model
    self._behavior = behavior
    self._features = features
    self._greedy = greedy
    self._latent_mode = latent_mode
    self._compiled = compiled
    self.prepared = prepared
    self._program = tf.function(
        self._step, jit_compile=True, autograph=False, reduce_retracing=True
    )
    state_spec = {
        **world_model.carry_spec._asdict(),
        'action': tf.TensorSpec(
            [world_model.action_size], tf.float32, 'action'
        ),
    }
    super().__init__(
        time_step_spec,
        action_spec,
        policy_state_spec=state_spec,
        clip=True,
        emit_log_probability=False,
        name=name,
    )

  def deterministic(self) -> 'R2IPolicy':
    """Returns the greedy policy of these networks that draws nothing.

    It takes the most likely latent, too.
    """
    return self._like(greedy=True, latent_mode=True)

  def frozen(self) -> 'R2IPolicy':
    """Returns this policy of the weights of now, for an export.

    What each of its steps would make of parameters that are constants there, it
    has stored. It is compiled for batches of any size, if this one is at all.
    """
    is_compiled = self._compiled is not Compiled.NEVER
    prepared = self._world_model.prepare()
    if prepared is not None:
      prepared = tf.nest.map_structure(
          lambda x: tf.Variable(x, trainable=False), prepared
      )
    return self._like(
        compiled=Compiled.ALWAYS if is_compiled else Compiled.NEVER,
        prepared=prepared,
    )

  def plain(self) -> 'R2IPolicy':
    """Returns this policy of operations that any client and converter has."""
    return self._like(compiled=Compiled.NEVER)

  def _like(self, **changes: Any) -> 'R2IPolicy':
    arguments = {
        'greedy': self._greedy,
        'latent_mode': self._latent_mode,
        'compiled': self._compiled,
        'prepared': self.prepared,
    }
    return R2IPolicy(
        self.time_step_spec,
        self.action_spec,
        self._world_model,
        self._behavior,
        self._features,
        **{**arguments, **changes},
    )

  @property
  def acting_variables(self) -> tuple[tf.Variable, ...]:
    """Those that acting reads, in the same order in every process.

    The others that a policy holds come with the world model.
    """
    return (
        *self._world_model.acting_variables,
        *self._behavior.actor.variables,
    )

  def _variables(self) -> list[tf.Variable]:
    return list(self._world_model.variables) + list(
        self._behavior.actor.variables
    )

  def _get_initial_state(self, batch_size: Optional[int]) -> Any:
    outer = None if batch_size is None else [batch_size]
    return tensor_spec.zero_spec_nest(self._policy_state_spec, outer_dims=outer)

  def _distribution(
      self, time_step: ts.TimeStep, policy_state: Any
  ) -> policy_step.PolicyStep:
    batch_size = tf.shape(time_step.step_type)[0]
    parameters, carry = self._observe(
        time_step.observation,
        time_step.is_first(),
        policy_state,
        self._latent_noise(batch_size, seed=None),
    )
    distribution = self._behavior.actions.environment_distribution(parameters)
    if self._greedy:
      distribution = tfp.distributions.Deterministic(distribution.mode())
    # Who asks for the distribution acts on it elsewhere. TF-Agents' own
    # `GreedyPolicy` does, and takes the mode.
    state = self._with_action(carry, distribution.mode())
    return policy_step.PolicyStep(distribution, state, ())

  def _action(
      self, time_step: ts.TimeStep, policy_state: Any, seed: Any = None
  ) -> policy_step.PolicyStep:
    seeds = tfp.util.SeedStream(seed, salt='R2IPolicy')
    batch_size = tf.shape(time_step.step_type)[0]
    latent_noise = self._latent_noise(batch_size, seeds())
    action_noise = None
    if not self._greedy:
      action_noise = self._behavior.actions.noise(batch_size, seeds())
    action, state = self._stepping(time_step)(
        time_step.observation,
        time_step.is_first(),
        policy_state,
        latent_noise,
        action_noise,
    )
    return policy_step.PolicyStep(action, state, ())

  def _stepping(self, time_step: ts.TimeStep) -> Callable[..., Any]:
    """Returns `_step`, or the program of it."""
    if self._compiled is Compiled.KNOWN_BATCH:
      is_compiled = time_step.step_type.shape[0] is not None
    else:
      is_compiled = self._compiled is Compiled.ALWAYS
    return self._program if is_compiled else self._step

  def _step(
      self,
      observation: Any,
      is_first: tf.Tensor,
      policy_state: Any,
      latent_noise: Optional[tf.Tensor],
      action_noise: Optional[tf.Tensor],
  ) -> tuple[tf.Tensor, dict[str, Any]]:
    """Returns a_t and the policy state; draws nothing itself."""
    parameters, carry = self._observe(
        observation, is_first, policy_state, latent_noise
    )
    action = self._behavior.actions.environment_action(parameters, action_noise)
    return action, self._with_action(carry, action)

  def _observe(
      self,
      observation: Any,
      is_first: tf.Tensor,
      policy_state: Any,
      latent_noise: Optional[tf.Tensor],
  ) -> tuple[tf.Tensor, Carry]:
    """Takes in an observation; returns what the actor says, and the carry."""
    state, carry = self._world_model.observe_step(
        Carry(policy_state['memory'], policy_state['latent']),
        policy_state['action'],
        observation,
        is_first,
        latent_noise,
        self.prepared,
    )
    return self._behavior.actor(self._features.of(state)), carry

  def _latent_noise(
      self, batch_size: tf.Tensor, seed: Optional[int]
  ) -> Optional[tf.Tensor]:
    if self._latent_mode:
      return None
    return self._world_model.latent_noise(batch_size, seed)

  def _with_action(self, carry: Carry, action: tf.Tensor) -> dict[str, Any]:
    encoded = self._behavior.actions.encode(action)
    return {**carry._asdict(), 'action': encoded}
