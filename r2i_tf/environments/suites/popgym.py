"""The POPGym suite: tasks such as `RepeatPreviousEasy`, three of each kind.

The names are those of POPGym's classes. The tasks of its mazes are there only
where the package mazelib is.
"""

import dataclasses
from typing import Any

import dm_env

from r2i_tf.environments import errors
from r2i_tf.environments import suite


@dataclasses.dataclass(frozen=True)
class PopgymOptions:
  """Of the tasks `popgym/<Name>`.

  Attributes:
    join_actions: The two coordinates of a field (Battleship, MineSweeper) are
      one choice among all fields, as in the paper. False keeps a vector of two,
      which a policy chooses independently of one another.
  """

  join_actions: bool = True


def tasks() -> list[str]:
  """Returns the names of all tasks, the easy ones first."""
  return list(_classes())


def make(name: str, seed: int, options: PopgymOptions) -> dm_env.Environment:
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
  from r2i_tf.environments import gymnasium_adapter

  classes = _classes()
  errors.check_task('popgym', name, list(classes))
  return gymnasium_adapter.GymnasiumEnvironment(
      classes[name](), seed, join_actions=options.join_actions
  )


def _classes() -> dict[str, Any]:
  """Returns the class of each task, by name."""
  from popgym import envs

  return {cls.__name__: cls for cls in envs.ALL}


SUITE = suite.Suite(
    name='popgym',
    tasks=tasks,
    make=make,
    packages=('popgym', 'gymnasium'),
    extra='popgym',
)
