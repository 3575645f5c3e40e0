"""The recipe `learning`: tasks that two cores learn."""

import pytest

from r2i_tf import environments
from r2i_tf import presets
from r2i_tf import run_config


@pytest.mark.parametrize('variant', presets.RUNS['learning'])
def test_every_task_can_be_made(variant):
  """With the options that the variant gives it."""
  config = run_config.RunConfig.preset('learning', variant)
  if config.task not in environments.list_tasks():
    pytest.skip(f'{config.task} is not installed')
  env = environments.load(config.task, 0, config.environment)
  spec = env.observation_spec()
  env.close()
  if variant == 'catch_images':
    assert spec.shape == (32, 32, 1)
