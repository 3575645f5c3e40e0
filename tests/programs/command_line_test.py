"""The command line: what it takes, and how it refuses."""

import importlib
import os
import pathlib
import subprocess
import sys
from unittest import mock

from absl import flags
import pytest

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import presets
from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf import specs
from r2i_tf.programs import command_line
from r2i_tf.programs import config_flag

_CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'


def _config(*arguments, config='quickstart', task=None):
  argv = ['train', f'--config={config}', *arguments]
  flag_values = flags.FlagValues()
  with mock.patch.object(sys, 'argv', argv):
    holder = config_flag.define(flag_values)
    command_line.parse(argv, flag_values)
  return config_flag.run_config(holder.value, task)


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


def test_keywords_of_an_environment_can_be_set():
  """A field of any names takes each by its own flag, new ones, too."""
  group = '--config.environment.gymnasium.kwargs'
  config = _config(f'{group}.is_slippery=False', f'{group}.map_name=8x8')
  keywords = config.environment.gymnasium.kwargs
  assert keywords == {'is_slippery': False, 'map_name': '8x8'}
  assert 'is a group of fields' in _refusal(f'{group}={{}}')
  assert 'has no value' in _refusal(f'{group}.is_slippery')
  assert 'unknown config field' in _refusal('--config.replay.kwargs.a=1')


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


@pytest.mark.parametrize('name', presets.RUNS)
def test_a_recipe_has_a_name_and_a_file(name):
  """--config=bsuite:debug is --config=configs/bsuite.py:debug."""
  for variant in presets.RUNS[name]:
    value = f'{name}:{variant}' if variant else name
    by_name = _config(config=value)
    assert by_name == run_config.RunConfig.preset(name, variant)
    assert by_name == _config(
        config=_CONFIGS / value.replace(name, f'{name}.py')
    )


def test_every_file_of_configs_is_a_recipe():
  """No file offers what a wheel, which has no configs/, lacks."""
  # Bazel puts an empty __init__.py into every folder.
  files = {path.stem for path in _CONFIGS.glob('[!_]*.py')}
  assert files == set(presets.RUNS)


def test_fields_come_on_top_of_a_recipe():
  """Also of one that is named, and of a variant."""
  config = _config('--config.replay.batch_size=3', config='bsuite:small')
  assert config.replay.batch_size == 3
  assert config.agent.world_model.sequence_model.output_size == 512


def test_the_last_of_two_values_counts():
  """Also of a switch, whether it is written out or not."""
  config = _config(
      '--config.steps=1e6',
      '--config.environment_processes',
      '--config.steps=2e6',
      '--config.environment_processes=false',
  )
  assert config.steps == 2_000_000 and not config.environment_processes


@pytest.mark.parametrize(
    'value, expected',
    [
        ('bsuit', "there is no recipe 'bsuit': did you mean 'bsuite'?"),
        ('bsuite:smal', "has no variant 'smal': did you mean 'small'?"),
        ('learning', 'is to be named with a variant, as in learning:repeat_'),
        ('quickstart:debug', "has no variants, but 'debug' is named."),
        ('none.py', '--config none.py does not exist.'),
        (_CONFIGS / 'bsuite.py:debgu', "did you mean 'debug'?"),
    ],
)
def test_a_wrong_recipe_is_one_sentence(value, expected):
  """It says which recipe or variant is meant, or which there are."""
  assert expected in _refusal(config=value)


def test_a_recipe_starts_a_file_of_ones_own(tmp_path):
  """A file changes fields of a recipe, and flags come on top of the file."""
  path = tmp_path / 'own.py'
  path.write_text(
      'from r2i_tf import run_config\n'
      'def get_config(variant):\n'
      "  config = run_config.recipe('bsuite', variant)\n"
      '  config.steps = 7\n'
      "  config.agent.precision = 'mixed_bfloat16'\n"
      '  return config\n'
  )
  config = _config('--config.seed=3', config=f'{path}:debug')
  assert config.agent.precision.value == 'mixed_bfloat16'
  assert (config.steps, config.seed) == (7, 3)
  assert config.replay.batch_size == 16


@pytest.mark.parametrize(
    'argument, expected',
    [
        ('--config.steps=many', "'steps' is 'many', a str, but it takes an"),
        ('--config.steps=1.5', "'steps' is 1.5, a float, but it takes an int"),
        ('--config.steps', '--config.steps has no value; every argument has'),
        ('--config.train_ratio=1e999', 'is inf, but it takes a finite number.'),
        ('--config.train_ratio=' + '9' * 400, 'it takes a finite number.'),
        ('--config.max_minutes=-1e999', 'a finite number or None.'),
        ('--config.steps=-1', 'steps is -1, but it must be positive'),
        ('--config.max_minutes=soon', 'it takes a float or None'),
        ('--config.replay=3', 'as in --config.replay.capacity=<value>.'),
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


def test_a_failing_config_file_is_one_sentence(tmp_path):
  """No error inside of the file shows a traceback."""

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
      'from r2i_tf import run_config\n'
      'def get_config():\n  return run_config.RunConfig(steps=0)\n',
  )
  assert invalid == 'steps is 0, but it must be positive.'
  other = refusal('other.py', 'def get_config():\n  return {"steps": 3}\n')
  assert 'returns a dict, but it must return a ConfigDict' in other


@pytest.mark.parametrize('arguments', [[], ['--config.steps=3']])
def test_a_missing_config_is_answered_with_the_recipes(arguments):
  """Whether there are overrides or not."""
  argv = ['train', *arguments]
  flag_values = flags.FlagValues()
  config_flag.define(flag_values)
  with pytest.raises(errors.RunError) as caught:
    command_line.parse(argv, flag_values)
  message = str(caught.value)
  assert message.startswith('--config is missing; name a recipe')
  assert all(name in message for name in presets.RUNS)


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


_REFUSED = """
import sys
from r2i_tf.programs import train

sys.argv = ['r2i-train', '--workdir=none', *sys.argv[1:]]
try:
  train.main()
except SystemExit as end:
  assert end.code == 2
  assert not [name for name in sys.modules if name.startswith('tensorflow')]
  sys.exit(end.code)
"""


@pytest.mark.parametrize(
    'arguments, expected',
    [
        (
            ['--config=bsuite', '--config.agent.worldmodel.bins=3'],
            "did you mean 'agent.world_model'?",
        ),
        (['--config=bsuite', '--config.steps=0'], 'it must be positive'),
        (['--config=bsuit'], "did you mean 'bsuite'?"),
        (['--config=bsuite', '--confg.steps=3'], 'Unknown command line flag'),
    ],
)
def test_a_mistyped_flag_does_not_wait_for_tensorflow(arguments, expected):
  """Its sentence comes before TensorFlow is loaded, which takes seconds."""
  process = subprocess.run(
      [sys.executable, '-c', _REFUSED, *arguments],
      capture_output=True,
      text=True,
      check=False,
  )
  assert (process.returncode, process.stdout) == (2, ''), process.stderr
  assert expected in process.stderr


def test_programs_can_be_imported_side_by_side():
  """None defines a flag at its import, so that no two clash."""
  before = set(flags.FLAGS)
  for name in ('train', 'evaluate', 'tasks', 'tpu_preflight'):
    importlib.import_module(f'r2i_tf.programs.{name}')
  assert set(flags.FLAGS) == before


@pytest.mark.parametrize('module', ['train', 'evaluate'])
def test_a_name_in_another_encoding_is_one_sentence(module):
  """It says how the name can be used all the same."""
  process = subprocess.run(
      [
          sys.executable,
          '-c',
          f'from r2i_tf.programs import {module}; {module}.main()',
          '--workdir=läuft'.encode(),
      ],
      env={**os.environ, 'LC_ALL': 'C', 'PYTHONUTF8': '0'},
      capture_output=True,
      check=False,
  )
  assert process.returncode == 2
  [line] = process.stderr.decode('ascii').splitlines()
  assert line.startswith("error: '--workdir=l") and 'set PYTHONUTF8=1' in line


def test_help_of_a_console_script_has_text_and_flags():
  """Though the script that was started holds neither."""
  process = subprocess.run(
      [
          sys.executable,
          '-c',
          'from r2i_tf.programs import train; train.main()',
          '--help',
      ],
      capture_output=True,
      text=True,
      check=False,
  )
  assert process.stdout.startswith('Trains R2I on a task'), process.stderr
  for name in ('config', 'workdir', 'task'):
    assert f'  --{name}: ' in process.stdout
