"""BSuite with the published hyperparameters (arXiv 2403.04253, appendix)."""

from r2i_tf import config as agent_config
from r2i_tf import ssm
from r2i_tf.training import run_config


def get_config():
  coder = agent_config.MLPConfig(layers=5, units=1024)
  head = agent_config.MLPConfig(layers=2, units=512)
  agent = agent_config.R2IConfig(
      world_model=agent_config.WorldModelConfig(
          sequence_model=agent_config.SequenceModelConfig(
              output_size=512,
              width=512,
              state_size=128,
              layers=3,
              blocks=8,
              discretization=ssm.Discretization.ZERO_ORDER_HOLD,
              learned_initial_state=False,
          ),
          encoder=coder,
          decoder=coder,
          reward_head=head,
          continuation_head=head,
          cnn_depth=32,
          dynamics_scale=0.5,
          representation_scale=0.1,
      ),
      behavior=agent_config.BehaviorConfig(
          policy_input=agent_config.PolicyInput.HIDDEN,
          actor=head,
          critic=head,
          entropy_scale=3e-4,
      ),
      world_model_optimizer=agent_config.OptimizerConfig(
          learning_rate=1e-4, clip_norm=1000.0, weight_decay=0.0
      ),
      ssm_learning_rate=1e-4,
      actor_optimizer=agent_config.OptimizerConfig(3e-5, 1e-5, 100.0),
      critic_optimizer=agent_config.OptimizerConfig(3e-5, 1e-5, 100.0),
      precision=agent_config.Precision.FLOAT32,
  )
  return run_config.to_config_dict(
      run_config.RunConfig(
          task='bsuite/memory_len/0',
          steps=5_000_000,
          parallel_environments=1,
          prefill=4_096,  # One batch, 16 x 256.
          train_ratio=1024.0,
          replay=run_config.ReplayConfig(
              capacity=5_000_000, batch_size=16, sequence_length=256
          ),
          agent=agent,
      )
  )
