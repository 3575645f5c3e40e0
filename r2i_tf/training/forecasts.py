"""Whether the world model foresees anything: measured for records of a run.

A control task whose dynamics are not learned shows it in no loss: the
reconstruction sees each observation before it is asked for it, and a KL below
its free nats has no gradient. It shows where the model goes on without
observations. Nor does a loss on sequences that were trained on show whether the
model knows more than these: that shows beside its loss on others.
"""

import collections
from collections.abc import Callable
from collections.abc import Mapping
from typing import Optional

import numpy as np
from tf_agents.agents import tf_agent

from r2i_tf.agents import foresight
from r2i_tf.agents import r2i_agent
from r2i_tf.training import sequences

_LOOKS = 10  # That a warning is about.
_GOOD = 0.9  # A forecast of less than this share of the other's error is one.
_MOVES = 0.1  # Standing still is no forecast beyond this share of the spread.
_FREE = 0.5
_FREE_SHARE = 'world_model/free_share'
# The losses that are told of sequences held out, by their names in training.
_LOSSES = ('reconstruction_loss', 'reward_loss', 'continuation_loss')
# What the errors of each predictor are called.
_NAMES = {'model': 'error', 'last': 'persistence', 'mean': 'mean'}


def create(
    agent: tf_agent.TFAgent,
    draw: Optional[sequences.Draw],
    note: Callable[[str], None],
) -> Optional['Forecasts']:
  """Returns what measures an agent; None where there is nothing to draw."""
  return None if draw is None else Forecasts(agent, draw, note)


class Forecasts:
  """Compares the model's forecast with standing still; warns once."""

  def __init__(
      self,
      agent: r2i_agent.R2IAgent,
      draw: sequences.Draw,
      note: Callable[[str], None],
  ):
    """Looks at nothing yet.

    Args:
      agent: Its world model forecasts.
      draw: Returns sequences, or None where there are none now.
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
    drawn = self._draw()
    if drawn is None:
      return {}
    found = self._agent.forecast(drawn.trajectory)
    scalars = {}
    if drawn.held_out:
      for name in _LOSSES:
        scalars[f'held_out/{name}'] = float(found.losses[f'world_model/{name}'])
    errors = found.errors
    count = np.asarray(errors.count)
    horizon = self._agent.horizon
    near = (np.asarray(errors.steps) <= horizon) & (count > 0)
    if not np.any(near):
      return scalars
    means = {
        name: float(np.mean(np.asarray(getattr(errors, name))[near]))
        for name in _NAMES
    }
    self._looks.append((*means.values(), losses.get(_FREE_SHARE, 0.0)))
    self._warn(horizon)
    scalars['forecast/error'] = means['model']
    scalars['forecast/persistence'] = means['last']
    for place, steps in enumerate(np.asarray(errors.steps).tolist()):
      if steps in foresight.HORIZONS and count[place]:
        for name, shown in _NAMES.items():
          value = float(getattr(errors, name)[place])
          scalars[f'forecast/{shown}_{steps}'] = value
    return scalars

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
