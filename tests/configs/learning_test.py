"""Tests of configs/learning.py."""

import pathlib
import runpy

import pytest

from r2i_tf import environments
from r2i_tf import presets
from r2i_tf import run_config
from r2i_tf import schema

_PATH = pathlib.Path(__file__).parents[2] / 'configs' / 'learning.py'
_FILE = runpy.run_path(str(_PATH))


@pytest.mark.parametrize('variant', presets.RUNS['learning'])
def test_every_variant_is_a_run(variant):
  """Its fields are fields of a run, and its task can be made as it says."""
  mapping = _FILE['get_config'](variant).to_dict()
  config = schema.from_mapping(run_config.RunConfig, mapping)
  if config.task not in environments.list_tasks():
    pytest.skip(f'{config.task} is not installed')
  env = environments.load(config.task, 0, config.environment)
  spec = env.observation_spec()
  env.close()
  if variant == 'catch_images':
    assert spec.shape == (32, 32, 1)


def test_a_variant_is_to_be_named():
  """Without a variant, or with a wrong one, the error lists them."""
  for wrong in ('', 'catch'):
    with pytest.raises(
        schema.ConfigError, match='repeat_previous, cartpole|catch_images'
    ):
      _FILE['get_config'](wrong)
