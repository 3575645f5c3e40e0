"""The one directory that a run lives in.

config.json          the configuration and the versions it ran with
checkpoints/         from which a run goes on
replay/              the steps of a replay on disk, which checkpoints lack
metrics.jsonl        its record
tensorboard/         the same for TensorBoard
policies/            SavedModels: greedy and collect
plots/               pictures
"""

from collections.abc import Iterator
from collections.abc import Mapping
from importlib import metadata
import json
import os
import pathlib
import platform
from typing import Any

from r2i_tf import errors
from r2i_tf import files
from r2i_tf import run_config
from r2i_tf import schema

# The fields, and groups of fields, that may have other values when a run is
# started again: they only end or display it. A change of any other field would
# make the second part another experiment than the first.
CHANGEABLE = frozenset(
    {
        'environment_processes',
        'pool',
        'roles',
        'steps',
        'train_steps_per_call',
        'max_minutes',
        'stop_at_return',
        'log_seconds',
        'checkpoint_seconds',
        'deterministic_export',
        'evaluation_episodes',
        'evaluation_steps',
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
_NAMED = 4  # As many fields as a sentence can hold.


class Workdir:
  """The paths of a run, and the check that it may be written there."""

  def __init__(self, path: str):
    """Touches no file.

    Args:
      path: The directory; it need not exist yet.
    """
    self.path = pathlib.Path(path).expanduser()
    self.config = self.path / 'config.json'
    self.checkpoints = self.path / 'checkpoints'
    self.replay = self.path / 'replay'
    self.metrics = self.path / 'metrics.jsonl'
    self.tensorboard = self.path / 'tensorboard'
    self.policies = self.path / 'policies'
    self.plots = self.path / 'plots'

  def of_host(self, index: int) -> 'Workdir':
    """Returns the paths of one of several hosts; the first has these.

    Args:
      index: Its number.
    """
    return Workdir(str(self.path / 'hosts' / str(index))) if index else self

  def check(self, config: run_config.RunConfig) -> None:
    """Refuses a directory that the run cannot use, before anything is built.

    Args:
      config: The configuration that the run is to be started with.

    Raises:
      errors.RunError: The directory cannot be written, or holds a run of
        another configuration or of another version of this package.
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
    while not existing.exists() and existing != existing.parent:
      existing = existing.parent
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
    except OSError as error:
      raise errors.RunError(
          f'--workdir {self.path} cannot be written: {error.strerror}.'
      ) from error

  def _check_same(self, config: run_config.RunConfig) -> None:
    try:
      record = json.loads(self.config.read_text(encoding='utf-8'))
      old = record['config']
      version = record.get('versions', {}).get(_THIS_PACKAGE)
    except (OSError, ValueError, KeyError, TypeError) as error:
      raise errors.RunError(
          f'{self.config} cannot be read ({error}); use another --workdir.'
      ) from error
    new = schema.to_mapping(config)
    unmatched = list(filter(_matters, _unmatched(old, new)))
    if unmatched:
      raise errors.RunError(
          f'--workdir {self.path} holds a run of another version of r2i_tf'
          f'{f" ({version})" if version else ""}: only one of the two versions'
          f' has the configuration fields {_few(unmatched)}; go on with that'
          ' version or use another --workdir.'
      )
    changed = [
        f'{name} is {before!r} there and {now!r} here'
        for name, before, now in schema.differences(old, new)
        if _matters(name)
    ]
    if changed:
      raise errors.RunError(
          f'--workdir {self.path} holds a run with another configuration:'
          f' {_few(changed)}; use the old values or another --workdir.'
      )


def _matters(name: str) -> bool:
  """Returns whether a dotted field may not change in a run that goes on."""
  return name.partition('.')[0] not in CHANGEABLE


def _unmatched(
    old: Mapping[str, Any], new: Mapping[str, Any], path: str = ''
) -> Iterator[str]:
  """Yields the dotted names of the fields that only one of two mappings has."""
  for key in sorted(old.keys() | new.keys()):
    name = f'{path}.{key}' if path else key
    if key not in old or key not in new:
      yield name
    elif isinstance(old[key], dict) and isinstance(new[key], dict):
      yield from _unmatched(old[key], new[key], name)


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
