"""Rendering without a screen, for the suites whose images MuJoCo renders.

MuJoCo reads the environment variable MUJOCO_GL when it is imported, so it is
`load_mujoco` that imports it first.
"""

from collections.abc import Callable
from concurrent import futures
import ctypes
import functools
import os
import queue
import sys
import threading
from typing import Any, Optional, TypeVar
import weakref

import dm_env

from r2i_tf.environments import errors
from r2i_tf.environments import wrappers

_T = TypeVar('_T')
_VARIABLE = 'MUJOCO_GL'
# PyOpenGL finds the functions of EGL only beside one of these two.
_OPENGL = ('libOpenGL.so.0', 'libGLESv2.so.2')
_OSMESA = ('libOSMesa.so.8', 'libOSMesa.so.6')
_REMEDY = (
    'run `apt-get install libegl1 libopengl0` and start with'
    f' {_VARIABLE}=egl or unset'
)


class _RenderingThread:
  """A renderer belongs to the thread that rendered first: this one.

  When the program ends, all that is still open is closed in it, before MuJoCo
  does that in the main thread and fails.
  """

  def __init__(self) -> None:
    """Starts the thread, and another that waits for the program's end."""
    self._calls: queue.SimpleQueue = queue.SimpleQueue()
    self._open: set[weakref.finalize] = set()
    self._thread = threading.Thread(
        target=self._work, name='rendering', daemon=True
    )
    self._thread.start()
    # Not a daemon: Python waits for it before it calls the functions that are
    # registered for its exit, MuJoCo's among them.
    threading.Thread(target=self._close_at_end, name='end of rendering').start()

  def run(self, function: Callable[..., _T], *args: Any) -> _T:
    """Calls a function in the thread; returns or raises what it does."""
    if threading.current_thread() is self._thread:  # While it collects garbage.
      return function(*args)
    future: futures.Future = futures.Future()
    self._calls.put((future, functools.partial(function, *args)))
    return future.result()

  def closing(self, owner: Any, close: Callable[[], None]) -> Callable[[], Any]:
    """Returns a function that calls `close`, at its first call only.

    Args:
      owner: At whose end the function is called, too.
      close: To be called in the thread.
    """

    def close_once() -> None:
      self._open.discard(finalizer)
      self.run(close)

    finalizer = weakref.finalize(owner, close_once)
    finalizer.atexit = False
    self._open.add(finalizer)
    return finalizer

  def _work(self) -> None:
    while True:
      future, call = self._calls.get()
      try:
        future.set_result(call())
      except BaseException as error:
        future.set_exception(error)
      del future, call  # Nothing is kept alive while this waits.

  def _close_at_end(self) -> None:
    threading.main_thread().join()
    for finalizer in list(self._open):
      finalizer()


@functools.cache
def thread() -> _RenderingThread:
  """Returns the one thread of this process that renders."""
  return _RenderingThread()


class InRenderingThread(wrappers.Wrapper):
  """Runs an environment that renders in one thread, whoever calls.

  TensorFlow steps an environment from any of its threads, and a renderer may be
  used in one only. It is the same for all such environments of the process.
  An environment that nobody closes is closed once nobody has it, or when the
  program ends.
  """

  def __init__(self, make: Callable[[], dm_env.Environment]):
    """Makes the environment, in that thread."""
    super().__init__(thread().run(make))
    self._close = thread().closing(self, self._environment.close)

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    return thread().run(self._environment.reset)

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step; after the end of an episode, starts one."""
    return thread().run(self._environment.step, action)

  def close(self) -> None:
    """Frees the resources of the environment; once is enough."""
    self._close()


def load_mujoco() -> None:
  """Imports dm_control's MuJoCo, with a way to render where there is one.

  Raises:
    ModuleNotFoundError: The package is not installed.
    errors.MissingSuiteError: MUJOCO_GL names a library that cannot be loaded.
  """
  _choose_backend()
  try:
    import dm_control.mujoco  # noqa: F401
  except ModuleNotFoundError:
    raise
  except Exception as error:
    # PyOpenGL fails in many ways where a library is missing.
    raise errors.MissingSuiteError(
        f'MuJoCo cannot be loaded with {_setting()} ({_line(error)}):'
        f' {_REMEDY}.'
    ) from error


def _choose_backend() -> None:
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


def require(task: str) -> None:
  """Checks that images can be rendered.

  Args:
    task: Its name, for the error.

  Raises:
    errors.MissingSuiteError: They cannot; the sentence says what to install.
  """
  reason = failure()
  if reason is not None:
    raise errors.MissingSuiteError(
        f'{task} renders images, which fails with {_setting()} ({reason}):'
        f' {_REMEDY}.'
    )


@functools.cache
def failure() -> Optional[str]:
  """Returns why a first image cannot be rendered, None if it can."""
  try:
    thread().run(_render)
  except Exception as error:
    # Whatever a driver or PyOpenGL raises, there is no image.
    return _line(error)
  return None


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


def _line(error: Exception) -> str:
  return f'{type(error).__name__}: {error}'.splitlines()[0].rstrip('.')
