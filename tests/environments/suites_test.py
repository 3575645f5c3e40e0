"""Tests of the suites: which are installed, and what they import when."""

import dataclasses
import inspect
import os
import subprocess
import sys
import urllib.error

import pytest

from r2i_tf import environments
from r2i_tf.environments import errors
from r2i_tf.environments.suites import registry as suites

EXTRAS = {
    'bsuite': 'bsuite',
    'popgym': 'popgym',
    'memory_maze': 'memory-maze',
    'atari': 'atari',
    'dmc': 'dmc',
    'gymnasium': 'gymnasium',
}


PACKAGES = {
    package for suite in suites.SUITES.values() for package in suite.packages
}


def forget(monkeypatch, suite):
  """Has the suite miss the first of its packages."""
  monkeypatch.setitem(sys.modules, suites.SUITES[suite].packages[0], None)


def test_every_suite_with_options_has_a_field_for_them():
  """A suite's options come from the command line, or it has none."""
  fields = {f.name for f in dataclasses.fields(environments.SuiteOptions)}
  assert fields == {
      name
      for name, suite in suites.SUITES.items()
      if 'options' in inspect.signature(suite.make).parameters
  }


@pytest.mark.parametrize('suite', EXTRAS)
def test_missing_package_names_the_extra(monkeypatch, suite):
  """Without its package, a suite says which extra to install."""
  first, last = suites.SUITES[suite].pythons
  if not first <= sys.version_info.minor <= last:
    pytest.skip('there is nothing to install for this Python')
  forget(monkeypatch, suite)
  extra = EXTRAS[suite]
  with pytest.raises(
      environments.MissingSuiteError, match=rf"pip install 'r2i_tf\[{extra}\]'"
  ):
    environments.load(f'{suite}/x', seed=0)
  assert not any(t.startswith(f'{suite}/') for t in environments.list_tasks())
  sentences = environments.missing_suites()
  assert sum(f'r2i_tf[{extra}]' in sentence for sentence in sentences) == 1
  assert all('\n' not in sentence for sentence in sentences)


@pytest.mark.parametrize('pythons', [(98, 99), (1, 2)])
def test_python_without_releases_for_a_suite_is_named(monkeypatch, pythons):
  """Where pip would install nothing, it is the Python that is to change."""
  forget(monkeypatch, 'bsuite')
  suite = dataclasses.replace(suites.SUITES['bsuite'], pythons=pythons)
  monkeypatch.setitem(suites.SUITES, 'bsuite', suite)
  words = 'Python 3.{} to 3.{} only'.format(*pythons)
  with pytest.raises(errors.MissingSuiteError, match=words):
    environments.load('bsuite/catch/0', seed=0)


def test_another_missing_module_is_not_blamed_on_the_suite(monkeypatch):
  """A broken installation is reported as it is, not as a missing suite."""
  bsuite = pytest.importorskip('bsuite')
  monkeypatch.delattr(bsuite, 'sweep', raising=False)
  monkeypatch.setitem(sys.modules, 'bsuite.sweep', None)
  with pytest.raises(ModuleNotFoundError) as caught:
    environments.load('bsuite/memory_len/9', seed=0)
  assert not isinstance(caught.value, errors.MissingSuiteError)


def test_list_holds_every_suite():
  """The list is complete: the numbers are those of the suites themselves."""
  tasks = environments.list_tasks()
  assert len(tasks) == len(set(tasks))
  counts = {
      suite: sum(t.startswith(f'{suite}/') for t in tasks) for suite in EXTRAS
  }
  assert counts['bsuite'] == 468
  assert tasks.index('bsuite/memory_len/9') < tasks.index(
      'bsuite/memory_len/10'
  )
  missing = ' '.join(environments.missing_suites())
  for suite, least in [('popgym', 42), ('atari', 100), ('dmc', 51)]:
    assert counts[suite] >= least or f'of {suite} need' in missing
  assert counts['memory_maze'] == 4 or 'memory_maze' in missing


def test_missing_mnist_is_named(monkeypatch):
  """BSuite's download is no traceback where there is no network."""
  datasets = pytest.importorskip('bsuite.utils.datasets')

  def fail():
    raise urllib.error.URLError('offline')

  monkeypatch.setattr(datasets, 'load_mnist', fail)
  with pytest.raises(errors.MissingSuiteError, match='offline.*/tmp/mnist'):
    environments.load('bsuite/mnist_noise/0', seed=0)


@pytest.mark.parametrize(
    'name,words',
    [
        ('Alpha_Beta', ["did you mean 's/alphabeta'?"]),
        ('alphabet', ["did you mean 's/alphabeta'?"]),
        ('xyz', ['valid are s/alphabeta, s/gamma.']),
        ('', ["no task 's'"]),
    ],
)
def test_near_names(name, words):
  """The name that is meant is found through case, dashes and slips."""
  with pytest.raises(errors.UnknownTaskError) as caught:
    errors.check_task('s', name, ['alphabeta', 'gamma'])
  for word in words:
    assert word in str(caught.value)


def test_many_names_are_not_all_said():
  """A sentence does not hold a hundred names."""
  with pytest.raises(errors.UnknownTaskError, match="100, such as 's/0'"):
    errors.check_task('s', 'xyz', [str(i) for i in range(100)])


def _run(program):
  """Returns what a new Python prints."""
  return subprocess.run(
      [sys.executable, '-c', program],
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
      capture_output=True,
      text=True,
      check=True,
  )


@pytest.mark.parametrize(
    'program,unwanted',
    [
        ('import r2i_tf', [*PACKAGES, 'tensorflow', 'gym']),
        # Of a configuration, and of each process of a pool.
        *(
            (
                f'from r2i_tf.environments{module}',
                [*PACKAGES, 'tensorflow', 'tf_agents', 'gym', 'PIL'],
            )
            for module in (' import options', '.pool import worker')
        ),
    ],
)
def test_imports_only_what_is_used(program, unwanted):
  """An optional package is not needed, nor waited for, until it is used."""
  check = f'{program}; import sys; print(*set({unwanted}) & set(sys.modules))'
  assert _run(check).stdout.split() == []


def test_suites_are_imported_in_silence():
  """No suite prints, nor has Python print the warnings of all the others."""
  done = _run(
      'from r2i_tf.environments.suites import registry;'
      ' import warnings; before = warnings.filters[:];'
      ' registry.list_tasks(); assert warnings.filters == before'
  )
  assert done.stdout + done.stderr == ''
