"""The published hyperparameters, from which each domain's config file starts.

  DEFAULT -> what the domain changes -> what the file's variant changes

`docs/presets.md` has all of them beside the published numbers.
"""

from typing import Any, Mapping

import ml_collections

from r2i_tf import config as agent_config
from r2i_tf import schema
from r2i_tf import ssm
from r2i_tf.training import run_config

_MLP = agent_config.MLPConfig(layers=5, units=1024)
_ACTOR_CRITIC_OPTIMIZER = agent_config.OptimizerConfig(
    learning_rate=3e-5, epsilon=1e-5, clip_norm=100.0, weight_decay=0.0
)

# The paper's column Default. What is the same everywhere, such as the latents,
# has its number in the dataclasses.
DEFAULT = run_config.RunConfig(
    parallel_environments=4,
    prefill=4_096,  # One batch, 4 x 1024.
    train_ratio=32.0,
    replay=run_config.ReplayConfig(
        capacity=10_000_000, batch_size=4, sequence_length=1024
    ),
    agent=agent_config.R2IConfig(
        world_model=agent_config.WorldModelConfig(
            sequence_model=agent_config.SequenceModelConfig(
                output_size=4096,
                width=1024,
                state_size=128,
                layers=4,
                blocks=8,
                discretization=ssm.Discretization.BILINEAR,
                learned_initial_state=True,
            ),
            encoder=_MLP,
            decoder=_MLP,
            reward_head=_MLP,
            continuation_head=_MLP,
            cnn_depth=96,
            dynamics_scale=0.5,
            representation_scale=0.1,
        ),
        behavior=agent_config.BehaviorConfig(
            policy_input=agent_config.PolicyInput.FULL,
            actor=_MLP,
            critic=_MLP,
            entropy_scale=3e-4,
        ),
        world_model_optimizer=agent_config.OptimizerConfig(
            learning_rate=1e-4, epsilon=1e-8, clip_norm=1000.0, weight_decay=0.0
        ),
        ssm_learning_rate=1e-4,
        actor_optimizer=_ACTOR_CRITIC_OPTIMIZER,
        critic_optimizer=_ACTOR_CRITIC_OPTIMIZER,
        # Published is float16, which needs its losses scaled; see presets.md.
        precision=agent_config.Precision.MIXED_BFLOAT16,
    ),
)

# What the debug variants share: an agent and a run for a machine of two cores.
_DEBUG = {
    'agent': agent_config.R2IConfig.preset('debug'),
    'parallel_environments': 4,
    'environment_processes': False,
    'prefill': 2_048,
    'train_ratio': 64.0,
    'replay': run_config.ReplayConfig(
        capacity=100_000, batch_size=16, sequence_length=64
    ),
    'evaluation_episodes': 10,
}
_DEBUG_NAME = 'debug'

# What moves shows in every frame: nothing has to be kept for long, and values,
# sums of many rewards, have a long way to go (docs/learning.md).
DEBUG_MOVING = {
    'agent.world_model.sequence_model.min_step': 0.01,
    'agent.world_model.sequence_model.max_step': 0.5,
    'agent.world_model_optimizer.learning_rate': 1e-3,
    'agent.ssm_learning_rate': 1e-3,
    'agent.critic_optimizer.learning_rate': 1e-3,
}
# What is seen, and so shared by the domains of images.
DEBUG_IMAGES = {
    **DEBUG_MOVING,
    'train_ratio': 32.0,
    'replay.batch_size': 8,
    'replay.sequence_length': 32,
    'replay.capacity': 20_000,
    'agent.world_model.latent.groups': 8,
    'agent.world_model.latent.classes': 8,
    'agent.world_model.cnn_depth': 8,
    'agent.world_model_optimizer.learning_rate': 2e-3,
    'agent.ssm_learning_rate': 2e-3,
    'agent.behavior.horizon': 10,
    # The actor does not wait for the world model to see what moves: at 3e-4 it
    # had settled on one action by then.
    'agent.behavior.entropy_scale': 3e-3,
}
# What lies a few steps back, in a deck of cards.
DEBUG_CARDS = {
    'parallel_environments': 16,
    'prefill': 4_096,
    'agent.world_model.sequence_model.min_step': 0.05,
    'agent.world_model.sequence_model.max_step': 0.5,
    # No card can be predicted, and a suit is worth 1.39 nats: with one nat
    # free, latents forget a part of what they see.
    'agent.world_model.free_nats': 2.0,
    # A right answer pays 1/48. Bins that lie closer than the published ones
    # tell it from a wrong one with more of their weight.
    'agent.world_model.bins': 511,
    # What it was measured with; the debug model's own scale was not tried here.
    'agent.behavior.entropy_scale': 3e-5,
}
# A pole to be held up, from vectors.
DEBUG_POLE = {
    **DEBUG_MOVING,
    'task': 'dmc/cartpole/balance',
    'replay.batch_size': 8,
    'agent.world_model.latent.groups': 16,
    'agent.world_model.latent.classes': 8,
    'agent.behavior.policy_input': 'output',
    'agent.behavior.horizon': 15,
    # Of a return of a hundred, as here, little is left after normalisation
    # that would keep a policy from being certain too soon.
    'agent.behavior.entropy_scale': 1e-3,
    # A pole that falls does so within a second, 50 decisions.
    'agent.behavior.discount': 0.985,
}


def heads(layers: int, units: int) -> Mapping[str, Any]:
  """Returns the changes that size both heads, actor and critic.

  Args:
    layers: Of each of the four.
    units: Of each layer.
  """
  mlp = agent_config.MLPConfig(layers, units)
  return {
      'agent.world_model.reward_head': mlp,
      'agent.world_model.continuation_head': mlp,
      'agent.behavior.actor': mlp,
      'agent.behavior.critic': mlp,
  }


def coders(layers: int, units: int) -> Mapping[str, Any]:
  """Returns the changes that size the MLPs of encoder and decoder.

  Args:
    layers: Of both.
    units: Of each layer.
  """
  mlp = agent_config.MLPConfig(layers, units)
  return {'agent.world_model.encoder': mlp, 'agent.world_model.decoder': mlp}


def config(
    variant: str, published: Mapping[str, Any], debug: Mapping[str, Any]
) -> ml_collections.ConfigDict:
  """Returns a variant of a domain, as a config file's `get_config` does.

  Args:
    variant: '' for the published hyperparameters, 'debug' for a run that two
      cores finish in minutes.
    published: What the domain changes in `DEFAULT`, by dotted field names.
    debug: What its debug variant changes beyond what all of them change.

  Raises:
    schema.ConfigError: There is no such variant, or a field or value is wrong.
  """
  schema.require(
      variant in ('', _DEBUG_NAME),
      f'there is no variant {variant!r} of this config:'
      f' {schema.nearest(variant, [_DEBUG_NAME])}',
  )
  run = schema.replace(DEFAULT, published)
  if variant == _DEBUG_NAME:
    run = schema.replace(run, {**_DEBUG, **debug})
  return run_config.to_config_dict(run)
