"""Ports that can be listened on."""

import socket

from r2i_tf import errors


def free_port(port: int) -> int:
  """Returns the port, or a free one for 0, if it can be listened on.

  Reverb itself starts without an error where another server has the port.

  Args:
    port: The port; 0 for any that is free.

  Raises:
    errors.RunError: It is in use, or not allowed.
  """
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
