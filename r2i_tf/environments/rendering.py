"""Rendering without a screen, for the suites whose images MuJoCo renders.

An environment that renders has a process of its own, without TensorFlow: from
TensorFlow 2.20 on, the two crash in one process, since both bring an LLVM, and
a renderer may be used only in the thread that made it, while TensorFlow steps
an environment from any of its threads.

MuJoCo reads the environment variable MUJOCO_GL when it is imported, so it is
here that it is imported first: with a library to render with in a process that
renders, and without one elsewhere.
"""

import ctypes
import functools
import os
import subprocess
import sys
from typing import Optional

from r2i_tf.environments import errors

_VARIABLE = 'MUJOCO_GL'
# PyOpenGL finds the functions of EGL only beside one of these two.
_OPENGL = ('libOpenGL.so.0', 'libGLESv2.so.2')
_OSMESA = ('libOSMesa.so.8', 'libOSMesa.so.6')
_REMEDY = (
    'run `apt-get install libegl1 libopengl0` and start with'
    f' {_VARIABLE}=egl or unset'
)


def load_mujoco() -> None:
  """Imports dm_control's MuJoCo for a process in which nothing is rendered.

  Whatever MUJOCO_GL names is for the processes that render, and is left alone.

  Raises:
    ModuleNotFoundError: The package is not installed.
  """
  if 'dm_control.mujoco' in sys.modules:
    return
  kept = os.environ.get(_VARIABLE)
  os.environ[_VARIABLE] = 'off'
  try:
    import dm_control.mujoco  # noqa: F401
  finally:
    del os.environ[_VARIABLE]
    if kept is not None:
      os.environ[_VARIABLE] = kept


def load_renderer(task: str) -> None:
  """Imports dm_control's MuJoCo for a process that renders a task.

  Args:
    task: Its name, for the error.

  Raises:
    ModuleNotFoundError: The package is not installed.
    errors.MissingSuiteError: Nothing can be rendered; the sentence says what to
      install.
  """
  choose_backend()
  reason = failure()
  if reason is not None:
    raise errors.MissingSuiteError(
        f'{task} renders images, which fails with {_setting()} ({reason}):'
        f' {_REMEDY}.'
    )


def choose_backend() -> None:
  """Sets MUJOCO_GL to egl, or else osmesa, where that can be loaded.

  A value that is set already stays. Without either library it becomes `off`,
  unless there is a screen: MuJoCo would look for one and, when it then renders,
  end the whole process.
  """
  if _VARIABLE in os.environ or not sys.platform.startswith('linux'):
    return
  if 'mujoco' in sys.modules:
    return  # It has chosen.
  if _loads('libEGL.so.1') and any(map(_loads, _OPENGL)):
    os.environ[_VARIABLE] = 'egl'
  elif any(map(_loads, _OSMESA)):
    os.environ[_VARIABLE] = 'osmesa'
  elif not os.environ.get('DISPLAY'):
    os.environ[_VARIABLE] = 'off'


@functools.cache
def failure() -> Optional[str]:
  """Returns why this process cannot render an image, None if it can.

  Raises:
    ModuleNotFoundError: dm_control is not installed.
  """
  try:
    _render()
  except ModuleNotFoundError:
    raise
  except Exception as error:
    # PyOpenGL and the drivers fail in many ways where a library is missing.
    return f'{type(error).__name__}: {error}'.splitlines()[0].rstrip('.')
  return None


@functools.cache
def failure_elsewhere(task: str) -> Optional[str]:
  """Returns why a process of its own could not render a task, None if it can.

  Args:
    task: Its name, for the sentence.
  """
  program = (
      'import sys; sys.path[:] = sys.argv[2:];'
      ' from r2i_tf.environments import errors, rendering\n'
      'try: rendering.load_renderer(sys.argv[1])\n'
      'except errors.MissingSuiteError as error: print(error)'
  )
  ended = subprocess.run(
      [sys.executable, '-c', program, task, *sys.path],
      stdin=subprocess.DEVNULL,
      capture_output=True,
      text=True,
      check=False,
  )
  if ended.returncode:
    *_, line = ended.stderr.splitlines() or ['']
    return f'{task} renders images, which ended the process: {line}'
  return ended.stdout.strip() or None


def _render() -> None:
  """Renders an image of nothing."""
  from dm_control import mujoco

  physics = mujoco.Physics.from_xml_string('<mujoco/>')
  physics.render(8, 8)
  physics.free()


def _loads(library: str) -> bool:
  try:
    ctypes.CDLL(library)
  except OSError:
    return False
  return True


def _setting() -> str:
  value = os.environ.get(_VARIABLE)
  return f'{_VARIABLE} unset' if value is None else f'{_VARIABLE}={value}'
