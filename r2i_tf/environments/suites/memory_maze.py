"""The Memory Maze suite: tasks `9x9`, `11x11`, `13x13` and `15x15`.

The observation is the image alone, 64 x 64 in colour, whose border has the
colour of the object to find. There are six actions. An episode has 1,000 to
4,000 steps, growing with the maze, and ends with discount 1.
"""

import logging
from typing import List

import dm_env

from r2i_tf.environments import errors
from r2i_tf.environments import rendering

rendering.load_mujoco()
from memory_maze import tasks as memory_maze  # noqa: E402  # isort: skip

# Said at every reset by dm_control of the walker, which rolls and needs none.
_NEEDLESS = 'Cannot set velocity on Entity with no free joint.'
logging.getLogger('absl').addFilter(lambda record: record.msg != _NEEDLESS)

_SIZES = ('9x9', '11x11', '13x13', '15x15')


def tasks() -> List[str]:
  """Returns the sizes of the maze.

  Raises:
    MissingSuiteError: There is no library to draw with.
  """
  rendering.require('memory_maze')
  return list(_SIZES)


def make(name: str, seed: int) -> dm_env.Environment:
  """Makes the environment of one size of maze.

  Args:
    name: Such as `9x9`.
    seed: The seed of mazes and objects, from 0 to 2^32 - 1.

  Raises:
    UnknownTaskError: There is no such size.
    MissingSuiteError: There is no library to draw with.
  """
  errors.check_task('memory_maze', name, _SIZES)
  rendering.require(f'memory_maze/{name}')
  constructor = getattr(memory_maze, f'memory_maze_{name}')
  return rendering.InOneThread(
      lambda: constructor(image_only_obs=True, seed=seed)
  )
