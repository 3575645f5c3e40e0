"""A first run, for a laptop: see one bit, act on it a hundred steps later.

BSuite's memory_len at its greatest setting, memory_length 100, with the model
of `R2IConfig.preset('debug')`.
"""

from r2i_tf import config as agent_config
from r2i_tf.training import run_config


def get_config():
  """Returns the run as an `ml_collections.ConfigDict`."""
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
          stop_at_return=0.95,
          agent=agent_config.R2IConfig.preset('debug'),
      )
  )
