"""When the run trains, how long at a stretch, and when it ends."""

import enum
import fractions
import math
from typing import Optional

from r2i_tf import run_config
from r2i_tf.record import records
from r2i_tf.training import episodes

_LONGEST_STRETCH = 1.0  # Seconds.


class StopReason(enum.Enum):
  """Why a run ended; the value completes 'stopped because ...'."""

  STEPS = 'it has taken its environment steps (steps)'
  MINUTES = 'its time is up (max_minutes)'
  RETURN = 'it has reached its mean return (stop_at_return)'
  INTERRUPTED = 'it was asked to stop'


class Stretch:
  """How many calls of the learner follow one another before the run looks up.

  Records, checkpoints, the time limit and a request to stop wait for that, and
  so do other hosts, which have to look up at the same call: it depends on
  nothing but counts, and a clock that all of them share.

  Attributes:
    calls: How many; as many as take about a second.
  """

  def __init__(self) -> None:
    self.calls = 1
    self._taken = 0
    self._began = 0.0

  def begin(self, seconds: float) -> None:
    """Begins the next one, longer or shorter than the last.

    Args:
      seconds: The shared clock.
    """
    took = seconds - self._began
    if took > _LONGEST_STRETCH:
      self.calls = max(1, self.calls // 2)
    elif self._taken > self.calls and took < _LONGEST_STRETCH / 2:
      self.calls *= 2
    self._began, self._taken = seconds, 0

  def take(self) -> bool:
    """Returns whether there is another call in it, and counts that."""
    self._taken += 1
    return self._taken <= self.calls


def train_steps_after(
    environment_steps: int, config: run_config.RunConfig
) -> int:
  """Returns how many train steps belong to so many environment steps.

  The steps of the prefill are not trained for. From there on, with n
  environment steps, B sequences of T steps in a batch and a train ratio r,

    train steps = floor(n r / (B T)),

  in exact arithmetic. It is a function of the count alone: no rounding
  accumulates, and a run that was stopped and started owes exactly what one
  that never stopped owes.

  Args:
    environment_steps: Transitions of all environments since the run began.
    config: The run.
  """
  collected = max(0, environment_steps - config.prefill)
  replayed = config.replay.batch_size * config.replay.sequence_length
  ratio = fractions.Fraction(config.train_ratio)
  return math.floor(collected * ratio / replayed)


def stop_reason(
    counts: episodes.Counts,
    minutes: float,
    config: run_config.RunConfig,
    train_is_due: bool = False,
) -> Optional[StopReason]:
  """Returns why the run is over, None while it is not.

  What its counts say holds once it has trained for them, so that how fast a
  machine is does not change the run; the time is over when it is over.

  Args:
    counts: Those of the run.
    minutes: Wall time of the run, over all its starts.
    config: The run.
    train_is_due: Whether train steps that belong to the counts are owed.
  """
  if counts.environment_steps >= config.steps and not train_is_due:
    return StopReason.STEPS
  if config.max_minutes is not None and minutes >= config.max_minutes:
    return StopReason.MINUTES
  if (
      train_is_due
      or config.stop_at_return is None
      or counts.episodes < records.WINDOW
  ):
    return None
  mean_return = counts.mean_return(records.WINDOW)
  if mean_return is not None and mean_return >= config.stop_at_return:
    return StopReason.RETURN
  return None
