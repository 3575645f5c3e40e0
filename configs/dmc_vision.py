"""DeepMind Control from images with the published hyperparameters."""

from r2i_tf.training import presets

_PUBLISHED = {
    'task': 'dmc/walker/walk',
    'steps': 1_000_000,
    'environment.dmc.observations': 'vision',
    'environment.dmc.action_repeat': 2,
    'environment.dmc.image_size': 64,
    'environment_processes': True,
    'train_ratio': 512.0,
    # All of the run and the steps between its episodes. The replay takes its
    # memory at the start: images for the published 1e7 steps are 123 GB.
    'replay.capacity': 1_010_000,
    'agent.world_model.sequence_model.output_size': 512,
    'agent.world_model.sequence_model.width': 512,
    'agent.world_model.cnn_depth': 32,
    **presets.heads(layers=2, units=512),
    'agent.behavior.policy_input': 'output',
}

_DEBUG = {
    'task': 'dmc/cartpole/balance',
    'steps': 5_000,  # Of which a pool draws about sixty a second.
    'environment_processes': True,
    **presets.DEBUG_IMAGES,
    'agent.behavior.policy_input': 'output',
    'evaluation_episodes': 2,
}


def get_config(variant: str = ''):
  """Returns the published run, or the variant 'debug'."""
  return presets.config(variant, _PUBLISHED, _DEBUG)
