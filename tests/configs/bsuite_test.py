"""configs/bsuite.py and what docs/bsuite_preset.md says of it."""

import ast
import pathlib
import re

import pytest

from configs import bsuite
from configs import quickstart
from r2i_tf import schema
from r2i_tf.training import run_config

_DOCUMENT = pathlib.Path(__file__).parents[2] / 'docs' / 'bsuite_preset.md'

_MODEL = 'agent.world_model.'
_SEQUENCE_MODEL = _MODEL + 'sequence_model.'
_BEHAVIOR = 'agent.behavior.'

# arXiv 2403.04253 and the configuration published with it.
_PUBLISHED = {
    'steps': 5e6,
    'parallel_environments': 1,
    'train_ratio': 1024,
    'prefill': 16 * 256,
    'replay.capacity': 5e6,
    'replay.batch_size': 16,
    'replay.sequence_length': 256,
    'agent.precision': 'float32',
    _SEQUENCE_MODEL + 'kind': 's3m',
    _SEQUENCE_MODEL + 'output_size': 512,
    _SEQUENCE_MODEL + 'width': 512,
    _SEQUENCE_MODEL + 'state_size': 128,
    _SEQUENCE_MODEL + 'layers': 3,
    _SEQUENCE_MODEL + 'blocks': 8,
    _SEQUENCE_MODEL + 'discretization': 'zoh',
    _SEQUENCE_MODEL + 'learned_initial_state': False,
    _SEQUENCE_MODEL + 'min_step': 0.001,
    _SEQUENCE_MODEL + 'max_step': 0.1,
    _SEQUENCE_MODEL + 'rematerialize': False,
    _MODEL + 'latent.groups': 32,
    _MODEL + 'latent.classes': 32,
    _MODEL + 'latent.unimix': 0.01,
    _MODEL + 'encoder.layers': 5,
    _MODEL + 'encoder.units': 1024,
    _MODEL + 'decoder.layers': 5,
    _MODEL + 'decoder.units': 1024,
    _MODEL + 'cnn_depth': 32,
    _MODEL + 'image_keys': None,
    _MODEL + 'vector_keys': None,
    _MODEL + 'ignored_keys': None,
    _MODEL + 'reward_head.layers': 2,
    _MODEL + 'reward_head.units': 512,
    _MODEL + 'continuation_head.layers': 2,
    _MODEL + 'continuation_head.units': 512,
    _MODEL + 'bins': 255,
    _MODEL + 'dynamics_scale': 0.5,
    _MODEL + 'representation_scale': 0.1,
    _MODEL + 'free_nats': 1,
    _BEHAVIOR + 'policy_input': 'hidden',
    _BEHAVIOR + 'actor.layers': 2,
    _BEHAVIOR + 'actor.units': 512,
    _BEHAVIOR + 'critic.layers': 2,
    _BEHAVIOR + 'critic.units': 512,
    _BEHAVIOR + 'horizon': 15,
    _BEHAVIOR + 'discount': 1 - 1 / 333,
    _BEHAVIOR + 'lambda_': 0.95,
    _BEHAVIOR + 'entropy_scale': 3e-4,
    _BEHAVIOR + 'slow_critic_fraction': 0.02,
    _BEHAVIOR + 'return_decay': 0.99,
    _BEHAVIOR + 'starts_per_sequence': None,
    'agent.world_model_optimizer.learning_rate': 1e-4,
    'agent.world_model_optimizer.epsilon': 1e-8,
    'agent.world_model_optimizer.clip_norm': 1000,
    'agent.world_model_optimizer.weight_decay': 0,
    'agent.ssm_learning_rate': 1e-4,
    'agent.actor_optimizer.learning_rate': 3e-5,
    'agent.actor_optimizer.epsilon': 1e-5,
    'agent.actor_optimizer.clip_norm': 100,
    'agent.actor_optimizer.weight_decay': 0,
    'agent.critic_optimizer.learning_rate': 3e-5,
    'agent.critic_optimizer.epsilon': 1e-5,
    'agent.critic_optimizer.clip_norm': 100,
    'agent.critic_optimizer.weight_decay': 0,
}


def _run_config(config_file):
  mapping = config_file.get_config().to_dict()
  return schema.from_mapping(run_config.RunConfig, mapping)


def _flat(mapping, path=''):
  for key, value in mapping.items():
    if isinstance(value, dict):
      yield from _flat(value, f'{path}{key}.')
    else:
      yield path + key, value


@pytest.mark.parametrize('config_file', [bsuite, quickstart])
def test_is_a_valid_run(config_file):
  """The file gives a run that passes every check and is written unchanged."""
  config = _run_config(config_file)
  assert (
      schema.from_mapping(run_config.RunConfig, schema.to_mapping(config))
      == config
  )


def test_numbers_are_the_published_ones():
  """Each published number is in the run, and no field of the agent is left."""
  fields = dict(_flat(schema.to_mapping(_run_config(bsuite))))
  found = {name: fields[name] for name in _PUBLISHED}
  assert found == _PUBLISHED
  assert {name for name in fields if name.startswith('agent.')} <= set(found)


def test_table_tells_what_the_run_has():
  """The document has a row for each published number, with our value."""
  fields = dict(_flat(schema.to_mapping(_run_config(bsuite))))
  rows = dict(
      re.findall(r'^\| `([^`]+)` \| ([^|]+) \|', _DOCUMENT.read_text(), re.M)
  )
  assert set(rows) == set(_PUBLISHED)
  for name, told in rows.items():
    value = fields[name]
    if isinstance(value, float):
      assert float(told) == pytest.approx(value, rel=1e-6), name
    elif isinstance(value, str):
      assert told == value, name
    else:
      assert ast.literal_eval(told) == value, name
