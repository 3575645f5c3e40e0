"""The command line: what it takes, and how it refuses."""

import dataclasses
import pathlib
import subprocess
import sys

from absl import flags
import pytest

from r2i_tf import config as agent_config
from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf import specs
from r2i_tf.programs import command_line

_CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'
_QUICKSTART = _CONFIGS / 'quickstart.py'


def _config(*arguments, config=_QUICKSTART, task=None):
  argv = ['train', f'--config={config}', *arguments]
  flag_values = flags.FlagValues()
  holder = command_line.define_config(flag_values, argv)
  command_line.parse(argv, flag_values)
  return command_line.run_config(holder.value, task)


def _refusal(*arguments, **options):
  with pytest.raises((errors.RunError, schema.ConfigError)) as caught:
    _config(*arguments, **options)
  message = str(caught.value)
  assert len(message.splitlines()) == 1
  return message


def test_every_kind_of_field_can_be_set():
  """Numbers, names, booleans, optional and nested fields take their values."""
  config = _config(
      '--config.steps=2e6',
      '--config.replay.batch_size=7',
      '--config.stop_at_return=0.5',
      '--config.environment.dmc.action_repeat=4',
      '--config.environment.dmc.observations=vision',
      '--config.environment.atari.sticky_probability=0.25',
      '--config.environment_processes=True',
      '--config.pool.max_restarts=3',
      '--config.agent.world_model.sequence_model.learned_initial_state=false',
      '--config.agent.world_model.sequence_model.kind=gru',
      '--config.agent.behavior.starts_per_sequence=None',
      '--config.agent.world_model.vector_keys=camera/(left|right)',
      task='bsuite/memory_len/5',
  )
  assert config.steps == 2_000_000 and isinstance(config.steps, int)
  assert config.replay.batch_size == 7
  assert config.stop_at_return == 0.5
  assert config.environment == environments.SuiteOptions(
      atari=environments.AtariOptions(sticky_probability=0.25),
      dmc=environments.DmcOptions(
          environments.DmcObservations.VISION, action_repeat=4
      ),
  )
  assert config.environment_processes and config.pool.max_restarts == 3
  model = config.agent.world_model.sequence_model
  assert model.kind.value == 'gru' and model.learned_initial_state is False
  assert config.agent.behavior.starts_per_sequence is None
  assert config.agent.world_model.vector_keys == 'camera/(left|right)'
  assert config.task == 'bsuite/memory_len/5'


def test_an_unknown_field_is_answered_with_the_nearest():
  """A misspelt field is no traceback and never ignored."""
  assert "did you mean 'steps'?" in _refusal('--config.stps=3')
  assert "did you mean 'replay.capacity'?" in _refusal(
      '--config.replay.capcity', '3'
  )
  assert "did you mean 'environment.dmc.action_repeat'?" in _refusal(
      '--config.environment.dmc.action_repeats=4'
  )
  assert "'steps' has no fields" in _refusal('--config.steps.x=3')


def test_a_model_size_is_one_field():
  """It sets all sizes, whatever the file says, and nothing beside them."""
  config = _config('--config.agent.size=medium').agent
  file = _config().agent
  assert config == dataclasses.replace(file, size=agent_config.ModelSize.MEDIUM)
  memory = config.world_model.sequence_model
  assert (memory.output_size, memory.width, memory.layers) == (1024, 640, 2)
  assert config.world_model.cnn_depth == 48
  assert config.world_model.decoder == agent_config.MLPConfig(3, 640)
  assert config.behavior.critic == agent_config.MLPConfig(3, 640)
  assert config.behavior.horizon == file.behavior.horizon
  assert "did you mean 'xlarge'?" in _refusal('--config.agent.size=xlage')


def test_a_part_of_a_model_size_is_refused_beside_it():
  """Neither of two values is dropped silently."""
  field = 'agent.world_model.decoder.layers'
  message = _refusal('--config.agent.size=tiny', f'--config.{field}=3')
  assert message == (
      f'--config.agent.size sets {field} as well; give one of the two.'
  )


def test_a_file_has_variants():
  """`:debug` behind the file is its debug run; any other is one sentence."""
  config = _config(config=f'{_CONFIGS / "bsuite.py"}:debug')
  assert config.task == 'bsuite/memory_len/0'
  assert config.agent == agent_config.R2IConfig.preset('debug')
  message = _refusal(config=f'{_CONFIGS / "bsuite.py"}:debgu')
  assert message == (
      "there is no variant 'debgu' of this config: did you mean 'debug'?"
  )


@pytest.mark.parametrize(
    'argument, expected',
    [
        ('--config.steps=many', "'steps' is 'many', a str, but it takes an"),
        ('--config.steps=1.5', "'steps' is 1.5, a float, but it takes an int"),
        ('--config.steps', "'steps' is True, a bool, but it takes an int"),
        ('--config.steps=-1', 'steps is -1, but it must be positive'),
        ('--config.max_minutes=soon', 'it takes a float or None'),
        ('--config.replay=3', 'is not a dict'),
        (
            '--config.agent.precision=float23',
            "did you mean 'float32'?",
        ),
        (
            '--config.replay.sequence_length=50_000',
            'replay.sequence_length is 50000',
        ),
        ('--workdr=x', "Unknown command line flag 'workdr'"),
        ('quickstart', "'quickstart' is no flag"),
    ],
)
def test_a_wrong_value_is_one_sentence(argument, expected):
  """The sentence names the field, what was found and what it takes."""
  assert expected in _refusal(argument)


def test_a_missing_or_failing_config_file_is_one_sentence(tmp_path):
  """Neither a wrong path nor an error inside the file shows a traceback."""
  assert 'does not exist' in _refusal(config=tmp_path / 'none.py')

  def refusal(name, text):
    # One file each: Python may take a file changed within a second for the old.
    path = tmp_path / name
    path.write_text(text)
    return _refusal(config=path)

  unknown = refusal('unknown.py', 'def get_config():\n  return nothing\n')
  assert "name 'nothing' is not defined" in unknown
  mistyped = refusal('mistyped.py', 'def get_config():\n  return 1 + "a"\n')
  assert 'TypeError' in mistyped
  invalid = refusal(
      'invalid.py',
      'from r2i_tf.training import run_config\n'
      'def get_config():\n  return run_config.RunConfig(steps=0)\n',
  )
  assert invalid == 'steps is 0, but it must be positive.'
  argv = ['train', '--config.steps=3']
  flag_values = flags.FlagValues()
  command_line.define_config(flag_values, argv)
  with pytest.raises(errors.RunError, match='--config is missing'):
    command_line.parse(argv, flag_values)


@pytest.mark.parametrize(
    'error',
    [
        errors.RunError('a sentence.'),
        schema.ConfigError('a sentence.'),
        environments.UnknownTaskError('a sentence.'),
        specs.UnsupportedSpecError('a sentence.'),
        environments.MissingSuiteError('a sentence.'),
    ],
)
def test_a_mistake_ends_the_program_with_a_line_and_code_2(error, capsys):
  """What the user can mend is told on standard error, without a traceback."""

  def fail(_):
    raise error

  with pytest.raises(SystemExit) as caught:
    command_line._guarded(fail, [])
  assert caught.value.code == 2
  assert capsys.readouterr() == ('', 'error: a sentence.\n')


def test_a_fault_of_the_program_keeps_its_traceback():
  """Other errors are not made to look like the user's."""

  def fail(_):
    raise ValueError('a fault')

  with pytest.raises(ValueError, match='a fault'):
    command_line._guarded(fail, [])


# Bazel puts an empty __init__.py into every folder.
@pytest.mark.parametrize('path', sorted(_QUICKSTART.parent.glob('[!_]*.py')))
def test_every_config_file_is_valid(path):
  """A file of configs/ can be given to --config, learning.py with a variant."""
  if path.stem == 'learning':
    assert 'learning.py:repeat_previous' in _refusal(config=path)
    path = f'{path}:repeat_previous'
  config = _config(config=path)
  assert (
      schema.from_mapping(run_config.RunConfig, schema.to_mapping(config))
      == config
  )


_FAULTS = """
import resource
from r2i_tf.programs import command_line

def main(_):
  import tensorflow as tf
  double = tf.function(lambda x: 2 * x, jit_compile=True)
  x = tf.zeros([8 << 20])  # 32 MB, 8,192 pages.
  double(x), double(x)
  before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
  for _ in range(10):
    double(x)
  print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

command_line.run(main)
"""


def test_programs_keep_their_memory():
  """A step's results lie where those of the step before lay."""
  output = subprocess.run(
      [sys.executable, '-c', _FAULTS],
      check=True,
      capture_output=True,
      text=True,
  ).stdout
  assert int(output) < 8_192
