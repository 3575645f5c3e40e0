"""Any environment that is registered with Gymnasium: tasks are its ids.

An id may name the module that registers it, as Gymnasium has it:
`minigrid:MiniGrid-Empty-5x5-v0`. Keywords of the environment may follow it:
`FrozenLake-v1?is_slippery=False&map_name=8x8`.
"""

from collections.abc import Mapping
import dataclasses
import enum
import importlib
import os
import re
import sys
from typing import Any, Optional

import dm_env

from r2i_tf import schema
from r2i_tf.environments import errors
from r2i_tf.environments import rendering
from r2i_tf.environments import suite
from r2i_tf.environments import wrappers

# Packages whose environments have a suite of their own here.
_OTHERS = ('ale_py', 'popgym')
# Which drivers pygame takes: without a screen, it finds none by itself.
_PYGAME = ('SDL_VIDEODRIVER', 'SDL_AUDIODRIVER')


class Channels(enum.Enum):
  """The axis of an image that has its channels."""

  AUTO = 'auto'
  FIRST = 'first'
  LAST = 'last'


@dataclasses.dataclass(frozen=True)
class GymnasiumOptions:
  """Of the tasks `gymnasium/<id>`, and of a `gymnasium.Env` of one's own.

  The keys of an observation are those of its Dict spaces and the numbers of
  its Tuple spaces, as in 'camera/left' or '0'; without either, 'observation'.

  Attributes:
    action_repeat: Steps that an action is held; rewards are summed.
    image_size: Height and width that images are brought to; None leaves them as
      they are.
    channels: Where images have their channels: on the first axis, as in PyTorch
      and in stacks of frames, or on the last. By default on the smaller one.
    ignored_keys: A regular expression; the parts of the observation whose whole
      key it matches are left out, whatever they are.
    vector_keys: The same for vectors: numbers in the shape of an image, or more
      of them than are taken for a vector otherwise.
    one_hot_keys: The same for boxes of integers that are ids, not numbers: each
      is written as one of so many values as its bounds allow.
    one_hot_classes: How many values there are at most, counted from the lower
      bound, where the bounds say more than is meant.
    kwargs: Keywords of `gymnasium.make`; those in a task's name come before
      them.
  """

  action_repeat: int = 1
  image_size: Optional[int] = 64
  channels: Channels = Channels.AUTO
  ignored_keys: Optional[str] = None
  vector_keys: Optional[str] = None
  one_hot_keys: Optional[str] = None
  one_hot_classes: Optional[int] = None
  kwargs: Mapping[str, Any] = dataclasses.field(
      default_factory=dict, hash=False
  )

  def __post_init__(self) -> None:
    schema.require_positive(self, 'gymnasium', 'action_repeat')
    for name in ('image_size', 'one_hot_classes'):
      if getattr(self, name) is not None:
        schema.require_positive(self, 'gymnasium', name)
    schema.require_patterns(
        self, 'gymnasium', 'ignored_keys', 'vector_keys', 'one_hot_keys'
    )


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
    name: The id; keywords may follow it.
    seed: The seed of its randomness, from 0 to 2^32 - 1.
    options: How it is made, and how its steps are taken.

  Raises:
    UnknownTaskError: Nothing is registered under this id.
    MissingSuiteError: The environment needs another package.
    FaultyEnvironmentError: Its constructor raised an error.
    UnsupportedSpecError: R2I cannot take its observations or actions.
    schema.ConfigError: It has not these keywords, or an option does not fit its
      observations.
  """
  import gymnasium

  identifier, keywords = suite.parse_keywords('gymnasium', name)
  keywords = {**options.kwargs, **keywords}
  try:
    environment = gymnasium.make(
        identifier, **{'disable_env_checker': True, **keywords}
    )
  except gymnasium.error.UnregisteredEnv:
    errors.check_task('gymnasium', identifier, list(gymnasium.registry))
    raise
  except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
    raise errors.MissingSuiteError(
        f'gymnasium/{identifier} cannot be made from what is installed:'
        f' {_first_line(error)}.'
    ) from error
  except Exception as error:
    fault = f'{type(error).__name__}: {_first_line(error)}'
    if not keywords:
      raise errors.FaultyEnvironmentError(
          f'gymnasium/{identifier} cannot be made: its constructor raised'
          f' {fault}'
      ) from error
    raise schema.ConfigError(
        f'gymnasium/{identifier} cannot be made with {keywords} ({fault}):'
        ' change gymnasium.kwargs, or what follows the ? in the task.'
    ) from error
  with wrappers.closed_on_error(environment):
    return adapted(environment, seed, options)


def make_drawn(
    name: str, seed: int, options: GymnasiumOptions
) -> dm_env.Environment:
  """Makes an environment that can be looked at; as `make`, and raises as it.

  In a process of its own: it sets what pygame and MuJoCo read from the
  environment variables.

  Args:
    name: As for `make`, and so are the others.
    seed: As there.
    options: As there.
  """
  for variable in _PYGAME:
    os.environ.setdefault(variable, 'dummy')
  rendering.choose_backend()
  identifier, keywords = suite.parse_keywords('gymnasium', name)
  kwargs = {**options.kwargs, **keywords, 'render_mode': 'rgb_array'}
  drawn = dataclasses.replace(options, kwargs=kwargs)
  return make(identifier, seed, drawn)


def with_module(name: str) -> Optional[str]:
  """Returns an id with a module before it, None if none is registered here.

  Args:
    name: As `make` takes it.
  """
  gymnasium = sys.modules.get('gymnasium')
  identifier, _ = suite.parse_keywords('gymnasium', name)
  spec = gymnasium and gymnasium.registry.get(identifier)
  if not spec:
    return None
  entry = spec.entry_point
  if isinstance(entry, str):
    module = entry.partition(':')[0]
  else:
    module = getattr(entry, '__module__', '')
  # Who registers it is often, but need not be, where it is defined.
  return f'{module if module != "__main__" else "<module>"}:{name}'


def adapted(
    environment: Any, seed: int, options: GymnasiumOptions
) -> dm_env.Environment:
  """Returns a Gymnasium environment as `dm_env` has it.

  Args:
    environment: A `gymnasium.Env`, which is taken over.
    seed: The seed of its randomness, from 0 to 2^32 - 1.
    options: How its steps are taken.

  Raises:
    UnsupportedSpecError: R2I cannot take its observations or actions.
    schema.ConfigError: An option does not fit its observations.
  """
  from r2i_tf.environments import gymnasium_adapter

  return wrappers.ActionRepeat(
      gymnasium_adapter.GymnasiumEnvironment(environment, seed, options),
      options.action_repeat,
  )


def _first_line(error: Exception) -> str:
  """Returns what an error says first, of its call no more than that."""
  text = re.split(r'\.?\s*\n| was raised from ', str(error))[0]
  return text.rstrip('.')


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
    make_drawn=make_drawn,
)
