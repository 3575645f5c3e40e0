"""One environment of a pool, in its own process: the pool's side."""

from collections.abc import Callable
import contextlib
from multiprocessing import connection
import os
import signal
import socket
import subprocess
import sys
from typing import Any, Optional

import cloudpickle
import numpy as np

from r2i_tf.environments import errors
from r2i_tf.environments import options as options_lib
from r2i_tf.environments.pool import worker
from r2i_tf.environments.suites import registry as suites

_PROGRAM = (
    'import sys; sys.path[:] = sys.argv[2:];'
    ' from r2i_tf.environments.pool import worker;'
    ' worker.main(int(sys.argv[1]))'
)
# With as many processes as cores, more threads in each only get in the way.
_ONE_THREAD = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'LP_NUM_THREADS')
_EXIT_SECONDS = 5.0


class ProcessFault(Exception):
  """The environment is lost; holds a `worker.Fault`."""

  def __init__(self, fault: worker.Fault) -> None:
    super().__init__(fault.reason)
    self.fault = fault


class RemoteTraceback(Exception):
  """The traceback of another process, as the cause of an exception in ours."""

  def __str__(self) -> str:
    return f'\n"""\n{self.args[0]}"""'


def error_of(fault: worker.Fault, what: str, task: suites.Task) -> Exception:
  """Returns the exception to raise where a fault ends the program's work.

  Args:
    fault: The fault.
    what: The beginning of a sentence about it, such as `dmc/x/y crashed`, for a
      process that left no exception of its own.
    task: The task of the environment.
  """
  if fault.error is not None:
    error = cloudpickle.loads(fault.error)
    if isinstance(error, errors.UnknownTaskError):
      named = suites.with_module(task)
      if named:
        return errors.UnknownTaskError(
            f'{task} is registered in this process only, but its environment'
            ' has a process of its own: name the module that registers it, as'
            f' in {named}.'
        )
    return error
  return errors.CrashedEnvironmentError(f'{what}: {fault.reason.rstrip(".")}.')


def cause_of(fault: worker.Fault) -> Optional[RemoteTraceback]:
  """Returns the cause of that exception, None if the process could say none."""
  return RemoteTraceback(fault.traceback) if fault.traceback else None


class EnvironmentProcess:
  """A process that holds one environment.

  It is a fresh Python, neither a fork nor a spawn of `multiprocessing`: a fork
  of a process that runs TensorFlow can hang, and a spawn runs the main program
  again up to its `if __name__ == '__main__'`, or fails where there is none.
  """

  def __init__(
      self,
      task: suites.Task,
      seed: int,
      options: Optional[options_lib.Options],
      index: Optional[int],
      timeout: float,
      drawn: bool = False,
  ) -> None:
    """Starts the process and does not wait for it.

    Args:
      task: A name, or a function that makes an environment.
      seed: Of the environment.
      options: Of the environment.
      index: Its number in the pool; None outside of one.
      timeout: Seconds to wait for any answer.
      drawn: Whether the environment can be rendered.

    Raises:
      InvalidTaskError: The task cannot be sent to a process.
    """
    self._timeout = timeout
    self._specs: Optional[worker.Specs] = None
    arguments = _pickled(task, seed, options, index, drawn)
    ours, theirs = socket.socketpair()
    with contextlib.ExitStack() as on_error, theirs:
      on_error.callback(ours.close)
      self._process = subprocess.Popen(
          [
              sys.executable,
              # Says on standard error where a segmentation fault was.
              *('-X', 'faulthandler', '-c', _PROGRAM),
              *(str(theirs.fileno()), *sys.path),
          ],
          stdin=subprocess.DEVNULL,
          pass_fds=[theirs.fileno()],
          env={**dict.fromkeys(_ONE_THREAD, '1'), **os.environ},
          # Ctrl-C is for the run, which closes its pool when it is done.
          start_new_session=True,
      )
      on_error.pop_all()
    self._connection = connection.Connection(ours.detach())
    self._send(self._connection.send_bytes, arguments)

  @property
  def pid(self) -> int:
    """The number of the process."""
    return self._process.pid

  def specs(self) -> worker.Specs:
    """Returns the specs of the environment; waits until it has started.

    Raises:
      ProcessFault: It did not start.
    """
    if self._specs is None:
      self._specs = self._answer()
    return self._specs

  def request(self, request: worker.Request, action: Any = None) -> None:
    """Asks for a step, which `step` returns.

    Args:
      request: Which.
      action: For a STEP.
    """
    self._send(self._connection.send, (request, action))

  def step(self) -> worker.Step:
    """Waits for the answer to the last request and returns it.

    Raises:
      ProcessFault: There is none.
    """
    self.specs()
    return self._answer()

  def image(self) -> np.ndarray:
    """Waits for the answer to a RENDER and returns it.

    Raises:
      ProcessFault: There is none.
    """
    return self._answer()

  def hang_up(self) -> None:
    """Tells the process to end; `close` waits until it has."""
    self._connection.close()

  def close(self) -> None:
    """Ends the process, gently at first."""
    self.hang_up()
    try:
      self._process.wait(_EXIT_SECONDS)
    except subprocess.TimeoutExpired:
      self.kill()

  def kill(self) -> None:
    """Ends the process at once, with all processes that it started."""
    self.hang_up()
    with contextlib.suppress(ProcessLookupError):
      os.killpg(self._process.pid, signal.SIGKILL)  # It leads its group.
    self._process.wait()

  def _send(self, send: Callable[[Any], None], message: Any) -> None:
    try:
      send(message)
    except OSError:
      pass  # The process is gone; `_answer` finds out why.

  def _answer(self) -> Any:
    try:
      if not self._connection.poll(self._timeout):
        self.kill()
        raise ProcessFault(
            worker.Fault(f'it gave no answer for {self._timeout:g} seconds')
        )
      answer = self._connection.recv()
    except (EOFError, OSError):
      raise ProcessFault(worker.Fault(self._cause_of_death())) from None
    if isinstance(answer, worker.Fault):
      raise ProcessFault(answer)
    return answer

  def _cause_of_death(self) -> str:
    try:
      code = self._process.wait(_EXIT_SECONDS)
    except subprocess.TimeoutExpired:
      return 'its process closed the connection'
    if code < 0:
      return f'its process was killed by signal {-code}, {_name(-code)}'
    return f'its process ended with exit code {code}'


def _pickled(task: suites.Task, *arguments: Any) -> bytes:
  try:
    return cloudpickle.dumps((task, *arguments))
  except Exception as error:
    # An object that cannot be pickled raises whatever its class likes.
    raise errors.InvalidTaskError(
        f'{suites.name_of(task)} cannot be sent to a process of its own'
        f' ({type(error).__name__}: {error}): it, or what it holds, cannot be'
        ' pickled.'
    ) from error


def _name(number: int) -> str:
  return signal.strsignal(number) or 'without a name'
