"""BSuite with the published hyperparameters (docs/presets.md)."""

from r2i_tf.training import presets

_PUBLISHED = {
    'task': 'bsuite/memory_len/0',
    'steps': 5_000_000,
    'parallel_environments': 1,
    'prefill': 4_096,  # One batch, 16 x 256.
    'train_ratio': 1024.0,
    'replay.capacity': 5_000_000,
    'replay.batch_size': 16,
    'replay.sequence_length': 256,
    'agent.precision': 'float32',
    'agent.world_model.sequence_model.output_size': 512,
    'agent.world_model.sequence_model.width': 512,
    'agent.world_model.sequence_model.layers': 3,
    'agent.world_model.sequence_model.discretization': 'zoh',
    'agent.world_model.sequence_model.learned_initial_state': False,
    'agent.world_model.cnn_depth': 32,
    **presets.heads(layers=2, units=512),
    'agent.behavior.policy_input': 'hidden',
}

_DEBUG = {
    'steps': 20_000,
    'parallel_environments': 8,
    'evaluation_episodes': 100,
}


def get_config(variant: str = ''):
  """Returns the published run, or the variant 'debug'."""
  return presets.config(variant, _PUBLISHED, _DEBUG)
