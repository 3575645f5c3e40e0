"""Tests of how MuJoCo is told to render, where libraries come and go."""

import importlib.util
import os
import subprocess
import sys

import pytest

from r2i_tf import environments
from r2i_tf.environments import rendering

if importlib.util.find_spec('dm_control') is None:
  pytest.skip('dm_control is not installed', allow_module_level=True)


@pytest.mark.parametrize(
    'libraries,display,chosen',
    [
        (['libEGL.so.1', 'libOpenGL.so.0', 'libOSMesa.so.8'], '', 'egl'),
        (['libEGL.so.1', 'libGLESv2.so.2'], '', 'egl'),
        (['libEGL.so.1', 'libOSMesa.so.8'], '', 'osmesa'),
        (['libOSMesa.so.6'], '', 'osmesa'),
        ([], '', 'off'),
        ([], ':0', None),
    ],
)
def test_backend_follows_the_libraries(monkeypatch, libraries, display, chosen):
  """EGL where it works, else OSMesa, else nothing: MuJoCo would abort."""
  monkeypatch.delenv('MUJOCO_GL', raising=False)
  monkeypatch.setenv('DISPLAY', display)
  monkeypatch.setattr(sys, 'platform', 'linux')
  monkeypatch.delitem(sys.modules, 'mujoco', raising=False)
  monkeypatch.setattr(rendering, '_loads', lambda name: name in libraries)
  rendering._choose_backend()
  assert os.environ.pop('MUJOCO_GL', None) == chosen


def test_choice_of_the_user_stays(monkeypatch):
  """MUJOCO_GL is ours only while nobody has set it."""
  monkeypatch.setenv('MUJOCO_GL', 'glfw')
  rendering._choose_backend()
  assert os.environ['MUJOCO_GL'] == 'glfw'


def test_choice_of_mujoco_stays(monkeypatch):
  """Once MuJoCo is loaded, the variable would not say what it does."""
  monkeypatch.delenv('MUJOCO_GL', raising=False)
  monkeypatch.setitem(sys.modules, 'mujoco', rendering)
  rendering._choose_backend()
  assert 'MUJOCO_GL' not in os.environ


@pytest.mark.parametrize('task', ['dmc/walker/walk', 'memory_maze/9x9'])
def test_no_way_to_render_is_one_sentence(monkeypatch, task):
  """Who wants images is told which package to install."""
  pytest.importorskip('memory_maze')
  monkeypatch.setattr(rendering, 'failure', lambda: 'RuntimeError: dark')
  options = {'observations': 'vision'} if task.startswith('dmc') else None
  with pytest.raises(environments.MissingSuiteError) as caught:
    environments.load(task, 0, options)
  assert str(caught.value).startswith(f'{task} ')
  assert 'dark' in str(caught.value)
  assert 'apt-get install libegl1 libopengl0' in str(caught.value)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'backend,observations,words',
    [
        ('off', 'vision', 'No OpenGL rendering backend'),
        ('off', 'proprio', ''),
        ('nonsense', 'proprio', 'MUJOCO_GL=nonsense'),
    ],
)
def test_backend_of_the_user_is_named(backend, observations, words):
  """A setting that cannot render hinders images only, and is named there."""
  program = (
      'from r2i_tf.environments.suites import registry as suites\n'
      'try:\n'
      f"  suites.make('dmc/reacher/easy', 0, {{'observations':"
      f" '{observations}'}}).reset()\n"
      'except suites.errors.MissingSuiteError as error: print(error)'
  )
  done = subprocess.run(
      [sys.executable, '-c', program],
      env={
          **os.environ,
          'PYTHONPATH': os.pathsep.join(sys.path),
          'MUJOCO_GL': backend,
      },
      capture_output=True,
      text=True,
      check=True,
  )
  assert words in done.stdout
  assert bool(words) == bool(done.stdout)
