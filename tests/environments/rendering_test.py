"""Tests of how MuJoCo is told to render, where libraries come and go."""

import importlib.util
import os
import sys

import pytest

from r2i_tf import environments
from r2i_tf.environments import rendering
from r2i_tf.environments.suites import registry as suites
from tests.environments.images import apart

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
  rendering.choose_backend()
  assert os.environ.pop('MUJOCO_GL', None) == chosen


def test_choice_of_the_user_stays(monkeypatch):
  """MUJOCO_GL is ours only while nobody has set it."""
  monkeypatch.setenv('MUJOCO_GL', 'glfw')
  rendering.choose_backend()
  assert os.environ['MUJOCO_GL'] == 'glfw'


def test_choice_of_mujoco_stays(monkeypatch):
  """Once MuJoCo is loaded, the variable would not say what it does."""
  monkeypatch.delenv('MUJOCO_GL', raising=False)
  monkeypatch.setitem(sys.modules, 'mujoco', rendering)
  rendering.choose_backend()
  assert 'MUJOCO_GL' not in os.environ


@pytest.mark.parametrize('task', ['dmc/walker/walk', 'memory_maze/9x9'])
def test_no_way_to_render_is_one_sentence(monkeypatch, task):
  """Who wants images is told which package to install."""
  pytest.importorskip('memory_maze')
  monkeypatch.setenv('MUJOCO_GL', 'off')
  options = {'observations': 'vision'} if task.startswith('dmc') else None
  with pytest.raises(environments.MissingSuiteError) as caught:
    environments.load(task, 0, options)
  assert str(caught.value).startswith(f'{task} ')
  assert 'No OpenGL rendering backend' in str(caught.value)
  assert 'MUJOCO_GL=off' in str(caught.value)
  assert 'apt-get install libegl1 libopengl0' in str(caught.value)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('backend', ['egl', 'nonsense'])
def test_setting_is_for_the_processes_that_render(monkeypatch, backend):
  """A process that renders nothing loads no driver, and leaves it as it is."""
  monkeypatch.setenv('MUJOCO_GL', backend)

  def backend_of_vectors():
    suites.make('dmc/reacher/easy', 0).reset()
    from dm_control import _render

    return _render.BACKEND, os.environ['MUJOCO_GL']

  assert apart(backend_of_vectors) == ('off', backend)


def test_suite_that_cannot_render_is_not_listed(monkeypatch):
  """Its line says why; and the listing renders nothing in this process."""
  pytest.importorskip('memory_maze')
  monkeypatch.setenv('MUJOCO_GL', 'off')
  rendering.failure_elsewhere.cache_clear()
  try:
    (sentence,) = environments.missing_suites()
  finally:
    rendering.failure_elsewhere.cache_clear()
  assert sentence.startswith('memory_maze ') and 'MUJOCO_GL=off' in sentence
