"""Tasks that two cores learn, by remembering, moving and seeing.

Variants, as in --config=configs/learning.py:repeat_previous; what each of them
learns, and what it needed, is in docs/learning.md.

  repeat_previous    POPGym: name the suit of the card of four steps ago
  cartpole_balance   DeepMind Control from vectors: continuous actions
  catch_images       BSuite: catch a ball, seen as an image of 32 x 32 pixels
"""

from r2i_tf import config as agent_config
from r2i_tf import schema
from r2i_tf.training import run_config

# What moves shows in every frame: nothing has to be kept for long, and values,
# which grow to the sum of many rewards, have a long way to go.
_MOVING = {
    'agent.world_model_optimizer.learning_rate': 1e-3,
    'agent.ssm_learning_rate': 1e-3,
    'agent.world_model.sequence_model.min_step': 0.01,
    'agent.world_model.sequence_model.max_step': 0.5,
    'agent.critic_optimizer.learning_rate': 1e-3,
}

_VARIANTS = {
    'repeat_previous': {
        'task': 'popgym/RepeatPreviousEasy',
        'parallel_environments': 16,
        'prefill': 4_096,
        'stop_at_return': 0.95,
        # What is to be remembered lies four steps back.
        'agent.world_model.sequence_model.min_step': 0.05,
        'agent.world_model.sequence_model.max_step': 0.5,
        # No card can be predicted, and a suit is worth 1.39 nats: with one nat
        # free, latents forget a part of what they see.
        'agent.world_model.free_nats': 2.0,
        # A right answer pays 1/48. Bins that lie closer tell it from a wrong
        # one with more of their weight.
        'agent.world_model.bins': 511,
    },
    'cartpole_balance': {
        'task': 'dmc/cartpole/balance',
        'evaluation_episodes': 10,
        'parallel_environments': 4,
        'prefill': 2_048,
        'replay.batch_size': 8,
        **_MOVING,
        'agent.world_model.latent.groups': 16,
        'agent.world_model.latent.classes': 8,
        'agent.behavior.policy_input': 'output',
        'agent.behavior.horizon': 15,
        # Of a return of a hundred, as here, little is left after normalisation
        # that would keep a policy from being certain too soon.
        'agent.behavior.entropy_scale': 1e-3,
        # A pole that falls does so within a second, 50 decisions.
        'agent.behavior.discount': 0.985,
    },
    'catch_images': {
        'task': 'bsuite/catch/0',
        'environment.bsuite.image_size': 32,
        'parallel_environments': 8,
        'prefill': 1_024,
        'train_ratio': 32.0,
        'replay.batch_size': 8,
        'replay.sequence_length': 32,
        'stop_at_return': 0.95,
        **_MOVING,
        'agent.world_model_optimizer.learning_rate': 2e-3,
        'agent.ssm_learning_rate': 2e-3,
        'agent.world_model.latent.groups': 8,
        'agent.world_model.latent.classes': 8,
        'agent.world_model.cnn_depth': 8,
        'agent.behavior.horizon': 10,
        # The actor does not wait for the world model to see the ball: at 3e-4
        # it had settled on one action by then.
        'agent.behavior.entropy_scale': 3e-3,
    },
}


def get_config(variant: str = ''):
  """Returns the run of a variant as an `ml_collections.ConfigDict`."""
  schema.require(
      variant in _VARIANTS,
      f'configs/learning.py has no variant {variant!r}: choose one of'
      f' {", ".join(_VARIANTS)}, as in --config=configs/learning.py:'
      f'{next(iter(_VARIANTS))}.',
  )
  return run_config.to_config_dict(
      schema.replace(
          run_config.RunConfig(
              steps=10_000_000,
              train_ratio=64.0,
              replay=run_config.ReplayConfig(
                  capacity=200_000, batch_size=16, sequence_length=64
              ),
              max_minutes=90.0,
              agent=agent_config.R2IConfig.preset('debug'),
          ),
          _VARIANTS[variant],
      )
  )
