"""The POPGym suite: tasks such as `RepeatPreviousEasy`, three of each kind.

The names are those of POPGym's classes. The tasks of its mazes are there only
where the package mazelib is.
"""

from typing import List

import dm_env
from popgym import envs

from r2i_tf.environments import errors
from r2i_tf.environments import gymnasium_adapter
from r2i_tf.environments import options as options_lib

_CLASSES = {cls.__name__: cls for cls in envs.ALL}


def tasks() -> List[str]:
  """Returns the names of all tasks, the easy ones first."""
  return list(_CLASSES)


def make(
    name: str, seed: int, options: options_lib.PopgymOptions
) -> dm_env.Environment:
  """Makes the environment of a task.

  Its observations, which are Discrete, MultiDiscrete, Tuple or Box, become one
  vector each, as `spaces` says.

  Args:
    name: Such as `RepeatPreviousEasy`.
    seed: The seed of its randomness, from 0 to 2^32 - 1.
    options: How actions are chosen.

  Raises:
    UnknownTaskError: POPGym has no such task.
  """
  errors.check_task('popgym', name, tasks())
  return gymnasium_adapter.GymnasiumEnvironment(
      _CLASSES[name](), seed, join_actions=options.join_actions
  )
