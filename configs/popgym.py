"""POPGym with the published hyperparameters (docs/presets.md)."""

from r2i_tf.training import presets

_PUBLISHED = {
    'task': 'popgym/RepeatPreviousEasy',
    'steps': 200_000_000,
    'parallel_environments': 8,
    'prefill': 8_192,  # A sequence of 1024 from each environment.
    'train_ratio': 64.0,
    'agent.world_model.sequence_model.output_size': 1024,
    'agent.world_model.sequence_model.width': 512,
    'agent.world_model.sequence_model.layers': 3,
    'agent.world_model.cnn_depth': 32,
    **presets.coders(layers=1, units=512),
    **presets.heads(layers=2, units=512),
    'agent.behavior.policy_input': 'hidden',
}

_DEBUG = {'steps': 40_000, **presets.DEBUG_CARDS}


def get_config(variant: str = ''):
  """Returns the published run, or the variant 'debug'."""
  return presets.config(variant, _PUBLISHED, _DEBUG)
