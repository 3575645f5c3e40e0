"""Tests of the choice between stacks, and of the sentences where it fails."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from r2i_tf import stack
from r2i_tf.programs import command_line

_VARIABLE = 'TF_USE_LEGACY_KERAS'
_KERAS_3 = importlib.metadata.version('keras').startswith('3.')


def _hide(monkeypatch, package):
  """Has a package look as if it were not installed."""
  find = importlib.util.find_spec
  monkeypatch.setattr(
      stack.importlib.util,
      'find_spec',
      lambda name: None if name == package else find(name),
  )


def _run(program, **variables):
  """Runs a program in a process that has made no choice yet."""
  kept = {k: v for k, v in os.environ.items() if k != _VARIABLE}
  return subprocess.run(
      [sys.executable, '-c', program],
      env={**kept, **variables, 'PYTHONPATH': os.pathsep.join(sys.path)},
      capture_output=True,
      text=True,
  )


def test_keras_is_the_one_of_tf_agents():
  """TF-Agents' networks are Keras 2 layers: ours must be of the same class."""
  from tf_agents.networks import network

  assert issubclass(network.Network, tf.keras.layers.Layer)
  assert hasattr(tf.keras.layers.Layer, 'updates')  # Keras 3 has none.


@pytest.mark.parametrize(
    'first', ['import r2i_tf', 'import tensorflow', 'import tensorflow.keras']
)
def test_either_may_be_imported_first(first):
  """Sorted imports put TensorFlow first, which has then read its variable."""
  if 'keras' in first and _KERAS_3:
    pytest.skip('that is Keras 3, which the next test is about')
  program = (
      f'{first}\nimport r2i_tf, tensorflow as tf\n'
      'from tensorflow.keras import layers\n'
      'import tensorflow.compat.v2.keras as other\n'
      'import tensorflow_probability as tfp\n'
      'assert tf.keras.layers.Layer is layers.Layer is other.layers.Layer\n'
      'assert issubclass(tfp.layers.DistributionLambda, layers.Layer)\n'
      'from r2i_tf import R2IAgent'
  )
  ended = _run(program)
  assert ended.returncode == 0, ended.stderr


@pytest.mark.skipif(not _KERAS_3, reason='this stack has Keras 2 only')
@pytest.mark.parametrize(
    'program,value,words',
    [
        (
            'import tensorflow as tf; tf.keras.layers',
            None,
            'import r2i_tf first',
        ),
        ('', '0', "TF_USE_LEGACY_KERAS is '0'"),
    ],
)
def test_keras_3_in_use_is_an_error(program, value, words):
  """It says what to do, before anything fails for a reason far away."""
  variables = {} if value is None else {_VARIABLE: value}
  ended = _run(f'{program}\nimport r2i_tf', **variables)
  line = ended.stderr.splitlines()[-1]
  assert line.startswith('r2i_tf.stack.StackError: ') and words in line


def test_no_keras_2_is_an_error(monkeypatch):
  """Keras 3 without tf-keras beside it: a TensorFlow that was upgraded."""
  monkeypatch.setattr(stack.importlib.metadata, 'version', lambda _: '3.12.0')
  monkeypatch.setenv(_VARIABLE, '1')
  _hide(monkeypatch, 'tf_keras')
  with pytest.raises(stack.StackError, match='pip install tf-keras'):
    stack.use_keras_2()


def test_classic_stack_is_left_alone(monkeypatch):
  """With Keras 2 there is nothing to set, nor to refuse."""
  monkeypatch.setattr(stack.importlib.metadata, 'version', lambda _: '2.15.0')
  monkeypatch.setenv(_VARIABLE, '0')
  stack.use_keras_2()
  assert os.environ[_VARIABLE] == '0'


@pytest.mark.parametrize(
    'package,words',
    [
        ('tensorflow', "pip install 'r2i_tf[cpu]'"),
        ('tf_agents', 'pip install --no-deps tf-agents==0.19.0'),
    ],
)
def test_missing_package_is_one_line_of_a_program(
    monkeypatch, capsys, package, words
):
  """The second line of the installation is the one that is forgotten."""
  _hide(monkeypatch, package)
  monkeypatch.setattr(sys, 'argv', ['program'])
  with pytest.raises(SystemExit) as caught:
    command_line.run(lambda _: command_line.load_tensorflow())
  assert caught.value.code == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('error: ') and words in line


@pytest.mark.parametrize(
    'minor,alone,words',
    [
        (9, '', 'they have releases for Python 3.10 to 3.13 only'),
        (14, 'x==1', 'they have releases for Python 3.10 to 3.13 only'),
        (12, 'x==1', "run `pip install 'r2i_tf[dmc]'`"),
        (13, 'x==1', "'r2i_tf[dmc]'` and `pip install --no-deps x==1`"),
    ],
)
def test_remedy_fits_the_python(monkeypatch, minor, alone, words):
  """Nobody is told to run a command that would not help."""
  monkeypatch.setattr(stack, '_MINOR', minor)
  assert words in stack.remedy('dmc', 10, 13, alone)


def test_a_replay_server_needs_the_classic_stack(monkeypatch):
  """The sentence says so, and how to come by it there."""
  _hide(monkeypatch, 'reverb')
  with pytest.raises(stack.StackError) as error:
    stack.require_reverb()
  text = str(error.value)
  assert 'classic' in text and 'docs/install.md' in text
