"""What health notes are made of: the signs that a record shows."""

from typing import Optional

import numpy as np

from r2i_tf.reports import history as history_lib

_FEW = 6  # Records, train steps and episodes, of which less says nothing.
_TRAIN_STEPS, _EPISODES = 1_000, 40
_FIRST = 100  # Episodes, above whose returns later ones are to rise.
LOOKS = 20  # Records that a mean of a noisy scalar is taken over.
RISEN = 3.0  # Standard errors that a rise is known by.


def is_long(run: history_lib.History) -> bool:
  """Returns whether there is enough of a run to call something a failure."""
  return (
      len(run.records) >= _FEW
      and (run.last.get('train_steps') or 0) >= _TRAIN_STEPS
      and np.isfinite(run.returns).sum() >= _EPISODES
  )


def bad_forecast(run: history_lib.History) -> Optional[str]:
  """Returns what shows that a forecast is no better than standing still.

  None where it is better, or hardly anything moves: less from step to step than
  even the reconstruction, which sees the observation, is off by.
  """
  if not is_long(run):
    return None
  names = (
      'forecast/error',
      'forecast/persistence',
      'world_model/reconstruction_loss',
  )
  means = run.recent_of(names, LOOKS)
  if means is None:
    return None
  error, still, blur = means
  if still <= blur or error < 0.9 * still:
    return None
  return (
      f'Foreseen observations have a squared error of {error:.3g}, and if'
      f' nothing changed any more it would be {still:.3g}.'
  )


def ends(run: history_lib.History) -> tuple[np.ndarray, np.ndarray]:
  """Returns what the first episodes have paid, and the last quarter."""
  returns = run.returns[np.isfinite(run.returns)]
  count = max(1, len(returns) // 4)
  # A task may be learned long before a quarter of the run is over.
  return returns[: min(count, _FIRST)], returns[-count:]


def rise(run: history_lib.History) -> float:
  """Returns by how many standard errors the last returns exceed the first."""
  first, last = ends(run)
  error = np.sqrt(first.var() / len(first) + last.var() / len(last))
  return float((last.mean() - first.mean()) / max(error, 1e-9))


def first_and_last(run: history_lib.History) -> str:
  """Returns in words what `ends` has found."""
  first, last = ends(run)
  return (
      f'the first {len(first):,} episodes paid {first.mean():.3g} and the last'
      f' {len(last):,} {last.mean():.3g}'
  )
