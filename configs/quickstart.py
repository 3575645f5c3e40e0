"""A first run, for a laptop: see one bit, act on it a hundred steps later.

A small model for BSuite's memory_len, at its greatest setting, memory_length
100. What differs from the published recipe and why:

  * Two latents of four classes. An observation here holds little; latents that
    carry nothing are noise on the memory's input.
  * Steps of the discretisation up to 0.5. One input moves a state by its step
    size; the published range, 0.1 at most, suits memories of hundreds of steps
    and hardly notices one bit shown once.
  * Larger learning rates, as small models bear, and short imagination.
"""

from r2i_tf import config as agent_config
from r2i_tf.training import run_config


def get_config():
  """Returns the run as an `ml_collections.ConfigDict`."""
  mlp = agent_config.MLPConfig(layers=2, units=64)
  agent = agent_config.R2IConfig(
      world_model=agent_config.WorldModelConfig(
          sequence_model=agent_config.SequenceModelConfig(
              output_size=64,
              width=64,
              state_size=32,
              layers=2,
              blocks=4,
              min_step=0.01,
              max_step=0.5,
          ),
          latent=agent_config.LatentConfig(groups=2, classes=4),
          encoder=mlp,
          decoder=mlp,
          reward_head=mlp,
          continuation_head=mlp,
      ),
      behavior=agent_config.BehaviorConfig(
          policy_input=agent_config.PolicyInput.FULL,
          actor=mlp,
          critic=mlp,
          horizon=5,
          starts_per_sequence=8,
      ),
      world_model_optimizer=agent_config.OptimizerConfig(3e-3),
      ssm_learning_rate=3e-3,
      actor_optimizer=agent_config.OptimizerConfig(3e-4, 1e-5, 100.0),
      critic_optimizer=agent_config.OptimizerConfig(3e-4, 1e-5, 100.0),
  )
  return run_config.to_config_dict(
      run_config.RunConfig(
          task='bsuite/memory_len/22',
          steps=150_000,
          parallel_environments=8,
          prefill=4_096,
          train_ratio=256.0,
          replay=run_config.ReplayConfig(
              capacity=100_000, batch_size=8, sequence_length=256
          ),
          stop_at_return=0.9,
          agent=agent,
      )
  )
