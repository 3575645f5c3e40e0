"""Tests of sweep files: each mistake is a sentence, before anything starts."""

import pathlib
import re

import numpy as np
import pytest

from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf.sweeps import settings

_SETTING = "sweeps.Setting('a', 'bsuite/catch/0', 'quickstart'{})"


def _load(tmp_path, body):
  path = tmp_path / 'my_sweep.py'
  path.write_text(
      f'from r2i_tf import sweeps\ndef get_sweep():\n  return {body}\n'
  )
  return settings.load(str(path))


def test_changes_are_fields(tmp_path):
  """The configuration is the recipe with the changes, and the task."""
  (setting,) = _load(
      tmp_path,
      '['
      + _SETTING.format(", {'replay.batch_size': 4, 'max_minutes': 2}")
      + ']',
  )
  config = setting.run_config()
  assert config == schema.replace(
      run_config.RunConfig.preset('quickstart'),
      {'replay.batch_size': 4, 'max_minutes': 2.0, 'task': 'bsuite/catch/0'},
  )
  assert setting.arguments(7) == [
      '--config=quickstart',
      '--task=bsuite/catch/0',
      '--config.seed=7',
      '--config.replay.batch_size=4',
      '--config.max_minutes=2',
  ]


@pytest.mark.parametrize(
    'value',
    [
        'gru',
        '3',
        3,
        1e-3,
        None,
        True,
        [1, 2],
        'None',
        "it's",
        np.float64(1e-3),
        [np.int64(2)],
    ],
)
def test_values_survive_the_command_line(value):
  """What a flag says of a value is read as that value again."""
  setting = settings.Setting('a', 'b/c', 'quickstart', {'x': value})
  text = setting.arguments(0)[-1].partition('=')[2]
  assert schema.literal(text) == value


@pytest.mark.parametrize(
    'body, sentence',
    [
        ('[]', 'returns no setting'),
        ('[3]', 'returns 3 among its settings'),
        ('1 / 0', 'ZeroDivisionError'),
        ("[sweeps.Setting('a b', 'bsuite/catch/0', 'quickstart')]", "'a b'"),
        ("[sweeps.Setting('a', 'bsuit/catch/0', 'quickstart')]", 'bsuite'),
        ("[sweeps.Setting('a', 'bsuite/catch/0')]", 'one of the two'),
        ("[sweeps.Setting('a', 'bsuite/catch/0', 'quick')]", 'quickstart'),
        ('[' + _SETTING.format(", {'stepz': 3}") + ']', "did you mean 'steps'"),
        ('[' + _SETTING.format(", {'steps': -3}") + ']', 'must be positive'),
        ('[' + _SETTING.format(", {'seed': 3}") + ']', 'of the setting itself'),
        ('[' + _SETTING.format(', seeds=[1, 1]') + ']', 'none twice'),
        ('2 * [' + _SETTING.format('') + ']', 'share the directory'),
        (
            '['
            + _SETTING.format('')
            + ','
            + _SETTING.format(', seeds=[4]')
            + ']',
            'share the directory bsuite-catch-0/a',
        ),
    ],
)
def test_mistakes_are_sentences(tmp_path, body, sentence):
  """Each says what was found and what is allowed, in one line."""
  with pytest.raises(errors.UserError, match=sentence) as caught:
    _load(tmp_path, body)
  assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_not_there(tmp_path):
  """And one without the function."""
  with pytest.raises(errors.UserError, match='must be a .py file'):
    settings.load(str(tmp_path / 'none.py'))
  path = tmp_path / 'other.py'
  path.write_text('x = 1\n')
  with pytest.raises(errors.UserError, match=r'no function get_sweep\(\)'):
    settings.load(str(path))


def test_the_example_of_the_page(tmp_path):
  """What docs/sweeps.md shows is a sweep of four settings, three seeds each."""
  page = pathlib.Path(__file__).parents[2] / 'docs' / 'sweeps.md'
  text = page.read_text(encoding='utf-8')
  (program,) = re.findall(r'^```python\n(.*?)^```', text, re.M | re.S)
  path = tmp_path / 'my_sweep.py'
  path.write_text(program)
  found = settings.load(str(path))
  assert [len(setting.seeds) for setting in found] == [3] * 4


def test_a_variant_is_the_argument_of_the_function(tmp_path):
  """As it is for files of configs."""
  path = tmp_path / 'my_sweep.py'
  path.write_text(
      'from r2i_tf import sweeps\n'
      'def get_sweep(name="all"):\n'
      f'  return [{_SETTING.format(", seeds=[len(name)]")}]\n'
  )
  assert settings.load(str(path))[0].seeds == [3]
  assert settings.load(f'{path}:small')[0].seeds == [5]
