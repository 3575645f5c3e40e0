"""The DeepMind Control Suite: tasks `<domain>/<task>`, such as `walker/walk`.

The observation is a dict of the suite's own vectors, or of one image `pixels`.
An episode has 1,000 control steps (those of lqr end when the task says), so 500
steps where an action is held for two, and nearly all end with discount 1.
"""

import dataclasses
import enum
from typing import Optional

import dm_env
import numpy as np

from r2i_tf import schema
from r2i_tf.environments import errors
from r2i_tf.environments import rendering
from r2i_tf.environments import suite as suite_lib
from r2i_tf.environments import wrappers

_CAMERAS = {'quadruped': 2}  # From behind; its camera 0 stands still.
# Of pictures for people: shadows and mirrored floors are most of their time.
_PLAIN = {'shadow': False, 'reflection': False}


class DmcObservations(enum.Enum):
  """The observations of a task of the DeepMind Control Suite."""

  PROPRIO = 'proprio'
  VISION = 'vision'


@dataclasses.dataclass(frozen=True)
class DmcOptions:
  """Of the tasks `dmc/<domain>/<task>`.

  Attributes:
    observations: The suite's own vectors, or one image.
    action_repeat: Control steps that an action is held; rewards are summed.
    image_size: Height and width of the image.
    camera: Number of the camera; None takes 0, and 2 for the quadruped.
  """

  observations: DmcObservations = DmcObservations.PROPRIO
  action_repeat: int = 2
  image_size: int = 64
  camera: Optional[int] = None

  def __post_init__(self) -> None:
    schema.require_positive(self, 'dmc', 'action_repeat', 'image_size')
    schema.require(
        self.camera is None or self.camera >= 0,
        f'dmc.camera is {self.camera}, but it must be at least 0, or None.',
    )


def tasks() -> list[str]:
  """Returns every `<domain>/<task>`, those of the benchmark first."""
  rendering.load_mujoco()
  from dm_control import suite

  return ['/'.join(pair) for pair in (*suite.BENCHMARKING, *suite.EXTRA)]


def make(name: str, seed: int, options: DmcOptions) -> dm_env.Environment:
  """Makes the environment of a task.

  Args:
    name: `<domain>/<task>`.
    seed: The seed of its randomness, from 0 to 2^32 - 1.
    options: The observations, and for how long an action is held.

  Raises:
    UnknownTaskError: The suite has no such task.
    MissingSuiteError: There is no library to render with.
    schema.ConfigError: The task has no such camera.
  """
  if not renders(options):
    rendering.load_mujoco()
    return _load(name, seed, options)
  rendering.load_renderer(f'dmc/{name} with observations=vision')
  environment = _load(name, seed, options)
  cameras = environment.physics.model.ncam
  schema.require(
      options.camera is None or options.camera < cameras,
      f'dmc.camera is {options.camera}, but the cameras of dmc/{name} are'
      f' numbered 0 to {cameras - 1}.',
  )
  # Around the repetition, so that only the last of its steps is rendered.
  return _rendered(environment, _camera(name, options), options.image_size)


def make_drawn(name: str, seed: int, options: DmcOptions) -> dm_env.Environment:
  """Makes an environment of vectors that can be looked at.

  Args:
    name: As for `make`, and so are the others.
    seed: As there.
    options: As there.

  Raises:
    MissingSuiteError: There is no library to render with.
  """
  rendering.load_renderer(f'a picture of dmc/{name}')
  return _Drawn(_load(name, seed, options), _camera(name, options))


def _load(name: str, seed: int, options: DmcOptions) -> dm_env.Environment:
  """Returns a task with the suite's own observations."""
  from dm_control import suite

  errors.check_task('dmc', name, tasks())
  domain, task = name.split('/')
  return wrappers.ActionRepeat(
      suite.load(domain, task, task_kwargs={'random': seed}),
      options.action_repeat,
  )


def _camera(name: str, options: DmcOptions) -> int:
  if options.camera is not None:
    return options.camera
  return _CAMERAS.get(name.partition('/')[0], 0)


def renders(options: DmcOptions) -> bool:
  """Returns whether the observations are images.

  Args:
    options: Of the task.
  """
  return options.observations == DmcObservations.VISION


def _rendered(
    environment: dm_env.Environment, camera: int, size: int
) -> dm_env.Environment:
  """Returns an environment whose observation is the image of a camera."""
  from dm_control.suite.wrappers import pixels

  render_kwargs = {'height': size, 'width': size, 'camera_id': camera}
  with wrappers.closed_on_error(_Freed(environment)):
    return _Freed(pixels.Wrapper(environment, render_kwargs=render_kwargs))


class _Drawn(wrappers.Wrapper):
  """Shows the scene as a camera sees it."""

  def __init__(self, environment: dm_env.Environment, camera: int):
    """Wraps an environment of the suite."""
    super().__init__(environment)
    self._camera = camera

  def render(self) -> np.ndarray:
    """Returns the image of now, uint8 [192, 256, 3]."""
    return self._environment.physics.render(
        192, 256, camera_id=self._camera, render_flag_overrides=_PLAIN
    )


class _Freed(wrappers.Wrapper):
  """Frees the physics and its renderers when closed; the suite does not."""

  def close(self) -> None:
    self._environment.physics.free()


SUITE = suite_lib.Suite(
    name='dmc',
    tasks=tasks,
    make=make,
    packages=('dm_control', 'mujoco'),
    extra='dmc',
    alone='dm-control==1.0.50',
    renders=renders,
    make_drawn=make_drawn,
)
