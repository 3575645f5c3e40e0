"""Ports that can be listened on."""

import pathlib
import random
import socket

from r2i_tf import errors

_LOWEST = 20_000
_LOCAL = pathlib.Path('/proc/sys/net/ipv4/ip_local_port_range')
_TRIES = 100


def free_port(port: int) -> int:
  """Returns the port, or a free one for 0, if it can be listened on.

  Reverb itself starts without an error where another server has the port. A
  free one is below those that the system gives to connections: while a server
  is away, its port could be given to one, such as the one that knocks there,
  and the server could not come back.

  Args:
    port: The port; 0 for any that is free.

  Raises:
    errors.RunError: It is in use, or not allowed.
  """
  if port:
    return _bound(port)
  # Not Python's generator, which a program may seed as another does.
  draw = random.SystemRandom()
  for _ in range(_TRIES):
    try:
      return _bound(draw.randrange(_LOWEST, max(_LOWEST + 1, _first_local())))
    except errors.RunError:
      continue
  return _bound(0)


def _first_local() -> int:
  """Returns the first port that the system gives to connections."""
  try:
    return int(_LOCAL.read_text(encoding='utf-8').split()[0])
  except (OSError, ValueError, IndexError):
    return 2**15  # The default of Linux.


def _bound(port: int) -> int:
  """Binds a port and gives it back; returns it, or a free one for 0."""
  with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as listener:
    # A server that has just ended leaves connections behind, which do not
    # count; one that listens does.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
      # No more than bound: whoever knocks must not find it open.
      listener.bind(('::', port))
    except OSError as error:
      raise errors.RunError(
          f'--port is {port}, which cannot be listened on ({error.strerror}):'
          ' name another one, or 0 for any that is free.'
      ) from error
    return listener.getsockname()[1]
