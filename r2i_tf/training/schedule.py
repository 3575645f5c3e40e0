"""When the run trains, and when it ends."""

import enum
import fractions
import math
from typing import Optional

from r2i_tf import run_config
from r2i_tf.record import records
from r2i_tf.training import episodes


class StopReason(enum.Enum):
  """Why a run ended; the value completes 'stopped because ...'."""

  STEPS = 'it has taken its environment steps (steps)'
  MINUTES = 'its time is up (max_minutes)'
  RETURN = 'it has reached its mean return (stop_at_return)'
  INTERRUPTED = 'it was asked to stop'


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
) -> Optional[StopReason]:
  """Returns why the run is over, None while it is not.

  Args:
    counts: Those of the run.
    minutes: Wall time of the run, over all its starts.
    config: The run.
  """
  if counts.environment_steps >= config.steps:
    return StopReason.STEPS
  if config.max_minutes is not None and minutes >= config.max_minutes:
    return StopReason.MINUTES
  if config.stop_at_return is None or counts.episodes < records.WINDOW:
    return None
  mean_return = counts.mean_return(records.WINDOW)
  if mean_return is not None and mean_return >= config.stop_at_return:
    return StopReason.RETURN
  return None
