"""The collect policy without its agent: what acting elsewhere needs.

A learner publishes the values of `R2IPolicy.acting_variables`; a collector
builds the same policy here, of the same configuration, and assigns them. So
does a run whose agent is on a TPU, from which each read is a transfer.
"""

from typing import Any

import tensorflow as tf
from tf_agents.trajectories import time_step as ts

from r2i_tf import config as agent_config
from r2i_tf import networks
from r2i_tf.agents import r2i_policy
from r2i_tf.agents import spec_checks
from r2i_tf.behavior import actions as actions_lib
from r2i_tf.world_model import WorldModel


class _Actor(tf.Module):
  """The behaviour of a policy, without a critic."""

  def __init__(
      self, actions: actions_lib.ActionCodec, actor: actions_lib.Actor
  ):
    super().__init__(name='behavior')
    self.actions = actions
    self.actor = actor


def collect_policy(
    time_step_spec: ts.TimeStep,
    action_spec: Any,
    config: agent_config.R2IConfig,
) -> r2i_policy.R2IPolicy:
  """Returns the collect policy of an agent, with `acting_variables` alone.

  Args:
    time_step_spec: As the agent gets it.
    action_spec: As the agent gets it.
    config: As the agent gets it.

  Raises:
    UnsupportedSpecError: A spec is one that R2I cannot take.
    schema.ConfigError: The observation cannot be encoded as `config` says.
  """
  spec_checks.check_specs(time_step_spec, action_spec, config.world_model)
  options = networks.layer_options(config)
  actions = actions_lib.create(tf.nest.flatten(action_spec)[0])
  world_model = WorldModel(
      time_step_spec.observation,
      actions.size,
      config.world_model,
      options,
      acting_only=True,
  )
  features = world_model.policy_features(config.behavior.policy_input)
  actor = actions_lib.Actor(actions, config.behavior.actor, options)
  actor(tf.zeros([1, features.size]))
  return r2i_policy.R2IPolicy(
      time_step_spec,
      action_spec,
      world_model,
      _Actor(actions, actor),
      features,
      compiled=r2i_policy.compiled(config),
  )


class HostCopy:
  """The collect policy of an agent, on copies of its variables on this host.

  Attributes:
    policy: Acts by the copies, which are as old as the last `update`.
  """

  def __init__(
      self, original: r2i_policy.R2IPolicy, config: agent_config.R2IConfig
  ):
    """Copies.

    Args:
      original: The agent's collect policy.
      config: Of the agent.
    """
    with tf.device('CPU:0'):
      self.policy = collect_policy(
          original.time_step_spec, original.action_spec, config
      )
    self._original = original.acting_variables
    self.update()

  def update(self) -> None:
    """Takes over the values of now."""
    for copy, original in zip(self.policy.acting_variables, self._original):
      copy.assign(original.numpy())
