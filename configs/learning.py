"""Tasks that two cores learn, by remembering, moving and seeing.

Variants, as in --config=configs/learning.py:repeat_previous; what each of them
learns, and what it needed, is in docs/learning.md.

  repeat_previous    POPGym: name the suit of the card of four steps ago
  cartpole_balance   DeepMind Control from vectors: continuous actions
  catch_images       BSuite: catch a ball, seen as an image of 32 x 32 pixels
"""

from r2i_tf import config as agent_config
from r2i_tf import schema
from r2i_tf.training import presets
from r2i_tf.training import run_config

_VARIANTS = {
    'repeat_previous': {
        'task': 'popgym/RepeatPreviousEasy',
        'stop_at_return': 0.95,
        **presets.DEBUG_CARDS,
    },
    'cartpole_balance': {
        'evaluation_episodes': 10,
        'parallel_environments': 4,
        'prefill': 2_048,
        **presets.DEBUG_POLE,
    },
    'catch_images': {
        'task': 'bsuite/catch/0',
        'environment.bsuite.image_size': 32,
        'parallel_environments': 8,
        'prefill': 1_024,
        'stop_at_return': 0.95,
        **presets.DEBUG_IMAGES,
        'replay.capacity': 200_000,  # Of 1 kB each.
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
