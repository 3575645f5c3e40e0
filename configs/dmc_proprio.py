"""DeepMind Control from vectors with the published hyperparameters."""

from r2i_tf.training import presets

_PUBLISHED = {
    'task': 'dmc/walker/walk',
    'steps': 500_000,
    'environment.dmc.observations': 'proprio',
    'environment.dmc.action_repeat': 2,
    'train_ratio': 512.0,
    'agent.world_model.sequence_model.output_size': 512,
    'agent.world_model.sequence_model.width': 512,
    'agent.world_model.cnn_depth': 32,
    **presets.coders(layers=5, units=512),
    **presets.heads(layers=2, units=512),
    'agent.behavior.policy_input': 'output',
}

_DEBUG = {'steps': 20_000, **presets.DEBUG_POLE}


def get_config(variant: str = ''):
  """Returns the published run, or the variant 'debug'."""
  return presets.config(variant, _PUBLISHED, _DEBUG)
