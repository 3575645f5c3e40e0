"""The flag --config: a recipe or a file, and --config.<field> on top of it.

  recipe or file -> ConfigDict, on which flags act -> RunConfig

Everything that can be wrong here is known before TensorFlow is loaded.
"""

from collections.abc import Sequence
import dataclasses
import os
import re
from typing import Any, Optional

from absl import flags
import ml_collections
from ml_collections import config_flags

from r2i_tf import errors
from r2i_tf import presets
from r2i_tf import run_config as run_config_lib
from r2i_tf import schema

NAME = 'config'
_GIVEN = re.compile(rf'^--?{NAME}(=|$)')
_OVERRIDE = re.compile(rf'^--?(?:no)?{NAME}\.([^=]+)')
_MISSING = (
    '--config is missing; name a recipe, such as --config=quickstart, or a file'
    ' of your own, such as --config=my_run.py; recipes are'
    f' {", ".join(presets.RUNS)}.'
)


def define(
    flag_values: flags.FlagValues = flags.FLAGS,
    argv: Optional[list[str]] = None,
    required: bool = True,
) -> flags.FlagHolder:
  """Defines `--config` and `--config.<field>`.

  Args:
    flag_values: Where to define it.
    argv: The command line; by default that of the process.
    required: Whether a command line without it is refused.

  Returns:
    What holds the `ConfigDict`; None without `--config`.
  """
  holder = config_flags.DEFINE_config_file(
      NAME,
      None,
      'The run: a recipe, such as bsuite or bsuite:debug, or a .py file;'
      ' --config.<field>=<value> changes a field.',
      flag_values,
      sys_argv=argv,
  )
  flag = flag_values[NAME]
  flag.parser = _Parser(flag.parser)
  if required:
    flags.register_validator(
        NAME, lambda value: value is not None, _MISSING, flag_values
    )
  return holder


def check(argv: Sequence[str]) -> None:
  """Refuses overrides that ml_collections would answer with a traceback.

  Args:
    argv: The command line.

  Raises:
    errors.RunError: There are overrides, but no `--config`.
    schema.ConfigError: A field is unknown.
  """
  matches = [_OVERRIDE.match(argument) for argument in argv]
  names = [match.group(1) for match in matches if match]
  if names and not any(_GIVEN.match(argument) for argument in argv):
    raise errors.RunError(_MISSING)
  for name in names:
    schema.check_name(run_config_lib.RunConfig, name)


def run_config(
    config: ml_collections.ConfigDict, task: Optional[str] = None
) -> run_config_lib.RunConfig:
  """Returns the `RunConfig` of what `--config` and `--task` say.

  Args:
    config: The value of `--config`.
    task: The value of `--task`, which comes before the config's.

  Raises:
    schema.ConfigError: A field is unknown, or its value cannot be used.
  """
  run = schema.from_mapping(run_config_lib.RunConfig, config)
  return run if task is None else dataclasses.replace(run, task=task)


class _Parser(flags.ArgumentParser):
  """Takes the name of a recipe where ml_collections would take a file only."""

  def __init__(self, files: flags.ArgumentParser) -> None:
    self._files = files

  def parse(self, argument: str) -> ml_collections.ConfigDict:
    """Returns the recipe, or what the file's `get_config` returns."""
    name, _, variant = argument.partition(':')
    if not name.endswith('.py'):
      return run_config_lib.recipe(name, variant).lock()
    if not os.path.isfile(name):
      raise errors.RunError(f'--config {name} does not exist.')
    config = self._files.parse(argument)
    if not isinstance(config, ml_collections.ConfigDict):
      raise errors.RunError(
          f'get_config() of {name} returns a {type(config).__name__}, but it'
          ' must return a ConfigDict, as r2i_tf.run_config.recipe does.'
      )
    return config

  def flag_type(self) -> Any:
    """Returns what `--help` calls the value."""
    return 'recipe or file'
