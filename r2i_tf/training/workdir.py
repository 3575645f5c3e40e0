"""The one directory that a run lives in.

config.json          the configuration and the versions it ran with
checkpoints/         what a run goes on from
metrics.jsonl        its record
tensorboard/         the same for TensorBoard
policies/            SavedModels: greedy and collect
plots/               pictures
"""

from importlib import metadata
import json
import os
import pathlib
import platform
from typing import Dict

from r2i_tf import errors
from r2i_tf import files
from r2i_tf import run_config
from r2i_tf import schema

# Fields, and groups of them, that a run may be started again with other values
# of. Every other one would make the second part another experiment than the
# first.
CHANGEABLE = frozenset(
    {
        'environment_processes',
        'pool',
        'steps',
        'max_minutes',
        'stop_at_return',
        'log_seconds',
        'checkpoint_seconds',
        'evaluation_episodes',
    }
)
_PACKAGES = ('tensorflow', 'tensorflow-cpu', 'tf-agents', 'numpy', 'dm-env')
_NAMED_DIFFERENCES = 4


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
    self.metrics = self.path / 'metrics.jsonl'
    self.tensorboard = self.path / 'tensorboard'
    self.policies = self.path / 'policies'
    self.plots = self.path / 'plots'

  def check(self, config: run_config.RunConfig) -> None:
    """Refuses what cannot work, before anything is written or built.

    Args:
      config: What the run is to be started with.

    Raises:
      errors.RunError: The directory cannot be written, or holds a run with
        another configuration.
    """
    self.check_writable()
    if self.config.exists():
      self._check_same(config)
    elif self.checkpoints.exists():
      raise errors.RunError(
          f'{self.path} has checkpoints but no config.json to tell what run'
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
      config: What the run is started with; it has passed `check`.

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
      old = json.loads(self.config.read_text(encoding='utf-8'))['config']
    except (OSError, ValueError, KeyError, TypeError) as error:
      raise errors.RunError(
          f'{self.config} cannot be read ({error}); use another --workdir.'
      ) from error
    changed = [
        f'{name} is {before!r} there and {now!r} here'
        for name, before, now in schema.differences(
            old, schema.to_mapping(config)
        )
        if name.partition('.')[0] not in CHANGEABLE
    ]
    if changed:
      more = len(changed) - _NAMED_DIFFERENCES
      named = ', '.join(changed[:_NAMED_DIFFERENCES])
      named += f' (and {more} more)' if more > 0 else ''
      raise errors.RunError(
          f'--workdir {self.path} holds a run with another configuration:'
          f' {named}; use the old values or another --workdir.'
      )


def _versions() -> Dict[str, str]:
  versions = {'python': platform.python_version()}
  for package in _PACKAGES:
    try:
      versions[package] = metadata.version(package)
    except metadata.PackageNotFoundError:
      continue
  return versions
