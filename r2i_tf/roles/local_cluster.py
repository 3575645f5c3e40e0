"""All roles of a run on one machine, each in a process of its own.

  replay server <- collectors, learner        exported policies <- evaluator

A role that dies by accident is started again, a few times. The run is over when
the learner is done; then, at Ctrl-C and at SIGTERM, all roles are stopped, the
server last, and none is left behind.
"""

from collections.abc import Callable
from collections.abc import Sequence
import threading
import time

from r2i_tf import errors
from r2i_tf.roles import processes
from r2i_tf.training import interruption

_PAUSE = 0.2
_MISTAKE = 2  # The exit code of a program that its user has to start otherwise.
_STOP_SECONDS = 60.0  # A learner saves within half of it.


def run(
    server: Sequence[str],
    others: Sequence[tuple[str, Sequence[str]]],
    restarts: int,
) -> int:
  """Runs the roles until the one named 'learner' is done.

  Args:
    server: The command of the replay server.
    others: Names and commands of the other roles, the learner among them.
    restarts: How often each role may be started again.

  Returns:
    The exit code: the learner's, or 0 if asked to stop.

  Raises:
    errors.RunError: A role cannot go on.
  """
  lock = threading.Lock()

  def write(line: str) -> None:
    with lock:
      print(line, flush=True)

  roles = [
      processes.Role(name, command, write)
      for name, command in [('server', server), *others]
  ]
  with interruption.Interruption() as interrupted:
    try:
      for role in roles:
        role.begin()
      while not interrupted.requested:
        for role in roles:
          code = role.exit_code()
          if code is None:
            continue
          if role.name == 'learner' and code == 0:
            return 0
          _start_again(role, code, restarts, write)
        time.sleep(_PAUSE)
      return 0
    finally:
      _stop(roles)


def _start_again(
    role: processes.Role,
    code: int,
    restarts: int,
    write: Callable[[str], None],
) -> None:
  """Starts a role that has ended, unless that is no use."""
  if code == _MISTAKE:
    raise errors.RunError(
        f'the {role.name} cannot be started as it is: its own last line above'
        ' says what to change.'
    )
  if role.starts > restarts:
    raise errors.RunError(
        f'the {role.name} has ended {role.starts} times, at last with exit code'
        f' {code}, but it is started again {restarts} times only: look for the'
        ' cause in its lines above, or raise --restarts.'
    )
  write(f'cluster | the {role.name} ended with exit code {code}; started again')
  role.begin()


def _stop(roles: Sequence[processes.Role]) -> None:
  """Stops all roles, and the server after those who need it."""
  server, *others = roles
  for group in (others, [server]):
    for role in group:
      role.stop()
    deadline = time.monotonic() + _STOP_SECONDS
    for role in group:
      if not role.wait(max(0.0, deadline - time.monotonic())):
        role.kill()
        role.wait(1.0)
