"""A first run, on a laptop: remember one bit for two steps.

A small model, few steps. Nothing here is published.
"""

from r2i_tf import config as agent_config
from r2i_tf.training import run_config


def get_config():
  mlp = agent_config.MLPConfig(layers=1, units=64)
  agent = agent_config.R2IConfig(
      world_model=agent_config.WorldModelConfig(
          sequence_model=agent_config.SequenceModelConfig(
              output_size=64, width=64, state_size=32, layers=2, blocks=4
          ),
          latent=agent_config.LatentConfig(groups=8, classes=8),
          encoder=mlp,
          decoder=mlp,
          reward_head=mlp,
          continuation_head=mlp,
      ),
      behavior=agent_config.BehaviorConfig(
          policy_input=agent_config.PolicyInput.HIDDEN,
          actor=mlp,
          critic=mlp,
          horizon=5,
          starts_per_sequence=16,
      ),
      world_model_optimizer=agent_config.OptimizerConfig(1e-3),
      ssm_learning_rate=1e-3,
      actor_optimizer=agent_config.OptimizerConfig(3e-4, 1e-5, 100.0),
      critic_optimizer=agent_config.OptimizerConfig(3e-4, 1e-5, 100.0),
  )
  return run_config.to_config_dict(
      run_config.RunConfig(
          task='bsuite/memory_len/2',
          steps=10_000,
          prefill=512,
          train_ratio=128.0,
          replay=run_config.ReplayConfig(
              capacity=20_000, batch_size=16, sequence_length=64
          ),
          log_seconds=5.0,
          agent=agent,
      )
  )
