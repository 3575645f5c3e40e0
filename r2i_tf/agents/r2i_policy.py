"""The policy of R2I for TF-Agents: observe one step, then act."""

from typing import Any, Optional, Protocol

import tensorflow as tf
import tensorflow_probability as tfp
from tf_agents.policies import tf_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

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


class R2IPolicy(tf_policy.TFPolicy):
  """Acts by the actor on the world model's state.

  The policy state is a dict of float32 or int32 tensors, so that every client
  can carry it: `memory`, a nest of the sequence model's choice, leaves [B,
  ...]; `latent` (z_t), float32 [B, G * K]; and `action` (a_t, encoded), float32
  [B, A]. It is reset where `time_step.is_first()`. `action` puts in a_t;
  `distribution` cannot know it and puts in its mode.
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
      name: Name of the policy.
    """
    self._world_model = world_model
    self._behavior = behavior
    self._features = features
    self._greedy = greedy
    self._latent_mode = latent_mode
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
    return R2IPolicy(
        self.time_step_spec,
        self.action_spec,
        self._world_model,
        self._behavior,
        self._features,
        greedy=True,
        latent_mode=True,
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
    distribution, carry = self._observe(time_step, policy_state, seed=None)
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
    distribution, carry = self._observe(time_step, policy_state, seeds())
    if self._greedy:
      action = distribution.mode()
    else:
      action = distribution.sample(seed=seeds())
    return policy_step.PolicyStep(action, self._with_action(carry, action), ())

  def _with_action(self, carry: Carry, action: tf.Tensor) -> dict[str, Any]:
    encoded = self._behavior.actions.encode(action)
    return {**carry._asdict(), 'action': encoded}

  def _observe(
      self, time_step: ts.TimeStep, policy_state: Any, seed: Any
  ) -> tuple[tfp.distributions.Distribution, Carry]:
    """Takes in an observation; returns the action's distribution, the carry."""
    state, carry = self._world_model.observe_step(
        Carry(policy_state['memory'], policy_state['latent']),
        policy_state['action'],
        time_step.observation,
        time_step.is_first(),
        seed,
        latent_mode=self._latent_mode,
    )
    parameters = self._behavior.actor(self._features.of(state))
    distribution = self._behavior.actions.environment_distribution(parameters)
    return distribution, carry
