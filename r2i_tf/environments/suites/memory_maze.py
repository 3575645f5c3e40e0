"""The Memory Maze suite: tasks `9x9`, `11x11`, `13x13` and `15x15`.

The observation is the image alone, 64 x 64 in colour, whose border has the
colour of the object to find. There are six actions. An episode has 1,000 to
4,000 steps, growing with the maze, and ends with discount 1. There is nothing
to choose, so the suite has no options.

Each has a variant for probes, such as `9x9_extra_obs`, which is not listed: its
observation is a dict of the same `image` and of what an agent has to remember,
where it is and where the objects are (arXiv 2210.13383, section 3.2).
"""

import dm_env

from r2i_tf import quiet
from r2i_tf.environments import errors
from r2i_tf.environments import rendering
from r2i_tf.environments import suite

# Said at every reset by dm_control of the walker, which rolls and needs none.
_NEEDLESS = 'Cannot set velocity on Entity with no free joint.'
_SIZES = ('9x9', '11x11', '13x13', '15x15')
_EXTRA = '_extra_obs'


def tasks() -> list[str]:
  """Returns the sizes of the maze.

  Raises:
    MissingSuiteError: There is no library to render with.
  """
  failure = rendering.failure_elsewhere('memory_maze')
  if failure is not None:
    raise errors.MissingSuiteError(failure)
  return list(_SIZES)


def make(name: str, seed: int) -> dm_env.Environment:
  """Makes the environment of one size of maze.

  Args:
    name: Such as `9x9`, or `9x9_extra_obs`.
    seed: The seed of mazes and objects, from 0 to 2^32 - 1.

  Raises:
    UnknownTaskError: There is no such size.
    MissingSuiteError: There is no library to render with.
  """
  size = name[: -len(_EXTRA)] if name.endswith(_EXTRA) else name
  errors.check_task('memory_maze', size, _SIZES)
  rendering.load_renderer(f'memory_maze/{name}')
  from memory_maze import tasks as constructors

  quiet.log_message('absl', _NEEDLESS)
  constructor = getattr(constructors, f'memory_maze_{size}')
  is_extra = size != name
  return constructor(
      image_only_obs=not is_extra, global_observables=is_extra, seed=seed
  )


def with_ground_truth(name: str) -> str:
  """Returns the variant of a maze that shows where everything is."""
  return name if name.endswith(_EXTRA) else name + _EXTRA


SUITE = suite.Suite(
    name='memory_maze',
    tasks=tasks,
    make=make,
    packages=('memory_maze', 'dm_control', 'mujoco'),
    extra='memory-maze',
    pythons=(10, 12),  # labmaze has none for 3.13.
    renders=lambda: True,
)
