"""The display of a sweep: a table that renews itself, or plain lines in a log.

What happens to a run, its start and its end, is a line that stays in both.
"""

from collections.abc import Sequence
import contextlib
import shutil
import sys
import time
from typing import NamedTuple, Optional, TextIO

from r2i_tf.record import progress as progress_lib
from r2i_tf.sweeps import runs as runs_lib

_LIVE_SECONDS, _PLAIN_SECONDS = 1.0, 60.0
_HEADINGS = ('setting', 'task', 'seed', 'steps', 'return', 'minutes', 'ETA')
_UP, _CLEAR = '\x1b[{}A\r', '\x1b[J'


class _Start(NamedTuple):
  """The start of a run in this sweep.

  Attributes:
    seconds: The clock then.
    step: Its environment steps then.
    last_step: Those at which it ends; None if that is not known.
    minutes: The wall time after which it ends; None for no limit.
  """

  seconds: float
  step: int
  last_step: Optional[int]
  minutes: Optional[float]


class Display:
  """Shows a sweep on `stream`; what that does not take ends no sweep."""

  def __init__(
      self, finished: int, waiting: int, stream: Optional[TextIO] = None
  ):
    """Starts the display.

    Args:
      finished: Runs that were over before.
      waiting: Those that are not.
      stream: Where to write; standard error by default.
    """
    self._stream = stream or sys.stderr
    self._is_live = self._stream.isatty()
    self._finished, self._failed = finished, 0
    self._total = finished + waiting
    self._drawn = 0  # Lines of the table that are on the terminal.
    self._shown = time.monotonic()
    self._starts: dict[str, _Start] = {}
    if finished:
      self.note(f'{finished} of {self._total} runs are finished already')

  def started(self, run: runs_lib.Run) -> None:
    """Says that a run has been started."""
    steps = run.progress().steps
    config = run.setting.run_config()
    start = _Start(time.monotonic(), steps, None, None)
    if config is None:
      start = start._replace(last_step=run.setting.changes.get('steps'))
    else:
      start = start._replace(last_step=config.steps, minutes=config.max_minutes)
    self._starts[run.key] = start
    where = f' from step {steps:,}' if steps else ''
    self.note(f'{run.key} started{where}')

  def finished(self, run: runs_lib.Run) -> None:
    """Says that a run is over."""
    self._finished += 1
    self.note(f'{run.key} finished: {_summary(run)}')

  def stopped(self, run: runs_lib.Run) -> None:
    """Says that a run was asked to stop, and can go on."""
    self.note(f'{run.key} stopped: {_summary(run)}')

  def failed(self, run: runs_lib.Run, reason: str) -> None:
    """Says that a run has failed, why, and where more is to be read."""
    self._failed += 1
    self.note(f'{run.key} FAILED, {reason}\n  its log: {run.log}')

  def show(self, running: Sequence[runs_lib.Run], waiting: int) -> None:
    """Renews the table, or writes the lines of a log, if it is time.

    Args:
      running: The runs of now.
      waiting: How many have yet to start.
    """
    pause = _LIVE_SECONDS if self._is_live else _PLAIN_SECONDS
    if time.monotonic() - self._shown < pause:
      return
    self._shown = time.monotonic()
    counts = (
        f'{self._finished} of {self._total} runs finished,'
        f' {len(running)} running, {waiting} waiting'
        + (f', {self._failed} failed' if self._failed else '')
    )
    rows = [self._row(run) for run in running]
    if not self._is_live:
      for row in rows:
        self.note(
            f'{row[1]} {row[0]} {row[2]}: {row[3]} steps | return {row[4]} |'
            f' {row[5]} minutes | ETA {row[6]}'
        )
      self.note(counts)
      return
    self._erase()
    columns, height = shutil.get_terminal_size()
    table = [_HEADINGS, *rows] if rows else []
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = [
        '  '.join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip()
        for row in table
    ]
    # A terminal that scrolled could not be drawn over.
    lines = [line[: columns - 1] for line in [*lines[: height - 3], counts]]
    self._write('\n'.join(lines) + '\n')
    self._drawn = len(lines)

  def note(self, text: str) -> None:
    """Writes a line that stays, above the table."""
    self._erase()
    self._write(f'{text}\n')

  def close(self) -> None:
    """Ends the display."""
    self._erase()

  def _row(self, run: runs_lib.Run) -> tuple[str, ...]:
    now = run.progress()
    value = now.mean_return
    return (
        run.setting.name,
        run.setting.task,
        str(run.seed),
        f'{now.steps:,}',
        '-' if value is None else f'{value:.3g}',
        f'{now.minutes:.1f}',
        self._time_left(run, now),
    )

  def _time_left(self, run: runs_lib.Run, now: runs_lib.Progress) -> str:
    """Returns how long a run takes at most, by its speed since its start."""
    start = self._starts[run.key]
    left = []
    if start.last_step is not None and now.steps > start.step:
      rate = (now.steps - start.step) / (time.monotonic() - start.seconds)
      left.append((start.last_step - now.steps) / rate)
    if start.minutes is not None:
      left.append(60 * (start.minutes - now.minutes))
    return progress_lib.duration(max(0.0, min(left))) if left else '-'

  def _erase(self) -> None:
    if self._drawn:
      self._write(_UP.format(self._drawn) + _CLEAR)
      self._drawn = 0

  def _write(self, text: str) -> None:
    with contextlib.suppress(OSError):
      self._stream.write(text)
      self._stream.flush()


def _summary(run: runs_lib.Run) -> str:
  now = run.progress()
  value = now.mean_return
  return (
      f'{now.steps:,} steps | return'
      f' {"-" if value is None else f"{value:.3g}"} |'
      f' {now.minutes:.1f} minutes'
  )
