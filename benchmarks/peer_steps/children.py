"""The parent's side of timing in turn: children that step when they are told.

`serving` is the other side, in the child's own Python. A child is stopped by a
signal but for its turns: some have threads that would go on meanwhile.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import json
import pathlib
import signal
import subprocess
from typing import Any

from r2i_tf import errors

_ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_PATIENCE = 60.0  # Seconds for a child to end.


class Child:
  """A process that takes steps when it is told to.

  Attributes:
    facts: What it has said when it was ready.
  """

  def __init__(
      self,
      command: Sequence[str],
      environment: Mapping[str, str],
      log: pathlib.Path,
  ):
    """Starts it, and waits until it is ready: all is compiled.

    Args:
      command: Of the process.
      environment: Its environment variables.
      log: The file for what it and its libraries print.

    Raises:
      errors.RunError: It ended.
    """
    self._log = log
    with log.open('w') as printed:
      self._process = subprocess.Popen(
          command,
          cwd=_ROOT,
          env=dict(environment),
          stdin=subprocess.PIPE,
          stdout=subprocess.PIPE,
          stderr=printed,
          text=True,
      )
    self.facts: Any = self._answer()
    self._process.send_signal(signal.SIGSTOP)

  def take(self, steps: int) -> int:
    """Has it take steps, and returns how many train steps it has taken in all.

    Args:
      steps: Train steps, or environment steps of a run.

    Raises:
      errors.RunError: It ended.
    """
    assert self._process.stdin is not None
    self._process.send_signal(signal.SIGCONT)
    try:
      self._process.stdin.write(f'{steps}\n')
      self._process.stdin.flush()
    except BrokenPipeError:
      pass  # It has ended; why is in its log.
    answer = self._answer()
    self._process.send_signal(signal.SIGSTOP)
    return answer

  def close(self) -> None:
    """Ends it."""
    assert self._process.stdin is not None
    assert self._process.stdout is not None
    self._process.send_signal(signal.SIGCONT)
    try:
      self._process.stdin.close()
    except BrokenPipeError:
      pass
    try:
      self._process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
      self._process.kill()
      self._process.wait()
    self._process.stdout.close()

  def _answer(self) -> Any:
    assert self._process.stdout is not None
    line = self._process.stdout.readline()
    if line:
      return json.loads(line)
    self.close()
    said = self._log.read_text(errors='replace').strip().splitlines()
    raise errors.RunError(
        f'a child ended with exit code {self._process.returncode} before it'
        f' answered: {said[-1] if said else "it printed nothing"} ({self._log}'
        ' has all it printed).'
    )
