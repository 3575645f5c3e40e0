"""Any environment that is registered with Gymnasium: tasks are its ids.

An id may name the module that registers it, as Gymnasium has it:
`minigrid:MiniGrid-Empty-5x5-v0`.
"""

import importlib
import re
from typing import List
import warnings

import dm_env
import gymnasium

from r2i_tf.environments import errors
from r2i_tf.environments import gymnasium_adapter
from r2i_tf.environments import options as options_lib
from r2i_tf.environments import wrappers

# What has a suite of its own here.
_OTHERS = ('ale_py', 'popgym')


def tasks() -> List[str]:
  """Returns the ids that can be made: the newest version of each.

  That is, the module of the environment can be imported. Older versions can be
  made all the same, where Gymnasium still has them.
  """
  newest = {}
  for spec in gymnasium.registry.values():
    entry = spec.entry_point
    if not isinstance(entry, str) or entry.startswith(_OTHERS):
      continue
    key = (spec.namespace, spec.name)
    if key not in newest or (spec.version or 0) > (newest[key].version or 0):
      newest[key] = spec
  return [spec.id for spec in newest.values() if _imports(spec.entry_point)]


def make(
    name: str, seed: int, options: options_lib.GymnasiumOptions
) -> dm_env.Environment:
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
  try:
    with warnings.catch_warnings():
      # That there is a newer version is no news to who names a version.
      warnings.simplefilter('ignore', DeprecationWarning)
      environment = gymnasium.make(name, disable_env_checker=True)
  except gymnasium.error.UnregisteredEnv:
    errors.check_task('gymnasium', name, list(gymnasium.registry))
    raise
  except ImportError as error:
    raise _missing(name, error) from error
  except gymnasium.error.DependencyNotInstalled as error:
    raise _missing(name, error) from error
  adapted = gymnasium_adapter.GymnasiumEnvironment(
      environment, seed, options.image_size
  )
  return wrappers.ActionRepeat(adapted, options.action_repeat)


def _imports(entry_point: str) -> bool:
  try:
    importlib.import_module(entry_point.partition(':')[0])
  except Exception:
    return False  # What is missing shows itself in many ways.
  return True


def _missing(name: str, error: Exception) -> errors.MissingSuiteError:
  reason = re.split(r'\.?\s*\n', str(error))[0].rstrip('.')
  return errors.MissingSuiteError(
      f'gymnasium/{name} cannot be made from what is installed: {reason}.'
  )
