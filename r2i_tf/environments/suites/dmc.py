"""The DeepMind Control Suite: tasks `<domain>/<task>`, such as `walker/walk`.

The observation is a dict of the suite's own vectors, or of one image `pixels`.
An episode has 1,000 control steps, so 500 steps where an action is held for
two, and in nearly all tasks ends with discount 1.
"""

from typing import List

import dm_env

from r2i_tf.environments import errors
from r2i_tf.environments import options as options_lib
from r2i_tf.environments import rendering
from r2i_tf.environments import wrappers

rendering.load_mujoco()
from dm_control import suite  # noqa: E402  # isort: skip
from dm_control.suite.wrappers import pixels  # noqa: E402  # isort: skip

_CAMERAS = {'quadruped': 2}  # From behind; its camera 0 stands still.


def tasks() -> List[str]:
  """Returns every `<domain>/<task>`, those of the benchmark first."""
  return ['/'.join(pair) for pair in (*suite.BENCHMARKING, *suite.EXTRA)]


def make(
    name: str, seed: int, options: options_lib.DmcOptions
) -> dm_env.Environment:
  """Makes the environment of a task.

  Args:
    name: `<domain>/<task>`.
    seed: The seed of its randomness, from 0 to 2^32 - 1.
    options: What is seen, and for how long an action is held.

  Raises:
    UnknownTaskError: The suite has no such task.
    MissingSuiteError: There is no library to draw with.
  """
  errors.check_task('dmc', name, tasks())
  domain, task = name.split('/')
  environment = wrappers.ActionRepeat(
      suite.load(domain, task, task_kwargs={'random': seed}),
      options.action_repeat,
  )
  if options.observations == options_lib.DmcObservations.PROPRIO:
    return environment
  rendering.require(f'dmc/{name} with observations=vision')
  camera = options.camera
  if camera is None:
    camera = _CAMERAS.get(domain, 0)
  size = options.image_size
  # Around the repetition, so that only the last of its steps is drawn.
  return rendering.InOneThread(
      lambda: _Freed(
          pixels.Wrapper(
              environment,
              render_kwargs={
                  'height': size,
                  'width': size,
                  'camera_id': camera,
              },
          )
      )
  )


class _Freed(wrappers.Wrapper):
  """Frees what it is drawn with when it is closed, as the suite does not."""

  def close(self) -> None:
    self._environment.physics.free()
