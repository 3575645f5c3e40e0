"""The port of a server that will have to come back to it."""

import pathlib
import socket

import pytest

from r2i_tf import errors
from r2i_tf.roles import ports


def test_a_free_port_is_not_one_that_a_connection_may_get():
  """One that knocks at a dead server's port would be given it as its own."""
  first = int(
      pathlib.Path('/proc/sys/net/ipv4/ip_local_port_range')
      .read_text(encoding='utf-8')
      .split()[0]
  )
  found = {ports.free_port(0) for _ in range(20)}
  assert len(found) > 15 and max(found) < first


def test_a_port_that_cannot_be_had_is_a_sentence():
  """Whoever named it is told, before a server starts on it without an error."""
  with socket.socket(socket.AF_INET6) as listener:
    listener.bind(('::', 0))
    listener.listen()
    port = listener.getsockname()[1]
    with pytest.raises(errors.RunError, match=f'--port is {port}, which'):
      ports.free_port(port)
