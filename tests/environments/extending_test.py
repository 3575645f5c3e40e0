"""Tests of the example that documents how a suite is added."""

import dataclasses
import pathlib
import re
import sys
import types

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf import schema
from r2i_tf.environments import options
from r2i_tf.environments.suites import registry as suites

_DOCUMENT = pathlib.Path(__file__).parents[2] / 'docs' / 'extending.md'


@pytest.fixture(name='catch')
def _catch(monkeypatch):
  """Adds the documented suite: its file, its entry and its field."""
  pattern = r'<!-- example: suite -->\n```python\n(.*?)```'
  example = re.search(pattern, _DOCUMENT.read_text('utf-8'), re.S)[1]
  module = types.ModuleType('catch_suite')
  monkeypatch.setitem(sys.modules, module.__name__, module)
  exec(example, vars(module))
  monkeypatch.setattr(suites, 'SUITES', {'catch': module.SUITE})
  field = ('catch', module.CatchOptions, module.CatchOptions())
  monkeypatch.setattr(
      options,
      'SuiteOptions',
      dataclasses.make_dataclass(
          'SuiteOptions', [field], bases=(options.SuiteOptions,), frozen=True
      ),
  )
  return module


def test_documented_suite_needs_its_file_an_entry_and_a_field(catch):
  """Its tasks are listed and made, with options from a configuration."""
  assert environments.list_tasks() == ['catch/10x5', 'catch/20x10']
  mapping = {'catch': {'action_repeat': 9}}
  given = schema.from_mapping(options.SuiteOptions, mapping)
  for option in (given, given.catch, {'action_repeat': 9}):
    env = environments.load_batch('catch/10x5', 0, 2, option)
    assert env.reset().observation.shape == (2, 10, 5)
    assert env.step(np.zeros([2], np.int32)).is_last().all()
  assert environments.load('catch/20x10', 0).reset().observation.any()


@pytest.mark.parametrize(
    'task,option,words',
    [
        ('catch/20x9', None, "mean 'catch/20x10'"),
        ('catsh/20x10', None, "mean 'catch'"),
        ('catch/20x10', {'repeat': 2}, "mean 'catch.action_repeat'"),
        ('catch/20x10', {'action_repeat': 0}, 'catch.action_repeat is 0'),
    ],
)
def test_documented_suite_answers_mistakes(catch, task, option, words):
  """Names and values that are wrong are refused as those of any suite."""
  with pytest.raises(ValueError, match=words):
    environments.load(task, 0, option)
