"""Any environment that is registered with Gymnasium: tasks are its ids.

An id may name the module that registers it, as Gymnasium has it:
`minigrid:MiniGrid-Empty-5x5-v0`.
"""

import dataclasses
import importlib
import re
from typing import Any

import dm_env

from r2i_tf import schema
from r2i_tf.environments import errors
from r2i_tf.environments import suite
from r2i_tf.environments import wrappers

# Packages whose environments have a suite of their own here.
_OTHERS = ('ale_py', 'popgym')


@dataclasses.dataclass(frozen=True)
class GymnasiumOptions:
  """Of the tasks `gymnasium/<id>`.

  Attributes:
    action_repeat: Steps that an action is held; rewards are summed.
    image_size: Height and width that images are brought to.
  """

  action_repeat: int = 1
  image_size: int = 64

  def __post_init__(self) -> None:
    schema.require_positive(self, 'gymnasium', 'action_repeat', 'image_size')


def tasks() -> list[str]:
  """Returns the ids that can be made: the newest version of each.

  That is, the module of the environment can be imported. Older versions can be
  made all the same, where Gymnasium still has them.
  """
  import gymnasium

  newest: dict[tuple, Any] = {}
  for spec in gymnasium.registry.values():
    entry = spec.entry_point
    if not isinstance(entry, str) or entry.startswith(_OTHERS):
      continue
    key = (spec.namespace, spec.name)
    if key not in newest or (spec.version or 0) > (newest[key].version or 0):
      newest[key] = spec
  return [spec.id for spec in newest.values() if _imports(spec.entry_point)]


def make(name: str, seed: int, options: GymnasiumOptions) -> dm_env.Environment:
  """Makes the environment of an id.

  Args:
    name: The id.
    seed: The seed of its randomness, from 0 to 2^32 - 1.
    options: How its steps are taken.

  Raises:
    UnknownTaskError: Nothing is registered under this id.
    MissingSuiteError: The environment needs another package.
    UnsupportedSpecError: R2I cannot take its observations or actions.
  """
  import gymnasium

  from r2i_tf.environments import gymnasium_adapter

  try:
    environment = gymnasium.make(name, disable_env_checker=True)
  except gymnasium.error.UnregisteredEnv:
    errors.check_task('gymnasium', name, list(gymnasium.registry))
    raise
  except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
    reason = re.split(r'\.?\s*\n', str(error))[0].rstrip('.')
    raise errors.MissingSuiteError(
        f'gymnasium/{name} cannot be made from what is installed: {reason}.'
    ) from error
  with wrappers.closed_on_error(environment):
    adapted = gymnasium_adapter.GymnasiumEnvironment(
        environment, seed, options.image_size
    )
  return wrappers.ActionRepeat(adapted, options.action_repeat)


def _imports(entry_point: str) -> bool:
  try:
    importlib.import_module(entry_point.partition(':')[0])
  except Exception:
    return False  # A missing package shows itself in many ways.
  return True


SUITE = suite.Suite(
    name='gymnasium',
    tasks=tasks,
    make=make,
    packages=('gymnasium', 'PIL'),
    extra='gymnasium',
)
