"""The definition of a suite of environments; each file of `suites` has one.

A file of `suites` has to be importable without the packages that its tasks
need, since the options of all suites are part of a run's configuration: it
imports them inside its functions. Nor may it import TensorFlow, which the
processes of a pool do without.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import importlib.util
from typing import Any, ClassVar, Optional, Protocol
import urllib.parse

import dm_env

from r2i_tf import schema
from r2i_tf import stack
from r2i_tf.environments import errors


class Options(Protocol):
  """The options of a suite: a frozen dataclass; every field has a default."""

  __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Suite:
  """A suite and its requirements.

  Attributes:
    name: The first part of the names of its tasks.
    tasks: Returns the suite's own names of its tasks, all of them. Raises
      `MissingSuiteError` where none of them can be made.
    make: Makes the `dm_env` environment of a task. Gets the suite's own name of
      the task, a seed from 0 to 2^32 - 1, and the suite's options, if
      `SuiteOptions` has a field for them. Raises `UnknownTaskError`,
      `MissingSuiteError` and `schema.ConfigError`.
    packages: The packages that `tasks` and `make` import, by the names they are
      imported by.
    extra: The extra of r2i_tf that installs them.
    pythons: The first and the last Python 3 that they have releases for.
    alone: The one that cannot always be installed with its requirements; see
      `stack.remedy`.
    renders: Whether MuJoCo renders the observations (`rendering.py`); gets what
      `make` gets after the seed.
    make_drawn: As `make`, with a method `render`: an image of the environment
      as it is, uint8 [height, width, 3]. Nothing else is different, so that the
      same actions give the same episodes. None where there is no such image.
    component_names: Names for the numbers of an observation, for people; gets
      the suite's own name of the task and how many there are. None where there
      are none.
  """

  name: str
  tasks: Callable[[], list[str]]
  make: Callable[..., dm_env.Environment]
  packages: tuple[str, ...]
  extra: str
  pythons: tuple[int, int] = (10, 13)
  alone: str = ''
  renders: Callable[..., bool] = lambda *_: False
  make_drawn: Optional[Callable[..., dm_env.Environment]] = None
  component_names: Callable[[str, int], Optional[Sequence[str]]] = (
      lambda *_: None
  )

  def require_packages(self) -> None:
    """Checks that the packages are installed.

    Raises:
      MissingSuiteError: One is not; the sentence says how to install it.
    """
    if all(map(importlib.util.find_spec, self.packages)):
      return
    remedy = stack.remedy(self.extra, *self.pythons, self.alone)
    raise errors.MissingSuiteError(
        f'the tasks of {self.name} need packages that are not installed:'
        f' {remedy}.'
    )


def parse_keywords(suite: str, name: str) -> tuple[str, dict[str, Any]]:
  """Returns the id in a task's name, and the keywords that follow it.

  Args:
    suite: The suite's name, for errors.
    name: The suite's own name of the task, such as
      'FrozenLake-v1?is_slippery=False&map_name=8x8'.

  Raises:
    schema.ConfigError: What follows the ? is no keywords.
  """
  identifier, _, query = name.partition('?')
  keywords = {}
  for pair in filter(None, query.split('&')):
    key, given, value = pair.partition('=')
    schema.require(
        bool(given) and key.isidentifier(),
        f'the task {suite}/{name} has {pair!r} among its keywords, but each'
        ' must be <keyword>=<value>, as in FrozenLake-v1?is_slippery=False.',
    )
    keywords[key] = schema.literal(urllib.parse.unquote(value))
  return identifier, keywords
