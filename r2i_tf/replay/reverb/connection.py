"""Whether a replay server is there, and calls to it that end in time.

Reverb's calls block in C++ until the server answers, where Python runs no
handler of a signal, and a server that is gone never does. So each call has a
thread of its own and a time after which it is given up.

A server that comes back is not noticed at once: gRPC waits longer from one
attempt to the next, up to two minutes, and all clients of one address share the
wait, new ones too. It forgets when nobody uses the address any more. So whoever
finds the server gone closes all that it has open, and knocks at the socket,
which tells at once.
"""

from collections.abc import Callable
from collections.abc import Sequence
import contextlib
import queue
import socket
import threading
import time
from typing import Any, TypeVar

import numpy as np
import reverb

from r2i_tf import errors
from r2i_tf.replay.reverb import identity as identity_lib
from r2i_tf.replay.reverb import tables

T = TypeVar('T')
_CALL_SECONDS = 10.0  # Weights of gigabytes take as long in a slow network.
_KNOCK_SECONDS = 2.0
_PAUSE = 0.2  # Between two looks at whatever is waited for.


class ServerGoneError(Exception):
  """The server did not answer in time, or broke the connection."""


def check_address(address: str) -> tuple[str, int]:
  """Returns host and port of an address.

  Args:
    address: As '<host>:<port>'.

  Raises:
    errors.RunError: It has another form.
  """
  host, _, port = address.rpartition(':')
  if not host or not port.isdigit() or not 0 < int(port) < 2**16:
    raise errors.RunError(
        f'--replay_address is {address!r}, but it must be <host>:<port>, such'
        ' as localhost:8765.'
    )
  return host, int(port)


def is_open(address: str) -> bool:
  """Returns whether something listens at an address.

  Args:
    address: As '<host>:<port>'.
  """
  try:
    with socket.create_connection(check_address(address), _KNOCK_SECONDS):
      return True
  except OSError:
    return False


def call(
    function: Callable[..., T],
    *arguments: Any,
    seconds: float = _CALL_SECONDS,
) -> T:
  """Calls a function of Reverb, and gives it up after some time.

  Args:
    function: Its thread goes on where it is given up.
    *arguments: Its arguments.
    seconds: The time.

  Raises:
    ServerGoneError: It took longer, or Reverb or TensorFlow raised.
  """
  results: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()

  def run() -> None:
    try:
      results.put((function(*arguments), None))
    except Exception as error:
      results.put((None, error))

  threading.Thread(target=run, daemon=True).start()
  deadline = time.monotonic() + seconds
  while True:
    # In short waits: between them Python runs the handlers of signals.
    with contextlib.suppress(queue.Empty):
      result, error = results.get(timeout=_PAUSE)
      break
    if time.monotonic() >= deadline:
      raise ServerGoneError(f'no answer in {seconds:.0f} s')
  if isinstance(error, errors.UserError):
    raise error
  if error is not None:
    raise ServerGoneError(str(error)) from error
  return result


def wait_until_open(
    address: str, stop: Callable[[], bool], seconds: float = float('inf')
) -> bool:
  """Waits until something listens at an address; returns whether it does.

  Args:
    address: As '<host>:<port>'.
    stop: Asked all the time; true gives up.
    seconds: How long at most.
  """
  deadline = time.monotonic() + seconds
  while not is_open(address):
    if stop() or time.monotonic() >= deadline:
      return False
    time.sleep(_PAUSE)
  return True


def read_identity(address: str) -> identity_lib.Identity:
  """Asks a server what it is for.

  Args:
    address: As '<host>:<port>'.

  Raises:
    errors.RunError: What listens there is no replay server of this package.
    ServerGoneError: It stopped listening.
  """
  deadline = time.monotonic() + _CALL_SECONDS
  while True:
    try:
      text = call(_read_identity, address, seconds=_CALL_SECONDS + 1)
      return identity_lib.Identity.from_json(text, address)
    except ServerGoneError as error:
      if not is_open(address):
        raise
      # One that has just begun to listen has it in a moment.
      if time.monotonic() < deadline:
        time.sleep(_PAUSE)
        continue
      raise errors.RunError(
          f'--replay_address is {address}, where something listens that is no'
          ' replay server of r2i_tf: name the port that r2i-replay-server'
          ' printed.'
      ) from error


def _read_identity(address: str) -> str:
  client = reverb.Client(address)
  info = client.server_info(timeout=int(_CALL_SECONDS))
  if tables.IDENTITY not in info or not info[tables.IDENTITY].current_size:
    raise ServerGoneError(f'no {tables.IDENTITY}')
  return read_text(client, tables.IDENTITY)


def join(
    address: str, stop: Callable[[], bool], seconds: float
) -> identity_lib.Identity:
  """Waits for a server at the start of a process, and asks what it is for.

  Args:
    address: As '<host>:<port>'.
    stop: Asked all the time; true gives up.
    seconds: How long to wait until something listens.

  Raises:
    errors.RunError: Nothing listens in time, or no replay server does.
    ServerGoneError: `stop` gave up.
  """
  deadline = time.monotonic() + seconds
  while True:
    left = max(0.0, deadline - time.monotonic())
    if not wait_until_open(address, stop, left):
      if stop():
        raise ServerGoneError('stopped')
      raise errors.RunError(
          f'--replay_address is {address}, but nothing has listened there for'
          f' {seconds:.0f} s: start r2i-replay-server first, or name its'
          ' address.'
      )
    try:
      return read_identity(address)
    except ServerGoneError:
      time.sleep(_PAUSE)  # It went away between the two.


def read_text(client: reverb.Client, table: str) -> str:
  """Returns the text of a table's oldest item.

  Args:
    client: Of the server.
    table: One that is not empty.
  """
  sample = next(iter(client.sample(table, 1, emit_timesteps=False)))
  return bytes(sample.data[0].tobytes()).decode()


def insert(client: reverb.Client, table: str, arrays: Sequence[Any]) -> None:
  """Adds one item to a table, and returns when it is there.

  Args:
    client: Of the server.
    table: Its table.
    arrays: The item.

  Raises:
    reverb.ReverbError: It was not there in time.
  """
  # Reverb's own `insert` tries for ever, and keeps gRPC waiting with it.
  writer = client.trajectory_writer(1)
  try:
    writer.append(list(arrays))
    writer.create_item(table, 1.0, [column[-1:] for column in writer.history])
    writer.flush(timeout_ms=int(1000 * _CALL_SECONDS))
  finally:
    writer.close()


def write_text(client: reverb.Client, table: str, text: str) -> None:
  """Adds an item of text, as bytes.

  Args:
    client: Of the server.
    table: Its table.
    text: What `read_text` returns.

  Raises:
    reverb.ReverbError: It was not there in time.
  """
  insert(client, table, [np.frombuffer(text.encode(), np.uint8)])
