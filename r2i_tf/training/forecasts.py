"""Whether the world model foresees anything: a look at each record.

A control task whose dynamics are not learned shows it in no loss: the
reconstruction sees each observation before it is asked for it, and a KL below
its free nats has no gradient. It shows where the model goes on without
observations.
"""

import collections
from collections.abc import Callable
from collections.abc import Mapping
from typing import Optional

import numpy as np
from tf_agents.trajectories import trajectory

from r2i_tf.agents import r2i_agent

SEQUENCES = 4  # Of one look, at most.
_LOOKS = 20  # That a warning is about.
_GOOD = 0.9  # A forecast of less than this share of the other's error is one.
_MOVES = 0.1  # Standing still is no forecast beyond this share of the spread.
_FREE = 0.5
_FREE_SHARE = 'world_model/free_share'


class Forecasts:
  """Compares the model's forecast with standing still; warns once."""

  def __init__(
      self,
      agent: r2i_agent.R2IAgent,
      draw: Callable[[], Optional[trajectory.Trajectory]],
      note: Callable[[str], None],
  ):
    """Looks at nothing yet.

    Args:
      agent: Its world model forecasts.
      draw: Returns trajectories [B, T, ...], or None where there are none now.
        They are not to be missed where the run trains: it would not repeat if
        its batches hung on when it looks.
      note: Shows a line.
    """
    self._agent = agent
    self._draw = draw
    self._note = note
    self._looks: collections.deque[tuple[float, ...]] = collections.deque(
        maxlen=_LOOKS
    )
    self._has_warned = False

  def measure(self, losses: Mapping[str, float]) -> dict[str, float]:
    """Returns the scalars of a look; none where no sequence would do.

    Args:
      losses: The means of the train steps since the last look.
    """
    batch = self._draw()
    if batch is None:
      return {}
    errors = self._agent.forecast(batch)
    if not errors.count:
      return {}
    forecast, persistence = np.mean(errors.forecast), np.mean(
        errors.persistence
    )
    free_share = losses.get(_FREE_SHARE, 0.0)
    self._looks.append(
        (float(forecast), float(persistence), float(errors.spread), free_share)
    )
    self._warn(len(errors.forecast))
    return {
        'forecast/error': float(forecast),
        'forecast/persistence': float(persistence),
    }

  def _warn(self, horizon: int) -> None:
    if self._has_warned or len(self._looks) < _LOOKS:
      return
    forecast, persistence, spread, free = np.mean(self._looks, 0)
    if forecast < _GOOD * persistence or free < _FREE:
      return
    if persistence < _MOVES * spread:
      return  # Hardly anything moves, and nothing is to be foreseen.
    self._has_warned = True
    self._note(
        f'warning: over the next {horizon} steps the world model foresees'
        f' observations no better than if nothing changed (squared error'
        f' {forecast:.3g}, standing still {persistence:.3g}), and in'
        f' {free:.0%} of the steps the KL is below'
        ' agent.world_model.dynamics_free_nats, where nothing teaches it to:'
        ' set that lower'
    )
