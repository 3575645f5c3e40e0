"""What a sweep file says: the settings, each checked before anything starts.

A sweep file is a .py file with a function `get_sweep()` that returns a list of
`Setting`, as a file of `configs` has a `get_config()`. Like that, it may take
what follows a colon: `--sweep=my_sweep.py:small`.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os
import re
import runpy
from typing import Any, Optional

from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf.environments.suites import registry
from r2i_tf.record import records

_NAME = re.compile(r'[\w.+=-]+')
# Fields that a sweep gives by other means than `changes`.
_OF_THE_SWEEP = ('task', 'seed')


@dataclasses.dataclass(frozen=True)
class Setting:
  """A configuration on a task, to be run with several seeds.

  Attributes:
    name: Of the configuration, such as 'gru'; the same on every task that it is
      compared on.
    task: The task.
    config: A recipe, such as 'bsuite:debug', or a .py file, as --config takes
      it; not with a `command`.
    changes: Dotted names of fields of the configuration, to values.
    seeds: A run for each.
    command: A program of one's own in place of r2i-train, such as ['python',
      '-m', 'experiments.ppo']. It gets --workdir, --task, --seed and, for each
      of `changes`, --<name>=<value>. docs/sweeps.md says what it has to do.
    threshold: The mean return that the report looks for; None takes the run's
      stop_at_return.
    window: Episodes that the report takes a mean return over.
  """

  name: str
  task: str
  config: str = ''
  changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  seeds: Sequence[int] = (0,)
  command: Sequence[str] = ()
  threshold: Optional[float] = None
  window: int = records.WINDOW

  def __post_init__(self) -> None:
    schema.require(
        isinstance(self.name, str) and bool(_NAME.fullmatch(self.name)),
        f'a setting has the name {self.name!r}, but it names a directory: use'
        ' letters, digits and any of . _ - + = in it.',
    )
    where = f'the setting {self.name!r} on {self.task!r}'
    schema.require(
        bool(self.config) != bool(self.command),
        f'{where} has config={self.config!r} and command={self.command!r}, but'
        ' it needs one of the two.',
    )
    schema.require(
        not isinstance(self.command, str),
        f'{where} has the command {self.command!r}, a text, but it takes a list'
        ' of the program and its arguments.',
    )
    seeds = list(self.seeds)
    schema.require(
        bool(seeds)
        and len(set(seeds)) == len(seeds)
        and all(type(s) is int and 0 <= s < 2**31 for s in seeds),
        f'{where} has the seeds {seeds}, but it takes at least one, each a'
        ' whole number in [0, 2**31), and none twice.',
    )
    for name in _OF_THE_SWEEP:
      schema.require(
          name not in self.changes,
          f'{where} changes {name!r}, which is a field of the setting itself.',
      )
    schema.require(
        self.window >= 1,
        f'{where} has the window {self.window}, but it must be at least 1.',
    )

  @property
  def directory(self) -> str:
    """The part of a sweep's directory that its runs are in."""
    return f'{re.sub(r"[^A-Za-z0-9._=-]+", "-", self.task)}/{self.name}'

  def run_config(self) -> Optional[run_config.RunConfig]:
    """Returns the configuration of its runs, all but the seed.

    Returns:
      The configuration; None with a command of its own.

    Raises:
      errors.UserError: Something in it cannot be used.
    """
    if self.command:
      return None
    try:
      config = schema.from_mapping(
          run_config.RunConfig, _recipe_or_file(self.config)
      )
      return schema.replace(config, {**self.changes, 'task': self.task})
    except errors.UserError as error:
      raise schema.ConfigError(
          f'in the setting {self.name!r} on {self.task!r}: {error}'
      ) from error

  def arguments(self, seed: int) -> list[str]:
    """Returns the command line of a run, all but the program and --workdir.

    Args:
      seed: Of the run.
    """
    given = [f'--task={self.task}']
    prefix = '--'
    if not self.command:
      given.insert(0, f'--config={self.config}')
      prefix = '--config.'
    return [
        *given,
        f'{prefix}seed={seed}',
        *(f'{prefix}{k}={schema.as_text(v)}' for k, v in self.changes.items()),
    ]


def load(path: str) -> list[Setting]:
  """Reads a sweep file.

  Args:
    path: The .py file, perhaps with a variant behind a colon.

  Returns:
    The settings, in the order of the file.

  Raises:
    errors.UserError: There is no such file, or something in it cannot be used.
  """
  found = _call(path, 'get_sweep', '--sweep')
  path = path.partition(':')[0]
  if not isinstance(found, Iterable):
    found = [found]
  settings = list(found)
  for setting in settings:
    if not isinstance(setting, Setting):
      raise errors.RunError(
          f'get_sweep() of {path} returns {setting!r} among its settings, but'
          ' each must be a r2i_tf.sweeps.Setting.'
      )
  if not settings:
    raise errors.RunError(
        f'get_sweep() of {path} returns no setting, but it must return at least'
        ' one.'
    )
  directories: dict[str, Setting] = {}
  for setting in settings:
    other = directories.get(setting.directory)
    if other is not None:
      raise errors.RunError(
          f'{path} has two settings that would share the directory'
          f' {setting.directory}: {other.name!r} on {other.task!r} and'
          f' {setting.name!r} on {setting.task!r}; give one another name.'
      )
    directories[setting.directory] = setting
    registry.check_name(setting.task)
    setting.run_config()
  return settings


def _recipe_or_file(config: str) -> Mapping[str, Any]:
  """Returns what --config would be for this value of it."""
  name, _, variant = config.partition(':')
  if name.endswith('.py'):
    return _call(config, 'get_config', 'config')
  return run_config.recipe(name, variant)


def _call(named: str, function: str, subject: str) -> Any:
  """Returns what a function of a .py file returns.

  Args:
    named: The file, perhaps with a variant, the function's argument.
    function: The function's name.
    subject: What names the file, for errors.
  """
  path, _, variant = named.partition(':')
  if not path.endswith('.py') or not os.path.isfile(path):
    raise errors.RunError(
        f'{subject} is {named}, but it must be a .py file with a function'
        f' {function}().'
    )
  try:
    found = runpy.run_path(path)
    if function not in found:
      raise errors.RunError(
          f'{path} has no function {function}(), which {subject} needs.'
      )
    return found[function](*filter(None, [variant]))
  except errors.UserError:
    raise
  except Exception as error:  # The file is code, which may raise anything.
    raise errors.RunError(
        f'{path} cannot be used: {type(error).__name__}:'
        f' {errors.first_line(error)}'
    ) from error
