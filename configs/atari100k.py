"""Atari 100K with the published hyperparameters (docs/presets.md)."""

from r2i_tf.training import presets

_PUBLISHED = {
    'task': 'atari/pong',
    'steps': 100_000,
    'environment.atari.action_repeat': 4,
    'environment.atari.sticky_probability': 0.0,
    'environment.atari.noops': 30,
    'environment.atari.image_size': 64,
    'environment.atari.grayscale': False,
    'environment.atari.full_actions': False,
    'environment.atari.life_loss_ends': False,
    'parallel_environments': 1,
    'train_ratio': 1024.0,
    # All of the run and the steps between its episodes. The replay takes its
    # memory at the start: images for the published 1e7 steps are 123 GB.
    'replay.capacity': 110_000,
    'agent.precision': 'float32',
    'agent.world_model.sequence_model.output_size': 512,
    'agent.world_model.sequence_model.width': 512,
    'agent.world_model.cnn_depth': 32,
    **presets.heads(layers=2, units=512),
    'agent.behavior.policy_input': 'output',
}

_DEBUG = {
    'steps': 5_000,
    **presets.DEBUG_IMAGES,
    'evaluation_episodes': 2,
}


def get_config(variant: str = ''):
  """Returns the published run, or the variant 'debug'."""
  return presets.config(variant, _PUBLISHED, _DEBUG)
