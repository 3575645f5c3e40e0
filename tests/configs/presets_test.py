"""The defaults, the recipes, and what docs/presets.md says of them."""

import ast
import pathlib
import re

import pytest

from r2i_tf import config as agent_config
from r2i_tf import presets
from r2i_tf import run_config
from r2i_tf import schema

_DOCUMENT = pathlib.Path(__file__).parents[2] / 'docs' / 'presets.md'

_MODEL = 'agent.world_model.'
_MEMORY = _MODEL + 'sequence_model.'
_BEHAVIOR = 'agent.behavior.'
_HEADS = [
    *(_MODEL + name for name in ('reward_head', 'continuation_head')),
    *(_BEHAVIOR + name for name in ('actor', 'critic')),
]
_CODERS = [_MODEL + 'encoder', _MODEL + 'decoder']


def _mlps(names, layers, units):
  return {
      f'{name}.{field}': value
      for name in names
      for field, value in (('layers', layers), ('units', units))
  }


# arXiv 2403.04253 and the configuration published with it: column Default,
_DEFAULT = {
    'parallel_environments': 4,
    'train_ratio': 32,
    'prefill': 4 * 1024,
    'replay.capacity': 1e7,
    'replay.batch_size': 4,
    'replay.sequence_length': 1024,
    'replay.kind': 'disk',
    'agent.precision': 'float16',
    _MEMORY + 'kind': 's3m',
    _MEMORY + 'output_size': 4096,
    _MEMORY + 'width': 1024,
    _MEMORY + 's3m.state_size': 128,
    _MEMORY + 's3m.layers': 4,
    _MEMORY + 's3m.blocks': 8,
    _MEMORY + 's3m.discretization': 'bilinear',
    _MEMORY + 'learned_initial_state': True,
    _MEMORY + 's3m.min_step': 0.001,
    _MEMORY + 's3m.max_step': 0.1,
    _MODEL + 'latent.groups': 32,
    _MODEL + 'latent.classes': 32,
    _MODEL + 'latent.unimix': 0.01,
    **_mlps(_CODERS, 5, 1024),
    **_mlps(_HEADS, 5, 1024),
    _MODEL + 'cnn_depth': 96,
    _MODEL + 'bins': 255,
    _MODEL + 'dynamics_scale': 0.5,
    _MODEL + 'representation_scale': 0.1,
    _MODEL + 'dynamics_free_nats': 1,
    _MODEL + 'representation_free_nats': 1,
    _BEHAVIOR + 'policy_input': 'full',
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
    _MEMORY + 's3m.learning_rate': 1e-4,
    'agent.actor_optimizer.learning_rate': 3e-5,
    'agent.actor_optimizer.epsilon': 1e-5,
    'agent.actor_optimizer.clip_norm': 100,
    'agent.actor_optimizer.weight_decay': 0,
    'agent.critic_optimizer.learning_rate': 3e-5,
    'agent.critic_optimizer.epsilon': 1e-5,
    'agent.critic_optimizer.clip_norm': 100,
    'agent.critic_optimizer.weight_decay': 0,
}

# and what each domain changes in it.
_SMALL = {
    _MEMORY + 'output_size': 512,
    _MEMORY + 'width': 512,
    _MODEL + 'cnn_depth': 32,
    **_mlps(_HEADS, 2, 512),
}
_DEFAULTS = 'Default'  # The name of the column, for the defaults themselves.
_COLUMNS = {
    _DEFAULTS: {},
    'bsuite': {
        **_SMALL,
        'steps': 5e6,
        'parallel_environments': 1,
        'train_ratio': 1024,
        'prefill': 16 * 256,
        'replay.capacity': 5e6,
        'replay.batch_size': 16,
        'replay.sequence_length': 256,
        'agent.precision': 'float32',
        _MEMORY + 's3m.layers': 3,
        _MEMORY + 's3m.discretization': 'zoh',
        _MEMORY + 'learned_initial_state': False,
        _BEHAVIOR + 'policy_input': 'hidden',
    },
    'popgym': {
        **_SMALL,
        'steps': 2e8,
        'parallel_environments': 8,
        'train_ratio': 64,
        _MEMORY + 'output_size': 1024,
        _MEMORY + 's3m.layers': 3,
        **_mlps(_CODERS, 1, 512),
        _BEHAVIOR + 'policy_input': 'hidden',
    },
    'memory_maze': {
        'steps': 4e8,
        'parallel_environments': 40,
        'train_ratio': 64,
        _MEMORY + 'output_size': 2048,
        _MEMORY + 's3m.state_size': 512,
        _MEMORY + 's3m.layers': 5,
        **_mlps(_CODERS, 4, 400),
        **_mlps(_HEADS, 4, 1024),
        _MODEL + 'cnn_depth': 48,
        _MODEL + 'dynamics_scale': 0.8,
        _MODEL + 'representation_scale': 0.2,
        _BEHAVIOR + 'entropy_scale': 1e-3,
        'agent.world_model_optimizer.learning_rate': 3e-4,
        'agent.world_model_optimizer.clip_norm': 200,
        'agent.world_model_optimizer.weight_decay': 1e-2,
        _MEMORY + 's3m.learning_rate': 3e-4,
        'agent.actor_optimizer.learning_rate': 1e-4,
        'agent.actor_optimizer.clip_norm': 200,
        'agent.critic_optimizer.learning_rate': 1e-4,
    },
    'atari100k': {
        **_SMALL,
        'steps': 1e5,
        'environment.atari.action_repeat': 4,
        'environment.atari.sticky_probability': 0,
        'environment.atari.noops': 30,
        'environment.atari.image_size': 64,
        'environment.atari.grayscale': False,
        'environment.atari.full_actions': False,
        'environment.atari.life_loss_ends': False,
        'parallel_environments': 1,
        'train_ratio': 1024,
        'agent.precision': 'float32',
        _BEHAVIOR + 'policy_input': 'output',
    },
    'dmc_proprio': {
        **_SMALL,
        'steps': 5e5,
        'environment.dmc.observations': 'proprio',
        'environment.dmc.action_repeat': 2,
        'train_ratio': 512,
        **_mlps(_CODERS, 5, 512),
        _BEHAVIOR + 'policy_input': 'output',
    },
    'dmc_vision': {
        **_SMALL,
        'steps': 1e6,
        'environment.dmc.observations': 'vision',
        'environment.dmc.action_repeat': 2,
        'environment.dmc.image_size': 64,
        'train_ratio': 512,
        _BEHAVIOR + 'policy_input': 'output',
    },
}

# Where we do not follow; docs/presets.md says why.
_PRECISION = {'agent.precision': 'mixed_bfloat16'}
_IN_MEMORY = {'replay.kind': 'memory'}
_OURS = {
    _DEFAULTS: {**_IN_MEMORY, **_PRECISION},
    'bsuite': _IN_MEMORY,
    'popgym': {'prefill': 8 * 1024, **_IN_MEMORY, **_PRECISION},
    'memory_maze': {'prefill': 40 * 1024, **_PRECISION},
    'atari100k': {'replay.capacity': 110_000, **_IN_MEMORY},
    'dmc_proprio': {**_IN_MEMORY, **_PRECISION},
    'dmc_vision': {'replay.capacity': 1_010_000, **_IN_MEMORY, **_PRECISION},
}

# The choices of docs/ablations.md, left at what changes nothing.
_ABLATIONS = {
    _MEMORY + 'resets',
    _MEMORY + 's3m.kind',
    _MEMORY + 's3m.computation',
    _MEMORY + 's3m.conjugate_symmetry',
    _MEMORY + 's3m.eigenvalue_clip',
    _MEMORY + 's3m.norm',
    _MEMORY + 's3m.attention_window',
    _MEMORY + 's3m.attention_heads',
}
# What is ours alone or came later, and is left at what changes nothing.
_UNPUBLISHED = {
    *_ABLATIONS,
    'agent.norm',
    *(
        f'agent.{network}_optimizer.{field}'
        for network in ('world_model', 'actor', 'critic')
        for field in ('adaptive_clip', 'warmup_steps', 'update_clip')
    ),
    _BEHAVIOR + 'replay_critic_scale',
    _MEMORY + 's3m.rematerialize',
    _MODEL + 'posterior',
    _MODEL + 'image_keys',
    _MODEL + 'vector_keys',
    _MODEL + 'ignored_keys',
}


_DOMAINS = [name for name in _COLUMNS if name != _DEFAULTS]


def _run(name, variant=''):
  if name == _DEFAULTS:
    return run_config.RunConfig()
  return run_config.RunConfig.preset(name, variant)


def _fields(name, variant=''):
  return dict(_flat(schema.to_mapping(_run(name, variant))))


def _flat(mapping, path=''):
  for key, value in mapping.items():
    if isinstance(value, dict):
      yield from _flat(value, f'{path}{key}.')
    else:
      yield path + key, value


def _rows():
  """Returns {field: {column: cell}} of the document's first table."""
  lines = re.findall(r'^\|.*\|$', _DOCUMENT.read_text(), re.M)
  cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
  header, _, *rows = cells
  return {row[0].strip('`'): dict(zip(header[1:], row[1:])) for row in rows}


def _value(text):
  """Returns what a number, or a name, in a cell of the table stands for."""
  try:
    return ast.literal_eval(text)
  except (SyntaxError, ValueError):
    return text


@pytest.mark.parametrize('name', presets.RUNS)
def test_every_recipe_is_a_valid_run(name):
  """Each variant passes every check and is written unchanged."""
  for variant in presets.RUNS[name]:
    config = _run(name, variant)
    mapping = schema.to_mapping(config)
    assert schema.from_mapping(run_config.RunConfig, mapping) == config


@pytest.mark.parametrize('name', _COLUMNS)
def test_numbers_are_the_published_ones(name):
  """All are, but for those named, and no field of the agent is left out."""
  published = {**_DEFAULT, **_COLUMNS[name]}
  fields = _fields(name)
  assert {field: fields[field] for field in published} == {
      **published,
      **_OURS[name],
  }
  agent = {field for field in fields if field.startswith('agent.')}
  assert agent - set(published) == _UNPUBLISHED


def test_an_agent_of_ones_own_has_the_same_defaults():
  """`R2IConfig()` is that of a run."""
  assert agent_config.R2IConfig() == run_config.RunConfig().agent


@pytest.mark.parametrize('name', _DOMAINS)
def test_a_domain_has_all_sizes(name):
  """One changes the sizes of the published run and nothing beside them."""
  assert set(presets.RUNS[name]) == {'', 'debug', *presets.SIZES}
  published = _fields(name)
  for size in presets.SIZES:
    fields, agent = _fields(name, size), agent_config.R2IConfig.preset(size)
    sizes = dict(_flat(schema.to_mapping(agent), 'agent.'))
    changed = {field for field in fields if fields[field] != published[field]}
    assert {field: fields[field] for field in changed} == {
        field: sizes[field] for field in changed
    }
    model = _run(name, size).agent.world_model
    assert (
        model.sequence_model.output_size
        == presets.SIZES[size]['world_model.sequence_model.output_size']
    )
    kinds = ('output_size', 'width', 'cnn_depth', 'layers', 'units')
    assert all(field.rpartition('.')[2] in kinds for field in changed)
    assert not any('s3m' in field for field in changed)


@pytest.mark.parametrize('name', _COLUMNS)
def test_table_tells_what_the_run_has(name):
  """A cell has our number, and the published one in brackets if it differs."""
  rows = _rows()
  published = {**_DEFAULT, **_COLUMNS[name]}
  assert set(published) <= set(rows)
  fields = _fields(name)
  for field, number in published.items():
    cell = rows[field][name] or rows[field]['Default']
    ours, theirs = re.fullmatch(r'(\S+)(?: \((\S+)\))?', cell).groups()
    expected = (number, fields[field])
    for told, value in zip((theirs or ours, ours), expected):
      if isinstance(value, float):
        assert _value(told) == pytest.approx(value, rel=1e-6), (field, told)
      else:
        assert _value(told) == value, (field, told)


@pytest.mark.parametrize('name', _DOMAINS)
def test_debug_runs_are_small(name):
  """A debug variant keeps the domain; its run is short."""
  debug, run = _run(name, 'debug'), _run(name)
  assert debug.environment == run.environment
  assert debug.task.split('/')[0] == run.task.split('/')[0]
  assert name.startswith(run.task.split('/')[0])
  assert debug.steps <= 50_000 and debug.replay.capacity <= 100_000
  assert debug.replay.kind == run_config.ReplayKind.MEMORY
