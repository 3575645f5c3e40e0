"""What a replay server is for, as everyone reads it who joins.

The server holds one JSON text: the configuration of the run, the specs of a
step, and how sequences are cut. A collector builds itself from it and needs
nothing but the address; a learner, which has a configuration of its own,
compares.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import hashlib
import json
from typing import Any

import tensorflow as tf
import tree

from r2i_tf import errors
from r2i_tf import specs as specs_lib

_FORMAT = 1
_HASH_LENGTH = 12  # Of its digits, as many as one compares by eye.


@dataclasses.dataclass(frozen=True)
class Identity:
  """A replay server's run.

  Attributes:
    task: The name of the task.
    specs: Keys of the parts of a step, in order, to '<dtype> <shape>'.
    sequence_length: Steps in a sequence (L).
    stride: Steps from the start of one to the start of the next.
    config: The run's configuration, as `config.json` has it.
  """

  task: str
  specs: Mapping[str, str]
  sequence_length: int
  stride: int
  config: Mapping[str, Any]

  @property
  def specs_hash(self) -> str:
    """A short name of the specs, equal where they are."""
    text = json.dumps(list(self.specs.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]

  def to_json(self) -> str:
    """Returns the text that the server holds."""
    fields = dataclasses.asdict(self)
    fields['specs'] = list(self.specs.items())  # In order, also when sorted.
    return json.dumps(
        {'format': _FORMAT, 'specs_hash': self.specs_hash, **fields}
    )

  @classmethod
  def from_json(cls, text: str, address: str) -> 'Identity':
    """Reads the text.

    Args:
      text: From a server.
      address: Its address, for the error.

    Raises:
      errors.RunError: It is no such text, or one of another version.
    """
    try:
      fields = json.loads(text)
      found = fields.pop('format')
      fields.pop('specs_hash')
      if found == _FORMAT:
        return cls(**{**fields, 'specs': dict(fields['specs'])})
    except (ValueError, KeyError, TypeError, AttributeError):
      found = 'unreadable'
    raise errors.RunError(
        f'the replay server at {address} has an identity of format {found}, but'
        f' this version of r2i_tf reads format {_FORMAT}: run the same version'
        ' everywhere.'
    )


def describe(data_spec: Any) -> dict[str, str]:
  """Returns the keys of the parts of a step, in order, to dtype and shape.

  Args:
    data_spec: A nest of tensor specs, of one step.
  """
  return {
      specs_lib.key_of(
          path
      ): f'{tf.as_dtype(spec.dtype).name} {list(spec.shape)}'
      for path, spec in tree.flatten_with_path(data_spec)
  }


def check_same(
    server: Identity, own: Identity, address: str, fields: Iterable[str]
) -> None:
  """Refuses a server of another task, or of other settings.

  Args:
    server: What the server has.
    own: What this process was started for.
    address: The server's.
    fields: Dotted fields of the configuration that must be equal, or groups of
      them.

  Raises:
    errors.RunError: They differ; the sentence names both.
  """
  where = f'the replay server at {address}'
  if (server.task, server.specs) != (own.task, own.specs):
    raise errors.RunError(
        f'{where} is for the task {server.task!r} with the specs'
        f' {_text(server.specs)}, but this process is for {own.task!r} with the'
        f' specs {_text(own.specs)}: name the address of the other server, or'
        ' the other task.'
    )
  for name in fields:
    theirs, ours = _value(server.config, name), _value(own.config, name)
    if theirs != ours:
      raise errors.RunError(
          f'{where} has {name} = {theirs!r}, but this process has {ours!r}: use'
          ' the same value for both.'
      )


def _value(config: Mapping[str, Any], name: str) -> Any:
  """Returns the value of a dotted field; None where there is none."""
  value: Any = config
  for part in name.split('.'):
    value = value.get(part) if isinstance(value, Mapping) else None
  return value


def _text(specs: Mapping[str, str]) -> str:
  return '{' + ', '.join(f'{key}: {spec}' for key, spec in specs.items()) + '}'
