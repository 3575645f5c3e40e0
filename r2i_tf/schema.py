"""Strict conversion between nested mappings and frozen dataclasses.

Configuration enters the project as a mapping (a command line's `ConfigDict`, a
run's `config.json`) and is used as frozen dataclasses. This module is the gate
between the two: a key that no field has, or a value of another type than the
field's, is refused with one sentence. Ranges are the dataclasses' own business
(`__post_init__`).
"""

import ast
from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
import enum
import math
import re
import sys
import typing
from typing import Any, Optional, TypeVar

from r2i_tf import errors

T = TypeVar('T')
_LARGEST = int(sys.float_info.max)


class ConfigError(errors.UserError, ValueError):
  """A configuration that cannot be used, explained in one sentence."""


def require(condition: bool, message: str) -> None:
  """Raises `ConfigError(message)` unless `condition` holds."""
  if not condition:
    raise ConfigError(message)


def require_positive(config: Any, prefix: str, *names: str) -> None:
  """Raises `ConfigError` unless these fields of a dataclass are positive.

  Args:
    config: The dataclass.
    prefix: The words before the fields' names in the sentence, such as
      'replay'; '' for nothing.
    *names: The fields.
  """
  for name in names:
    value = getattr(config, name)
    label = f'{prefix}.{name}' if prefix else name
    require(value > 0, f'{label} is {value}, but it must be positive.')


def require_patterns(config: Any, prefix: str, *names: str) -> None:
  """Raises `ConfigError` unless these fields are regular expressions or None.

  Args:
    config: The dataclass.
    prefix: As for `require_positive`.
    *names: The fields.
  """
  for name in names:
    try:
      re.compile(getattr(config, name) or '')
    except re.error as error:
      raise ConfigError(
          f'{prefix}.{name} is {getattr(config, name)!r}, which is no regular'
          f' expression: {error}.'
      ) from None


def from_mapping(cls: type[T], mapping: Mapping[str, Any], path: str = '') -> T:
  """Builds the frozen dataclass `cls` from a nested mapping.

  Args:
    cls: A dataclass whose fields are bool, int, float, str, enums, tuples of
      these, dataclasses, or `Optional` of one of them; or a `Mapping` of names
      to plain values, which has any names.
    mapping: Field names to values; a field that is absent keeps its default.
    path: The dotted name of `cls` in the whole configuration, for errors.

  Returns:
    An instance of `cls`.

  Raises:
    ConfigError: A key is unknown, a value has the wrong type, or `cls` refuses
      a value.
  """
  hints = typing.get_type_hints(cls)
  names = list(hints)
  if not isinstance(mapping, Mapping) and not hasattr(mapping, 'items'):
    raise ConfigError(
        f'config field {path!r} is {mapping!r}, but a group of fields is'
        f' needed there: {", ".join(names)}.'
    )
  arguments = {}
  for key, value in mapping.items():
    name = f'{path}.{key}' if path else key
    if key not in names:
      hint = errors.did_you_mean(key, names, f'{path}.' if path else '')
      raise ConfigError(f'unknown config field {name!r}: {hint}')
    arguments[key] = _convert(hints[key], value, name)
  return cls(**arguments)


def to_mapping(config: Any) -> Any:
  """Returns nested dicts of plain values; inverse of `from_mapping`."""
  if dataclasses.is_dataclass(config):
    return {
        field.name: to_mapping(getattr(config, field.name))
        for field in dataclasses.fields(config)
    }
  if isinstance(config, enum.Enum):
    return config.value
  if isinstance(config, (tuple, list)):
    return [to_mapping(item) for item in config]
  if isinstance(config, Mapping):
    return {key: to_mapping(value) for key, value in config.items()}
  return config


def replace(config: T, changes: Mapping[str, Any]) -> T:
  """Returns `config` with other values in some of its fields.

  Args:
    config: A dataclass.
    changes: Dotted field names, such as 'replay.capacity', to values: the plain
      ones that `from_mapping` takes, or dataclasses and enums.

  Raises:
    ConfigError: As `from_mapping` and `check_name` raise it.
  """
  mapping = to_mapping(config)
  for name, value in changes.items():
    check_name(type(config), name)
    *groups, field = name.split('.')
    group = mapping
    for part in groups:
      group = group[part]
    group[field] = to_mapping(value)
  return from_mapping(type(config), mapping)


def check_name(cls: type, name: str) -> Any:
  """Returns the type of a field, if there is one of that name.

  Args:
    cls: A dataclass, whose fields may be dataclasses.
    name: Dotted, such as 'replay.capacity'.

  Raises:
    ConfigError: There is none.
  """
  path = ''
  for part in name.split('.'):
    if is_mapping(cls):
      cls = object
      path = f'{path}.{part}'
      continue
    if not dataclasses.is_dataclass(cls):
      raise ConfigError(
          f'unknown config field {name!r}: {path!r} has no fields.'
      )
    hints = typing.get_type_hints(cls)
    if part not in hints:
      hint = errors.did_you_mean(part, hints, f'{path}.' if path else '')
      raise ConfigError(f'unknown config field {name!r}: {hint}')
    path = f'{path}.{part}' if path else part
    cls = hints[part]
  return cls


def is_mapping(hint: Any) -> bool:
  """Returns whether a field of this type has any names, not those of a class.

  Args:
    hint: The type, as `check_name` returns it.
  """
  return typing.get_origin(hint) is Mapping


def literal(text: str) -> Any:
  """Returns what a text on a command line says: a Python literal, or itself.

  Args:
    text: Such as '3', 'True', 'true', '[1, 2]' or 'walker'.
  """
  if text in ('true', 'false'):  # So absl writes them.
    return text == 'true'
  try:
    return ast.literal_eval(text)
  except (SyntaxError, ValueError):
    return text


def as_text(value: Any) -> str:
  """Returns a value of a field as `literal` reads it back.

  Args:
    value: As `replace` takes it; numbers may be NumPy's.
  """
  value = to_mapping(value)
  if isinstance(value, str):
    # A text that would be read as a number or another literal is quoted.
    return value if literal(value) == value else repr(value)
  return repr(_without_numpy(value))


def _without_numpy(value: Any) -> Any:
  """Returns a value with Python's own numbers, whose `repr` is a literal."""
  if isinstance(value, Mapping):
    return {key: _without_numpy(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [_without_numpy(item) for item in value]
  return value.tolist() if hasattr(value, 'tolist') else value


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], path: str = ''
) -> Iterator[tuple[str, Any, Any]]:
  """Yields (dotted name, old value, new value) where two mappings differ."""
  for key in sorted(set(old) | set(new)):
    name = f'{path}.{key}' if path else key
    a, b = old.get(key), new.get(key)
    if isinstance(a, dict) and isinstance(b, dict):
      yield from differences(a, b, name)
    elif a != b:
      yield name, a, b


def _convert(hint: Any, value: Any, name: str, also: str = '') -> Any:
  """Converts `value` to the type `hint` of the field `name`, or refuses it."""
  inner = _optional_of(hint)
  if inner is not None:
    return None if value is None else _convert(inner, value, name, ' or None')
  if isinstance(hint, type) and dataclasses.is_dataclass(hint):
    return from_mapping(hint, value, name)
  if typing.get_origin(hint) is tuple:
    return _convert_tuple(hint, value, name)
  if is_mapping(hint):
    return _convert_mapping(value, name)
  if isinstance(hint, type) and issubclass(hint, enum.Enum):
    try:
      return hint(value)
    except ValueError:
      valid = [str(member.value) for member in hint]
      raise ConfigError(
          f'config field {name!r} is {value!r}:'
          f' {errors.did_you_mean(str(value), valid)}'
      ) from None
  if hint is float and isinstance(value, int) and not isinstance(value, bool):
    value = float(value) if abs(value) <= _LARGEST else math.inf
  if hint is float and isinstance(value, float) and not math.isfinite(value):
    raise ConfigError(
        f'config field {name!r} is {value}, but it takes a finite number{also}.'
    )
  if hint is int and isinstance(value, float) and value.is_integer():
    return int(value)  # 1e6 on a command line
  if isinstance(value, bool) != (hint is bool) or not isinstance(value, hint):
    raise ConfigError(
        f'config field {name!r} is {value!r},'
        f' {_article(type(value).__name__)}, but it takes'
        f' {_article(hint.__name__)}{also}.'
    )
  return value


def _convert_tuple(hint: Any, value: Any, name: str) -> tuple:
  """Converts a list or tuple whose items all have one type."""
  if not isinstance(value, (list, tuple)):
    raise ConfigError(
        f'config field {name!r} is {value!r}, but it takes a list.'
    )
  item = typing.get_args(hint)[0]
  return tuple(_convert(item, v, f'{name}[{i}]') for i, v in enumerate(value))


def _convert_mapping(value: Any, name: str) -> dict[str, Any]:
  """Converts names with plain values, which are those that JSON has."""
  if not isinstance(value, Mapping) and not hasattr(value, 'items'):
    raise ConfigError(
        f'config field {name!r} is {value!r}, but it takes names with values,'
        f' each by its own, as in {name}.<name>=<value>.'
    )
  return {key: _plain(item, f'{name}.{key}') for key, item in value.items()}


def _plain(value: Any, name: str) -> Any:
  if isinstance(value, (list, tuple)):
    return [_plain(v, f'{name}[{i}]') for i, v in enumerate(value)]
  if hasattr(value, 'items'):
    return _convert_mapping(value, name)
  if value is None or isinstance(value, (bool, int, float, str)):
    return value
  raise ConfigError(
      f'config field {name!r} is {value!r}, a {type(value).__name__}, but it'
      ' takes None, numbers, text, truth values, and lists and mappings of'
      ' these.'
  )


def _optional_of(hint: Any) -> Optional[Any]:
  """Returns X where `hint` is Optional[X], else None."""
  arguments = typing.get_args(hint)
  if typing.get_origin(hint) is typing.Union and type(None) in arguments:
    return next(a for a in arguments if a is not type(None))
  return None


def _article(noun: str) -> str:
  return ('an ' if noun[0] in 'aeiou' else 'a ') + noun
