"""The command that makes a run again, from its configuration.

config.json has every field, but not the recipe that they came from: the one
that is nearest is named here, with a flag for each difference. r2i-train reads
the flags back to the same configuration.
"""

from collections.abc import Mapping
import functools
import shlex
from typing import Any

from r2i_tf import presets
from r2i_tf import run_config
from r2i_tf import schema


def recipe(config: Mapping[str, Any]) -> str:
  """Returns the recipe with the fewest differences to a configuration.

  Args:
    config: As in config.json, with every field.
  """
  recipes = _recipes()
  return min(recipes, key=lambda name: len(_changes(recipes[name], config)))


def flags(config: Mapping[str, Any]) -> list[str]:
  """Returns the flags of r2i-train that make the configuration.

  Args:
    config: As in config.json, with every field.
  """
  name = recipe(config)
  found = [f'--config={name}']
  for field, value in _changes(_recipes()[name], config).items():
    found.append(
        f'--task={value}'
        if field == 'task'
        else f'--config.{field}={schema.as_text(value)}'
    )
  if config['replay']['kind'] == run_config.ReplayKind.REVERB.value:
    found.append('--replay_address=<host>:<port>')
  return found


def lines(config: Mapping[str, Any], workdir: str) -> str:
  """Returns the command, a flag a line, to be pasted into a shell.

  Args:
    config: As in config.json, with every field.
    workdir: The --workdir that it names.
  """
  given = [*flags(config), f'--workdir={workdir}']
  return ' \\\n    '.join(['r2i-train', *map(shlex.quote, given)])


@functools.cache
def _recipes() -> Mapping[str, Mapping[str, Any]]:
  return {
      f'{name}:{variant}'
      if variant
      else name: schema.to_mapping(run_config.RunConfig.preset(name, variant))
      for name, variants in presets.RUNS.items()
      for variant in variants
  }


def _changes(
    base: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, Any]:
  """Returns the dotted fields that differ, and their values here."""
  return {
      name: value
      for name, _, value in schema.differences(base, config)
      if not isinstance(value, dict)
  }
