"""The flag --config: a recipe or a file, and --config.<field> on top of it.

  recipe or file -> ConfigDict, on which flags act -> RunConfig

Everything that can be wrong here is known before TensorFlow is loaded.
"""

from collections.abc import Sequence
import dataclasses
import os
import re
import sys
from typing import Any, Optional

from absl import flags
import ml_collections
from ml_collections import config_dict
from ml_collections.config_flags import config_flags

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
    flag_values: flags.FlagValues = flags.FLAGS, required: bool = True
) -> flags.FlagHolder:
  """Defines `--config` and, while it is parsed, `--config.<field>`.

  Args:
    flag_values: Where to define it.
    required: Whether a command line without it is refused.

  Returns:
    The holder of the `ConfigDict`, which is None without `--config`.
  """
  _take_any_literal()
  holder = config_flags.DEFINE_config_file(
      NAME,
      None,
      'The run: a recipe, such as bsuite or bsuite:debug, or a .py file;'
      ' --config.<field>=<value> changes a field.',
      flag_values,
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
    errors.RunError: There are overrides, but no `--config`, or one of them
      has no value or is for a group of fields.
    schema.ConfigError: A field is unknown.
  """
  for argument in argv:
    match = _OVERRIDE.match(argument)
    if not match:
      continue
    if not any(_GIVEN.match(other) for other in argv):
      raise errors.RunError(_MISSING)
    name = match.group(1)
    kind = schema.check_name(run_config_lib.RunConfig, name)
    if dataclasses.is_dataclass(kind) or schema.is_mapping(kind):
      first = '<name>'
      if dataclasses.is_dataclass(kind):
        first = dataclasses.fields(kind)[0].name
      raise errors.RunError(
          f'--config.{name} is a group of fields; set each by its own name, as'
          f' in --config.{name}.{first}=<value>.'
      )
    if '=' not in argument and kind is not bool:
      raise errors.RunError(
          f'{argument} has no value; every argument has the form --name=value.'
      )


def last_of_each(argv: Sequence[str]) -> list[str]:
  """Returns the command line without overrides that a later one repeats.

  The last of two counts, as with any flag; the ml_collections that Python 3.9
  has would refuse them.

  Args:
    argv: The command line.
  """
  overrides = [_OVERRIDE.match(argument) for argument in argv]
  last = {match.group(1): i for i, match in enumerate(overrides) if match}
  return [
      argument
      for i, (argument, match) in enumerate(zip(argv, overrides))
      if not match or last[match.group(1)] == i
  ]


def run_config(
    config: ml_collections.ConfigDict, task: Optional[str] = None
) -> run_config_lib.RunConfig:
  """Returns the `RunConfig` that `--config` and `--task` describe.

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
    """Returns the recipe, or the result of the file's `get_config`."""
    name, _, variant = argument.partition(':')
    if not name.endswith('.py'):
      config = run_config_lib.recipe(name, variant).lock()
      _make_places(config, sys.argv)
      return config
    if not os.path.isfile(name):
      raise errors.RunError(f'--config {name} does not exist.')
    config = self._files.parse(argument)
    if not isinstance(config, ml_collections.ConfigDict):
      raise errors.RunError(
          f'get_config() of {name} returns a {type(config).__name__}, but it'
          ' must return a ConfigDict, as r2i_tf.run_config.recipe does.'
      )
    _make_places(config, sys.argv)
    return config

  def flag_type(self) -> Any:
    """Returns the name of the value in `--help`."""
    return 'recipe or file'


class _Literal(flags.ArgumentParser):
  """Takes a Python literal, or else text."""

  def parse(self, argument: Any) -> Any:
    """Returns the value of a field."""
    return schema.literal(argument)


def _make_places(
    config: ml_collections.ConfigDict, argv: Sequence[str]
) -> None:
  """Adds the names that flags give to fields that have any names.

  ml_collections sets only fields that are there.

  Args:
    config: Gets the names.
    argv: The command line, whose flags `check` has taken.
  """
  for argument in argv:
    match = _OVERRIDE.match(argument)
    if not match:
      continue
    group, _, name = match.group(1).rpartition('.')
    kind = schema.check_name(run_config_lib.RunConfig, group) if group else None
    if not schema.is_mapping(kind):
      continue
    target = config
    for part in group.split('.'):
      target = target[part]
    if name not in target:
      with target.unlocked():
        target[name] = config_dict.FieldReference(None, field_type=object)


def _take_any_literal() -> None:
  """Lets flags set fields that take anything, as those of a recipe do.

  ml_collections does from 1.0 on, which has no release for Python 3.9.
  """
  if object not in config_flags._FIELD_TYPE_TO_PARSER:
    config_flags._FIELD_TYPE_TO_PARSER[object] = _Literal()
    config_flags._FIELD_TYPE_TO_SERIALIZER[object] = flags.ArgumentSerializer()
