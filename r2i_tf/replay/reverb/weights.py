"""The weights that collectors act with, in a table of one item.

An item is [format, train step, variable, variable, ...]. The format is a number
of this layout and of the variables' shapes, so that a collector of another
version or model takes nothing that it would misread.
"""

from collections.abc import Sequence
from typing import Union
import zlib

import numpy as np
import reverb
import tensorflow as tf

from r2i_tf import errors
from r2i_tf.replay.reverb import connection
from r2i_tf.replay.reverb import tables

_LAYOUT = 1


def push(
    client: reverb.Client, train_step: int, values: Sequence[np.ndarray]
) -> None:
  """Publishes weights in place of those before.

  Args:
    client: Of the server.
    train_step: After which train step they are.
    values: Of the variables.

  Raises:
    reverb.ReverbError: They were not there in time.
  """
  head = [np.int64(_format(values)), np.int64(train_step)]
  connection.insert(client, tables.WEIGHTS, [*head, *values])


def are_there(client: reverb.Client) -> bool:
  """Returns whether weights were published; to pull none would block.

  Args:
    client: Of the server.
  """
  return client.server_info(timeout=5)[tables.WEIGHTS].current_size > 0


def pull(client: reverb.Client, variables: Sequence[tf.Variable]) -> int:
  """Assigns the published weights; returns their train step.

  Args:
    client: Of the server; `are_there` was true.
    variables: Those of the same policy.

  Raises:
    errors.RunError: They are those of another model or version.
  """
  sample = next(iter(client.sample(tables.WEIGHTS, 1, emit_timesteps=False)))
  found, train_step, *values = [part[0] for part in sample.data]
  if found != _format(variables) or len(values) != len(variables):
    raise errors.RunError(
        f'the learner publishes weights of format {int(found)}, but this'
        f' process takes format {_format(variables)}: run the same version of'
        ' r2i_tf everywhere.'
    )
  for variable, value in zip(variables, values):
    variable.assign(value)
  return int(train_step)


def _format(variables: Sequence[Union[tf.Variable, np.ndarray]]) -> int:
  text = repr((_LAYOUT, [(list(v.shape), v.dtype.name) for v in variables]))
  return zlib.crc32(text.encode())
