"""The one directory that a run lives in.

config.json          the configuration and the versions it ran with
checkpoints/         from which a run goes on
replay/              the steps of a replay on disk, which checkpoints lack
metrics.jsonl        its record
tensorboard/         the same for TensorBoard
policies/            SavedModels: greedy and collect
plots/               pictures
look/                what has been seen of the agent, as pictures and numbers
report/              the page of the run, made of the rest
outcome.json         what has come out, once it has ended
.lock                the process that the run is in, while it is
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
from importlib import metadata
import json
import os
import pathlib
import platform
from typing import Any, Optional

from r2i_tf import errors
from r2i_tf import files
from r2i_tf import locks
from r2i_tf import run_config
from r2i_tf import schema

# The fields, and groups of fields, that may have other values when a run is
# started again: they only end or display it. A change of any other field would
# make the second part another experiment than the first.
CHANGEABLE = frozenset(
    {
        'environment_processes',
        'collect_while_training',
        'pool',
        'roles',
        'steps',
        'train_steps_per_call',
        'max_minutes',
        'stop_at_return',
        'log_seconds',
        'report_seconds',
        'checkpoint_seconds',
        'deterministic_export',
        'evaluation_episodes',
        'evaluation_steps',
        'evaluation_pictures',
    }
)
_THIS_PACKAGE = 'r2i_tf'
_PACKAGES = (
    _THIS_PACKAGE,
    'tensorflow',
    'tensorflow-cpu',
    'tf-agents',
    'numpy',
    'dm-env',
)
# What a run did before there was a field, where that is not its default.
_BEFORE = {'replay': {'held_out': False}}
_NAMED = 4  # As many fields as a sentence can hold.


class Workdir:
  """The paths of a run, and whether it may be written there."""

  def __init__(self, path: str):
    """Touches no file.

    Args:
      path: The directory; it need not exist yet.

    Raises:
      errors.RunError: It is none.
    """
    self.path = _expanded(path)
    self.config = self.path / 'config.json'
    self.checkpoints = self.path / 'checkpoints'
    self.replay = self.path / 'replay'
    self.metrics = self.path / 'metrics.jsonl'
    self.tensorboard = self.path / 'tensorboard'
    self.policies = self.path / 'policies'
    self.plots = self.path / 'plots'
    self.look = self.path / 'look'
    self._lock = locks.Lock(
        self.path / '.lock',
        f'--workdir {self.path} is that of a run in',
        'stop that one first, or use another --workdir',
    )
    # Which file `create` has written.
    self._config_file: Optional[tuple[int, int]] = None

  def of_host(self, index: int) -> 'Workdir':
    """Returns the paths of one of several hosts; the first has these.

    Args:
      index: Its number.
    """
    return Workdir(str(self.path / 'hosts' / str(index))) if index else self

  @contextlib.contextmanager
  def held(self, config: run_config.RunConfig) -> Iterator[None]:
    """Returns a context in which no other run is in the directory.

    Where nothing is written to it, the directory is left as it was.

    Args:
      config: The configuration that the run is to be started with.

    Raises:
      errors.RunError: There is another run in it, or as for `check`.
    """
    self.check_writable()
    with self._lock:
      self.check(config)
      yield

  def keep(
      self, config: run_config.RunConfig, note: Callable[[str], None]
  ) -> None:
    """Makes the directory anew, if it was deleted while the run goes on.

    Args:
      config: The run's.
      note: Shows a line, which says so.

    Raises:
      locks.LockedError: Another run has taken its place.
      errors.RunError: It cannot be made.
    """
    if not self._lock.is_lost():
      return
    self._lock.renew()
    if not self.config.exists():
      self.create(config)
      note(
          f'{self.path} was deleted while the run went on; it is made again,'
          ' without the records and checkpoints until now'
      )
    elif _identity(self.config) != self._config_file:
      raise locks.LockedError(
          f'--workdir {self.path} was deleted while the run went on, and holds'
          ' another run now; this one ends, and writes nothing there.'
      )

  def check(self, config: run_config.RunConfig) -> None:
    """Refuses a directory that the run cannot use, before anything is built.

    Args:
      config: The configuration that the run is to be started with.

    Raises:
      errors.RunError: The directory cannot be written, or holds a run of
        another configuration, or of a version of this package that has fields
        that this one lacks.
    """
    self.check_writable()
    if self.config.exists():
      self._check_same(config)
    elif self.checkpoints.exists():
      raise errors.RunError(
          f'{self.path} has checkpoints but no config.json to tell which run'
          ' they belong to; use another --workdir.'
      )

  def check_writable(self) -> None:
    """Refuses a directory that cannot be made or written.

    Raises:
      errors.RunError: It is such a one.
    """
    existing = self.path.absolute()
    if any(character in str(existing) for character in '[\\'):
      raise errors.RunError(
          f'--workdir {self.path} cannot be used: TensorFlow takes [ and \\ in'
          ' it for a pattern and would not find its checkpoints; use a path'
          ' without them.'
      )
    try:
      while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    except OSError as error:
      raise errors.RunError(
          f'--workdir {self.path} cannot be made: {error.strerror}.'
      ) from error
    if not existing.is_dir():
      raise errors.RunError(
          f'--workdir {self.path} cannot be made: {existing} is a file.'
      )
    if not os.access(existing, os.W_OK | os.X_OK):
      raise errors.RunError(
          f'--workdir {self.path} cannot be written: no permission in'
          f' {existing}.'
      )

  def create(self, config: run_config.RunConfig) -> None:
    """Makes the directory and writes `config.json`.

    Args:
      config: The configuration of the run; it has passed `check`.

    Raises:
      errors.RunError: The directory cannot be written.
    """
    record = {'config': schema.to_mapping(config), 'versions': _versions()}
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      files.write_json(self.config, record)
      self._config_file = _identity(self.config)
    except OSError as error:
      raise errors.RunError(
          f'--workdir {self.path} cannot be written: {error.strerror}.'
      ) from error

  def read_config(self) -> run_config.RunConfig:
    """Returns the configuration of the run that is in the directory.

    Fields that it lacks have their defaults.

    Raises:
      errors.RunError: There is no run, or one of another version.
    """
    if not self.config.exists():
      raise errors.RunError(
          f'there is no run in {self.path}: it has no config.json; give the'
          ' --workdir of one that has begun.'
      )
    old = self._recorded()
    known = schema.to_mapping(run_config.RunConfig())
    for name in list(_unknown(old, known)):
      _drop(old, name)  # They only end or display a run.
    try:
      return schema.from_mapping(run_config.RunConfig, old)
    except schema.ConfigError as error:
      raise errors.RunError(
          f'{self.config} is not as this version of r2i_tf writes it: {error}'
      ) from error

  def _recorded(self) -> dict[str, Any]:
    """Returns the configuration as `create` wrote it.

    Raises:
      errors.RunError: It cannot be read, or has fields that matter and that
        this version does not have.
    """
    try:
      record = json.loads(self.config.read_text(encoding='utf-8'))
      old = dict(record['config'])
      version = record.get('versions', {}).get(_THIS_PACKAGE)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
      raise errors.RunError(
          f'{self.config} is no record of a run'
          f' ({type(error).__name__}: {error}); use another --workdir.'
      ) from error
    defaults = schema.to_mapping(run_config.RunConfig())
    unknown = list(filter(_matters, _unknown(old, defaults)))
    if unknown:
      raise errors.RunError(
          f'--workdir {self.path} holds a run of another version of r2i_tf'
          f'{f" ({version})" if version else ""}, with the configuration fields'
          f' {_few(unknown)}, which this version does not have: go on with that'
          ' version or use another --workdir.'
      )
    return with_defaults(
        old,
        {group: values for group, values in _BEFORE.items() if group in old},
    )

  def _check_same(self, config: run_config.RunConfig) -> None:
    old = self._recorded()
    defaults = schema.to_mapping(run_config.RunConfig())
    changed = [
        f'{name} is {before!r} there and {now!r} here'
        for name, before, now in schema.differences(
            with_defaults(old, defaults), schema.to_mapping(config)
        )
        if _matters(name)
    ]
    if changed:
      raise errors.RunError(
          f'--workdir {self.path} holds a run with another configuration:'
          f' {_few(changed)}; use the old values or another --workdir.'
      )


def with_defaults(
    old: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
  """Returns a configuration with the fields that came after it.

  Each has its default: that is what runs did before there was the field, but
  for those that `Workdir` knows to have done otherwise.

  Args:
    old: The configuration.
    defaults: Every field with its default.
  """
  completed = {**defaults, **old}
  for key, value in defaults.items():
    if isinstance(value, dict) and isinstance(completed[key], dict):
      completed[key] = with_defaults(completed[key], value)
  return completed


def _expanded(path: str) -> pathlib.Path:
  """Returns a path, with the home directory for '~'."""
  if not path:
    raise errors.RunError('--workdir is empty; name a directory for the run.')
  try:
    return pathlib.Path(path).expanduser()
  except RuntimeError as error:
    raise errors.RunError(
        f'--workdir is {path}, but there is no such home directory; name'
        ' another one.'
    ) from error


def _matters(name: str) -> bool:
  """Returns whether a dotted field may not change in a run that goes on."""
  return name.partition('.')[0] not in CHANGEABLE


def _unknown(
    old: Mapping[str, Any], known: Mapping[str, Any], path: str = ''
) -> Iterator[str]:
  """Yields the dotted names of the fields of a mapping that another lacks."""
  for key, value in sorted(old.items()):
    name = f'{path}.{key}' if path else key
    if key not in known:
      yield name
    # What is empty by default is a mapping of its user's own keys.
    elif (
        isinstance(value, dict) and isinstance(known[key], dict) and known[key]
    ):
      yield from _unknown(value, known[key], name)


def _drop(config: dict[str, Any], name: str) -> None:
  """Removes the field of a dotted name."""
  *groups, field = name.split('.')
  for group in groups:
    config = config[group]
  del config[field]


def _identity(path: pathlib.Path) -> tuple[int, int]:
  """Returns what tells a file from one that takes its place."""
  found = path.stat()
  return found.st_ino, found.st_mtime_ns


def _few(clauses: list[str]) -> str:
  """Returns the first clauses in a row, and how many there are more."""
  more = len(clauses) - _NAMED
  return ', '.join(clauses[:_NAMED]) + (
      f' (and {more} more)' if more > 0 else ''
  )


def _versions() -> dict[str, str]:
  versions = {'python': platform.python_version()}
  for package in _PACKAGES:
    try:
      versions[package] = metadata.version(package)
    except metadata.PackageNotFoundError:
      continue  # Run from a checkout, or TensorFlow under its other name.
  return versions
