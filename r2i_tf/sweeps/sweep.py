"""Runs what is left of a sweep, so many processes at a time.

  waiting -> running -> finished, failed, or stopped and waiting for next time

What a run is comes from its files alone (`runs.Book`), so that whatever ended
the sweep before, the next one goes on with what is left.
"""

from collections.abc import Sequence
import contextlib
import dataclasses
import os
import pathlib
import time
from typing import Optional

from r2i_tf import errors
from r2i_tf import locks
from r2i_tf.record import outcome
from r2i_tf.roles import processes
from r2i_tf.sweeps import display as display_lib
from r2i_tf.sweeps import runs as runs_lib
from r2i_tf.sweeps import settings as settings_lib
from r2i_tf.training import interruption

_PAUSE = 0.2
# A run that is compiling looks up when it is done, and then saves.
_STOP_SECONDS = 300.0


@dataclasses.dataclass
class _Slot:
  """A place for one run at a time.

  Attributes:
    cores: The cores of its runs.
    run: The one that is running; None if it is free.
    child: Its process.
  """

  cores: frozenset[int]
  run: Optional[runs_lib.Run] = None
  child: Optional[processes.Child] = None


@dataclasses.dataclass(frozen=True)
class Result:
  """What has become of the runs.

  Attributes:
    finished: Those that are over, of this sweep and of earlier ones.
    failed: Those whose process ended in this sweep with a failure.
    left: Those that are not over; the failed are not among them.
  """

  finished: int
  failed: tuple[runs_lib.Run, ...]
  left: int


def run(
    settings: Sequence[settings_lib.Setting],
    directory: pathlib.Path,
    train: Sequence[str],
    python: str,
    parallel: int,
    minutes: Optional[float],
) -> Result:
  """Runs what is left of a sweep.

  Args:
    settings: The settings.
    directory: Where everything is.
    train: The program r2i-train.
    python: What stands for 'python' in the command of a setting.
    parallel: How many runs at a time; each gets an equal share of the cores.
    minutes: Starts no run after so much time; None always does.

  Returns:
    What has become of the runs.

  Raises:
    locks.LockedError: Another sweep is in the directory.
    errors.RunError: The directory cannot be written, or is another's.
  """
  lock = locks.Lock(
      directory / '.sweep.lock',
      f'--workdir {directory} is that of a sweep in',
      'stop that one first, or use another --workdir',
  )
  with contextlib.ExitStack() as stack:
    stack.enter_context(lock)
    book = runs_lib.Book(directory)
    all_runs = runs_lib.expand(settings, directory)
    finished = sum(map(book.is_finished, all_runs))
    waiting = [r for r in all_runs if not book.is_finished(r)]
    try:
      book.write(settings)
    except OSError as error:
      raise errors.RunError(
          f'--workdir {directory} cannot be written:'
          f' {errors.first_line(error)}.'
      ) from error
    interrupted = stack.enter_context(interruption.Interruption())
    display = stack.enter_context(
        contextlib.closing(display_lib.Display(finished, len(waiting)))
    )
    sweep = _Sweep(book, waiting, train, python, parallel, minutes, display)
    stack.callback(sweep.kill)
    while not interrupted.requested and sweep.step():
      time.sleep(_PAUSE)
    sweep.stop()
  done = sum(map(book.is_finished, all_runs))
  failed = [r for r in sweep.failed if not book.is_finished(r)]
  return Result(done, tuple(failed), len(all_runs) - done - len(failed))


class _Sweep:
  """The runs that are left, and the places where some of them are running.

  Attributes:
    failed: Those that have failed.
  """

  def __init__(
      self,
      book: runs_lib.Book,
      waiting: Sequence[runs_lib.Run],
      train: Sequence[str],
      python: str,
      parallel: int,
      minutes: Optional[float],
      display: display_lib.Display,
  ):
    self._book = book
    self._waiting = list(waiting)
    self._train = train
    self._python = python
    self._display = display
    self._slots = [_Slot(cores) for cores in shares(parallel)]
    self._ends = None if minutes is None else time.monotonic() + 60 * minutes
    self.failed: list[runs_lib.Run] = []

  def step(self) -> bool:
    """Looks at every place once; returns whether anything is to be done."""
    for slot in self._slots:
      if slot.child is not None and slot.child.exit_code() is not None:
        self._close(slot)
      if slot.run is None and self._waiting and not self._is_time_up():
        self._open(slot, self._waiting.pop(0))
    running = [slot.run for slot in self._slots if slot.run is not None]
    self._display.show(running, len(self._waiting))
    return bool(running or (self._waiting and not self._is_time_up()))

  def stop(self) -> None:
    """Asks all runs to save and end, and waits for them."""
    busy = [slot for slot in self._slots if slot.child is not None]
    for slot in busy:
      assert slot.child is not None
      slot.child.stop()
    if busy:
      self._display.note(f'stopping {len(busy)} runs, which save first')
    deadline = time.monotonic() + _STOP_SECONDS
    for slot in busy:
      assert slot.child is not None
      if slot.child.wait(max(0.0, deadline - time.monotonic())):
        self._close(slot)

  def kill(self) -> None:
    """Ends all runs that are still running."""
    for slot in self._slots:
      if slot.child is not None:
        slot.child.kill()

  def _is_time_up(self) -> bool:
    return self._ends is not None and time.monotonic() >= self._ends

  def _open(self, slot: _Slot, run_: runs_lib.Run) -> None:
    """Starts a run, or lets it wait while an earlier sweep's is saving."""
    child = processes.Child(run_.command(self._train, self._python))
    try:
      run_.workdir.mkdir(parents=True, exist_ok=True)
      with open(run_.log, 'a', encoding='utf-8') as log:
        # With its output the process inherits the lock.
        if not locks.lock_open_file(log):
          self._waiting.append(run_)
          return
        child.start(log, slot.cores)
    except OSError as error:
      self.failed.append(run_)
      self._display.failed(run_, errors.first_line(error))
      return
    slot.run, slot.child = run_, child
    self._display.started(run_)

  def _close(self, slot: _Slot) -> None:
    """Takes note of a run whose process has ended."""
    run_, child = slot.run, slot.child
    assert run_ is not None and child is not None
    slot.run, slot.child = None, None
    code = child.exit_code()
    if code:
      self.failed.append(run_)
      self._display.failed(run_, f'exit code {code}: {run_.last_line()}')
    elif outcome.read(run_.workdir) is None:
      self._display.stopped(run_)
    else:
      self._display.finished(run_)
      try:
        self._book.note(run_)
      except OSError as error:
        self._display.note(
            f'{run_.key} is not noted as finished, and is asked again by the'
            f' next sweep: {errors.first_line(error)}'
        )


def shares(parallel: int) -> list[frozenset[int]]:
  """Returns the cores for each of so many runs.

  TensorFlow starts as many threads as there are cores that it may run on, so
  that runs that share all of them have several threads for each core
  (`benchmarks/parallel_runs.py`).

  Args:
    parallel: How many runs; with more runs than cores, runs share a core.
  """
  cores = sorted(os.sched_getaffinity(0))
  count = len(cores)
  if parallel >= count:
    return [frozenset({cores[i % count]}) for i in range(parallel)]
  return [
      frozenset(cores[i * count // parallel : (i + 1) * count // parallel])
      for i in range(parallel)
  ]
