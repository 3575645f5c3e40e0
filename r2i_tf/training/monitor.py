"""Reports on a run while it goes: its record, its line, its speed."""

from collections.abc import Mapping
import time
from typing import Any, Optional

import psutil

from r2i_tf import errors
from r2i_tf import locks
from r2i_tf import run_config
from r2i_tf.record import metrics
from r2i_tf.record import progress as progress_lib
from r2i_tf.record import records
from r2i_tf.training import episodes
from r2i_tf.training import forecasts as forecasts_lib
from r2i_tf.training import learner as learner_lib

_RECORDS = 2  # From one with the model's forecast to the next.
_RATE_SECONDS = 2.0  # The shortest time that a rate is taken over.


class Monitor:
  """Watches a run; writes its record and shows progress when it is time.

  Attributes:
    failure: A sentence about why the last record could not be written; '' if
      it was.
  """

  def __init__(
      self,
      config: run_config.RunConfig,
      counts: episodes.Counts,
      learner: learner_lib.Learner,
      writer: metrics.MetricsWriter,
      progress: progress_lib.Progress,
      earlier_seconds: float,
      forecasts: Optional[forecasts_lib.Forecasts] = None,
  ):
    """Starts the clocks.

    Args:
      config: The run.
      counts: Its environment steps and episodes.
      learner: Counts its train steps and keeps its losses.
      writer: Of the record.
      progress: The display.
      earlier_seconds: Wall time of the run before this start.
      forecasts: Looks at the world model for every other record, from the first
        on; None for an agent that has none.
    """
    self._config = config
    self._counts = counts
    self._learner = learner
    self._writer = writer
    self._progress = progress
    self._forecasts = forecasts
    self.failure = ''
    self._since_forecast = _RECORDS
    self._rates = (0.0, 0.0)
    self._recorded_counts = self._numbers()
    self._started = time.monotonic() - earlier_seconds
    self.restart_rates()

  def state(self) -> Mapping[str, Any]:
    """Returns the counts of a checkpoint, as plain values."""
    return {'seconds': self.seconds()}

  def seconds(self) -> float:
    """Returns the wall time of the run, over all its starts."""
    return time.monotonic() - self._started

  def restart_rates(self) -> None:
    """Takes the speed, and the time of the next record, from now on."""
    self._logged = time.monotonic()
    self._rates_start = self._logged, self._numbers()

  def show(self) -> None:
    """Writes a record or renews the live line, if it is time."""
    if time.monotonic() - self._logged >= self._config.log_seconds:
      self.log()
    elif self._progress.wants_update():
      self._progress.update(self._status())

  def log(self) -> None:
    """Writes a record and shows a line; does nothing if nothing happened."""
    if self._numbers() == self._recorded_counts:
      return
    self._rates = self._rates_now()
    self._recorded_counts = environment_steps, train_steps = self._numbers()
    self._logged = time.monotonic()
    if self._logged - self._rates_start[0] >= _RATE_SECONDS:
      self._rates_start = self._logged, self._recorded_counts
    losses = self._learner.take_losses()
    if losses and self._forecasts is not None:
      self._since_forecast += 1
      if self._since_forecast >= _RECORDS:
        self._since_forecast = 0
        losses = {**losses, **self._forecasts.measure(losses)}
    record = {
        records.STEP: environment_steps,
        records.TRAIN_STEP: train_steps,
        'episodes': self._counts.episodes,
        'environment_restarts': self._counts.restarts,
        'minutes': self.seconds() / 60,
        'mean_return_100': self._counts.mean_return(records.SHOWN),
        'mean_return_200': self._counts.mean_return(records.WINDOW),
        'environment_steps_per_second': self._rates[0],
        'train_steps_per_second': self._rates[1],
        'resident_bytes': float(psutil.Process().memory_info().rss),
        **losses,
    }
    self._write(record)
    self._progress.line(self._status())

  def note(self, text: str) -> None:
    """Shows a line that stays."""
    self._progress.note(text)

  def _write(self, record: Mapping[str, Any]) -> None:
    """Writes a record; of those that cannot be written, the first is told."""
    try:
      self._writer.write(record, self._counts.take_finished())
      self.failure = ''
    except locks.LockedError:
      raise
    except errors.RunError as error:
      if not self.failure:
        self.note(f'the run goes on, but {error}')
      self.failure = str(error)

  def _status(self) -> progress_lib.Status:
    environment_rate, train_rate = self._rates_now()
    steps = self._counts.environment_steps
    left = None
    if environment_rate > 0:
      left = max(0, self._config.steps - steps) / environment_rate
      if self._config.max_minutes is not None:
        minutes_left = self._config.max_minutes - self.seconds() / 60
        left = max(0, min(left, 60 * minutes_left))
    return progress_lib.Status(
        environment_steps=steps,
        steps=self._config.steps,
        episodes=self._counts.episodes,
        mean_return=self._counts.mean_return(records.SHOWN),
        environment_rate=environment_rate,
        train_rate=train_rate,
        seconds_left=left,
    )

  def _numbers(self) -> tuple[int, int]:
    return self._counts.environment_steps, self._learner.train_steps

  def _rates_now(self) -> tuple[float, float]:
    """Returns environment and train steps a second, of late."""
    start, then = self._rates_start
    seconds = max(time.monotonic() - start, 1e-9)
    if seconds < _RATE_SECONDS and any(self._rates):
      return self._rates
    now = self._numbers()
    return (now[0] - then[0]) / seconds, (now[1] - then[1]) / seconds
