"""Memory Maze with the published hyperparameters (docs/presets.md)."""

from r2i_tf import config as agent_config
from r2i_tf.training import presets

_PUBLISHED = {
    'task': 'memory_maze/9x9',
    'steps': 400_000_000,
    'parallel_environments': 40,
    'environment_processes': True,
    'prefill': 40_960,  # A sequence of 1024 from each environment.
    'train_ratio': 64.0,
    'agent.world_model.sequence_model.output_size': 2048,
    'agent.world_model.sequence_model.width': 1024,
    'agent.world_model.sequence_model.state_size': 512,
    'agent.world_model.sequence_model.layers': 5,
    'agent.world_model.cnn_depth': 48,
    **presets.coders(layers=4, units=400),  # Of vectors, which it has none of.
    **presets.heads(layers=4, units=1024),
    'agent.world_model.dynamics_scale': 0.8,
    'agent.world_model.representation_scale': 0.2,
    'agent.behavior.entropy_scale': 1e-3,
    'agent.world_model_optimizer': agent_config.OptimizerConfig(
        learning_rate=3e-4, epsilon=1e-8, clip_norm=200.0, weight_decay=1e-2
    ),
    'agent.ssm_learning_rate': 3e-4,
    'agent.actor_optimizer.learning_rate': 1e-4,
    'agent.actor_optimizer.clip_norm': 200.0,
    'agent.critic_optimizer.learning_rate': 1e-4,
}

_DEBUG = {
    'steps': 4_000,  # Of which a pool draws about fifty a second.
    'environment_processes': True,
    **presets.DEBUG_IMAGES,
    'evaluation_episodes': 1,
}


def get_config(variant: str = ''):
  """Returns the published run, or the variant 'debug'."""
  return presets.config(variant, _PUBLISHED, _DEBUG)
