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

_DEBUG = {
    'task': 'dmc/cartpole/balance',
    'steps': 20_000,
    'replay.batch_size': 8,
    **presets.DEBUG_MOVING,
    'agent.world_model.latent.groups': 16,
    'agent.world_model.latent.classes': 8,
    'agent.behavior.policy_input': 'output',
    'agent.behavior.horizon': 15,
    'agent.behavior.entropy_scale': 1e-3,
    # A pole that falls does so within a second, 50 decisions.
    'agent.behavior.discount': 0.985,
}


def get_config(variant: str = ''):
  """Returns the published run, or the variant 'debug'."""
  return presets.config(variant, _PUBLISHED, _DEBUG)
