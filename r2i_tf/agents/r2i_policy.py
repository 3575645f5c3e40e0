"""The policy of R2I for TF-Agents: observe one step, then act."""

from typing import Optional

import tensorflow as tf
import tensorflow_probability as tfp
from tf_agents.policies import tf_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from r2i_tf import config as agent_config
from r2i_tf.behavior import ActorCritic
from r2i_tf.world_model import State
from r2i_tf.world_model import WorldModel


def policy_features(
    state: State, policy_input: agent_config.PolicyInput
) -> tf.Tensor:
  """What actor and critic see of a state.

  Args:
    state: Batch axes [...].
    policy_input: The parts beside the latent.

  Returns:
    float32 [..., F]: of h, z and x, in this order, what there is.
  """
  parts = [state.latent]
  if policy_input is not agent_config.PolicyInput.HIDDEN:
    parts.insert(0, state.output)
  if policy_input is not agent_config.PolicyInput.OUTPUT:
    parts.append(state.hidden)
  return tf.concat(parts, -1)


class R2IPolicy(tf_policy.TFPolicy):
  """Acts by the actor on the world model's state.

  The policy state is a dict of float32 tensors, so that every client can carry
  it: `hidden` (x_t) [B, S], `latent` (z_t) [B, G * K] and `action`
  (a_t, encoded) [B, A]. It is reset where `time_step.is_first()`. `action`
  puts in a_t; `distribution` cannot know it and puts in its mode.
  """

  def __init__(
      self,
      time_step_spec: ts.TimeStep,
      action_spec: types.NestedTensorSpec,
      world_model: WorldModel,
      behavior: ActorCritic,
      policy_input: agent_config.PolicyInput,
      greedy: bool = False,
      name: Optional[str] = 'R2IPolicy',
  ):
    """Creates the policy over networks that it shares with the agent.

    Args:
      time_step_spec: Of the environment.
      action_spec: Of the environment, one bounded spec.
      world_model: The world model.
      behavior: The actor.
      policy_input: What the actor sees.
      greedy: Whether to take the most likely action instead of sampling.
      name: Name of the policy.
    """
    self._world_model = world_model
    self._behavior = behavior
    self._policy_input = policy_input
    self._greedy = greedy
    state_spec = {
        'hidden': tf.TensorSpec(
            [world_model.hidden_size], tf.float32, 'hidden'
        ),
        'latent': tf.TensorSpec(
            [world_model.latent_size], tf.float32, 'latent'
        ),
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

  def _variables(self):
    return list(self._world_model.variables) + list(
        self._behavior.actor.variables
    )

  def _get_initial_state(self, batch_size):
    if batch_size is None:
      return tensor_spec.zero_spec_nest(self._policy_state_spec)
    return tensor_spec.zero_spec_nest(
        self._policy_state_spec, outer_dims=[batch_size]
    )

  def _distribution(self, time_step, policy_state):
    distribution, state = self._observe(time_step, policy_state, seed=None)
    # Who asks for the distribution acts on it elsewhere. TF-Agents' own
    # `GreedyPolicy` does, and takes the mode.
    state = self._with_action(state, distribution.mode())
    return policy_step.PolicyStep(distribution, state, ())

  def _action(self, time_step, policy_state, seed=None):
    seeds = tfp.util.SeedStream(seed, salt='R2IPolicy')
    distribution, state = self._observe(time_step, policy_state, seeds())
    action = distribution.sample(seed=seeds())
    return policy_step.PolicyStep(action, self._with_action(state, action), ())

  def _with_action(self, state: State, action: tf.Tensor):
    return {
        'hidden': state.hidden,
        'latent': state.latent,
        'action': self._behavior.actions.encode(action),
    }

  def _observe(self, time_step, policy_state, seed):
    """Takes in an observation; returns the action's distribution, the state."""
    previous = State(
        hidden=policy_state['hidden'],
        output=tf.zeros([1, self._world_model.output_size]),
        latent=policy_state['latent'],
    )
    state = self._world_model.observe_step(
        previous,
        policy_state['action'],
        time_step.observation,
        time_step.is_first(),
        seed,
    )
    features = policy_features(state, self._policy_input)
    parameters = self._behavior.actor(features)
    distribution = self._behavior.actions.environment_distribution(parameters)
    if self._greedy:
      distribution = tfp.distributions.Deterministic(distribution.mode())
    return distribution, state
