"""The display of a run: a live line on a terminal, plain lines elsewhere."""

import contextlib
import dataclasses
import shutil
import sys
import time
from typing import Optional, TextIO

import tqdm

_REFRESH_SECONDS = 0.5


@dataclasses.dataclass(frozen=True)
class Status:
  """Where a run stands.

  Attributes:
    environment_steps: Transitions so far.
    steps: Transitions at which the run ends.
    episodes: Episodes finished.
    mean_return: Mean return of the last 100 episodes; None before the first.
    environment_rate: Environment steps a second.
    train_rate: Train steps a second.
    seconds_left: Until the run ends, at this speed; None while unknown.
  """

  environment_steps: int
  steps: int
  episodes: int
  mean_return: Optional[float]
  environment_rate: float
  train_rate: float
  seconds_left: Optional[float]


def describe(status: Status) -> str:
  """Returns `status` in one line, the most important numbers first.

  A narrow terminal cuts the end of the line.
  """
  mean = '-' if status.mean_return is None else f'{status.mean_return:.3g}'
  left = '-' if status.seconds_left is None else duration(status.seconds_left)
  return (
      f'{status.environment_steps:,}/{status.steps:,} steps'
      f' | return {mean} | ETA {left} | {status.episodes:,} episodes'
      f' | {_rate(status.environment_rate)} env/s'
      f' | {_rate(status.train_rate)} train/s'
  )


def duration(seconds: float) -> str:
  """Returns seconds as '42s', '3m12s', '5h07m' or '2d03h'."""
  seconds = round(seconds)
  minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
  if days:
    return f'{days}d{hours % 24:02d}h'
  if hours:
    return f'{hours}h{minutes % 60:02d}m'
  if minutes:
    return f'{minutes}m{seconds % 60:02d}s'
  return f'{seconds}s'


def _rate(rate: float) -> str:
  return f'{rate:,.0f}' if rate >= 100 else f'{rate:.3g}'


class Progress:
  """Shows a run on `stream`; on a terminal as one line that renews itself.

  A stream that takes nothing, such as a log on a full disk, ends no run.
  """

  def __init__(self, steps: int, stream: Optional[TextIO] = None):
    """Starts the display.

    Args:
      steps: Environment steps of the whole run.
      stream: Where to write; standard error by default.
    """
    self._stream = stream or sys.stderr
    self._steps = steps
    self._is_live = self._stream.isatty()
    self._bar: Optional[tqdm.tqdm] = None  # Made with the first status.
    self._shown = 0.0

  def wants_update(self) -> bool:
    """Returns whether the live line is due for renewal."""
    return self._is_live and time.monotonic() - self._shown >= _REFRESH_SECONDS

  def update(self, status: Status) -> None:
    """Renews the live line; does nothing without a terminal."""
    if self._is_live:
      with contextlib.suppress(OSError):
        self._renew(status)

  def _renew(self, status: Status) -> None:
    if self._bar is None:
      self._bar = tqdm.tqdm(
          total=self._steps,
          file=self._stream,
          bar_format='{percentage:3.0f}% {desc} {bar}',
          # Terminals of an unknown size, as in a container, say 0 by 0, and
          # tqdm would show nothing there.
          ncols=shutil.get_terminal_size().columns,
          nrows=2,
      )
    self._shown = time.monotonic()
    self._bar.n = min(status.environment_steps, self._steps)
    self._bar.set_description_str(describe(status))

  def line(self, status: Status) -> None:
    """Writes one plain line, or renews the live one on a terminal."""
    if self._is_live:
      self.update(status)
    else:
      self.note(describe(status))

  def note(self, text: str) -> None:
    """Writes a line that stays, above the live one where there is one."""
    with contextlib.suppress(OSError):
      if self._bar is None:
        print(text, file=self._stream, flush=True)
      else:
        self._bar.write(text, file=self._stream)

  def close(self) -> None:
    """Ends the live line."""
    if self._bar is not None:
      with contextlib.suppress(OSError):
        self._bar.close()
      self._bar = None
