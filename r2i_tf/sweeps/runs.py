"""A run of a sweep: its command, its files, and what they say of it.

`sweep.json` in the directory of the sweep has the settings and, for each run
that has finished, its command line: one whose command line has changed since is
not the run that is asked for.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import json
import pathlib
from typing import Any, Optional

from r2i_tf import errors
from r2i_tf import files
from r2i_tf import schema
from r2i_tf.record import outcome
from r2i_tf.record import records
from r2i_tf.sweeps import settings as settings_lib

FILE = 'sweep.json'


@dataclasses.dataclass(frozen=True)
class Progress:
  """How far a run has come, by its record.

  Attributes:
    steps: Environment steps.
    mean_return: Of the last 200 episodes; None before the first.
    minutes: Wall time over all starts.
  """

  steps: int = 0
  mean_return: Optional[float] = None
  minutes: float = 0.0


@dataclasses.dataclass(frozen=True)
class Run:
  """One seed of one setting.

  Attributes:
    setting: The setting.
    seed: The seed.
    workdir: Its directory.
  """

  setting: settings_lib.Setting
  seed: int
  workdir: pathlib.Path

  @property
  def key(self) -> str:
    """Its directory within the sweep's."""
    return f'{self.setting.directory}/{self.seed}'

  @property
  def log(self) -> pathlib.Path:
    """What its process prints, over all starts."""
    return self.workdir / 'log.txt'

  @property
  def arguments(self) -> list[str]:
    """Its command line, all but the program of r2i-train and --workdir."""
    return [*self.setting.command, *self.setting.arguments(self.seed)]

  def command(self, train: Sequence[str], python: str) -> list[str]:
    """Returns its whole command line.

    Args:
      train: The program r2i-train.
      python: What stands for 'python' in a command of its own.
    """
    program = list(self.setting.command) or list(train)
    if program[0] == 'python':
      program[0] = python
    return [
        *program,
        f'--workdir={self.workdir}',
        *self.setting.arguments(self.seed),
    ]

  def progress(self) -> Progress:
    """Returns how far it has come."""
    last = records.read_last(self.workdir / records.FILE)
    if last is None:
      return Progress()
    return Progress(
        last[records.STEP],
        last.get(f'mean_return_{records.WINDOW}'),
        last.get('minutes', 0.0),
    )

  def last_line(self) -> str:
    """Returns the last line of its log, for a run that has failed."""
    try:
      lines = self.log.read_text(encoding='utf-8', errors='replace').split('\n')
    except OSError:
      return ''
    return next((line for line in reversed(lines) if line.strip()), '')


class Book:
  """The file `sweep.json`: settings, and the command lines of finished runs."""

  def __init__(self, directory: pathlib.Path):
    """Reads the file, if it is there.

    Args:
      directory: Of the sweep.

    Raises:
      errors.RunError: The file is none of a sweep.
    """
    self._path = directory / FILE
    self._settings: dict[str, settings_lib.Setting] = {}
    self._commands: dict[str, list[str]] = {}
    if not self._path.exists():
      return
    try:
      found = json.loads(self._path.read_text(encoding='utf-8'))
      self._settings = {
          name: settings_lib.Setting(**setting)
          for name, setting in found['settings'].items()
      }
      self._commands = dict(found['commands'])
    except (
        AttributeError,
        KeyError,
        OSError,
        TypeError,
        ValueError,
    ) as error:
      raise errors.RunError(
          f'{self._path} is no record of a sweep ({type(error).__name__}:'
          f' {error}); use another --workdir.'
      ) from error

  def settings(self) -> list[settings_lib.Setting]:
    """Returns the settings, in the order of the sweep file."""
    return list(self._settings.values())

  def write(self, settings: Sequence[settings_lib.Setting]) -> None:
    """Puts settings first, before those of earlier sweeps in the directory.

    Args:
      settings: Those of the sweep file.
    """
    new = {setting.directory: setting for setting in settings}
    self._settings = {
        **new,
        **{
            name: setting
            for name, setting in self._settings.items()
            if name not in new
        },
    }
    self._save()

  def note(self, run: Run) -> None:
    """Keeps the command line of a run that has finished."""
    self._commands[run.key] = run.arguments
    self._save()

  def is_finished(self, run: Run) -> bool:
    """Returns whether a run is over, and is the one that is asked for."""
    # The order in which a file changes fields says nothing.
    asked = sorted(self._commands.get(run.key, [])) == sorted(run.arguments)
    return asked and outcome.read(run.workdir) is not None

  def _save(self) -> None:
    self._path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(
        self._path,
        {
            'settings': {
                name: _plain(setting)
                for name, setting in self._settings.items()
            },
            'commands': self._commands,
        },
    )


def _plain(setting: settings_lib.Setting) -> Mapping[str, Any]:
  """Returns the fields of a setting as JSON has them."""
  fields = schema.to_mapping(setting)
  return {**fields, 'seeds': list(setting.seeds)}  # They may be a range.


def expand(
    settings: Sequence[settings_lib.Setting], directory: pathlib.Path
) -> list[Run]:
  """Returns the runs of settings, in the order in which they are started.

  The first seed of every setting comes before the second of any: a sweep that
  is not finished so has something of each.

  Args:
    settings: The settings.
    directory: Of the sweep.
  """
  most = max(len(setting.seeds) for setting in settings)
  return [
      Run(
          setting,
          setting.seeds[index],
          directory / setting.directory / str(setting.seeds[index]),
      )
      for index in range(most)
      for setting in settings
      if index < len(setting.seeds)
  ]
