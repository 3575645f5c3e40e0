"""Sections of a run's page: losses beside what is healthy, and speed."""

from collections.abc import Sequence
import re

import numpy as np

from r2i_tf.record import records
from r2i_tf.reports import charts
from r2i_tf.reports import health
from r2i_tf.reports import history as history_lib
from r2i_tf.reports import markup
from r2i_tf.reports import scalars

STEPS = 'environment steps'
MEMORY = 'resident_bytes'
_GIGABYTE = 1e9
# Errors of the model so many steps ahead, as far as its sequences go; those of
# trivial predictors are beside the last of them, in the open-loop predictions.
_FURTHER = 'forecast/error_5', 'forecast/error_15', 'forecast/error_50'
_TRIVIAL = re.compile(r'forecast/(persistence|mean)_[0-9]+')
# Headings, and the charts below them: a scalar, and those drawn with it.
_GROUPS = (
    (
        'World model',
        (
            (
                'world_model/reconstruction_loss',
                'held_out/reconstruction_loss',
            ),
            ('world_model/reward_loss', health.HELD_OUT),
            ('world_model/continuation_loss', 'held_out/continuation_loss'),
            ('world_model/kl',),
            ('world_model/free_share',),
            ('world_model/prior_entropy', 'world_model/posterior_entropy'),
            ('forecast/error', 'forecast/persistence'),
            ('forecast/error_1', *_FURTHER),
        ),
    ),
    (
        'Actor and critic',
        (
            ('actor/entropy',),
            ('returns/mean', 'critic/value'),
            ('critic/loss', 'critic/replay_loss'),
            ('critic/error',),
            ('returns/scale',),
            ('actor/advantage',),
            ('actor/loss',),
        ),
    ),
    (
        'Gradients',
        (
            ('world_model/gradient_norm',),
            ('ssm/gradient_norm',),
            ('actor/gradient_norm',),
            ('critic/gradient_norm',),
            ('train/refused',),
        ),
    ),
)
# Sums of others, and what the sections of speed and of returns show.
_ELSEWHERE = frozenset(
    {
        records.STEP,
        records.TRAIN_STEP,
        'episodes',
        'minutes',
        'environment_restarts',
        'mean_return_100',
        'mean_return_200',
        'environment_steps_per_second',
        'train_steps_per_second',
        MEMORY,
        'loss',
        'world_model/loss',
        'world_model/dynamics_loss',
        'world_model/representation_loss',
    }
)


def losses(run: history_lib.History) -> str:
  """Returns the scalars of a run, each beside what is healthy, as HTML.

  Args:
    run: Its history.
  """
  there = [name for name in run.names if np.isfinite(run.series(name)).any()]
  drawn = {name for _, group in _GROUPS for names in group for name in names}
  others = [
      name
      for name in there
      if name not in drawn | _ELSEWHERE and not _TRIVIAL.fullmatch(name)
  ]
  groups = [*_GROUPS, ('Others', tuple((name,) for name in others))]
  parts = []
  for heading, group in groups:
    found = [_scalar(names, run) for names in group if names[0] in there]
    if found:
      parts.append(
          f'<h3>{heading}</h3><div class="grid">{"".join(found)}</div>'
      )
  if not parts:
    return ''
  return (
      f'<p class="intro">Against {STEPS}, each point the mean since the record'
      ' before. The tinted part, with dashed edges, is the healthy range,'
      ' where there is one in numbers.</p>' + ''.join(parts)
  )


def _scalar(names: Sequence[str], run: history_lib.History) -> str:
  """Returns the chart of a scalar with those that belong beside it."""
  lines = [charts.Line(name, *run.points(name)) for name in names]
  range_ = scalars.healthy(names[0], run)
  return charts.chart(
      names[0],
      lines,
      charts.Look(
          healthy=(range_.low, range_.high) if range_.is_bounded else None,
          marks=range_.marks,
      ),
      _caption(names[0], range_, run),
  )


def _caption(name: str, range_: scalars.Range, run: history_lib.History) -> str:
  """Returns the value of late, and what is said of it."""
  known = scalars.known().get(name)
  now = run.recent(name, 3)
  text = ''
  if now is not None:
    verdict = ''
    if range_.is_bounded:
      is_healthy = range_.holds(now)
      verdict = ', healthy' if is_healthy else ', <strong>not healthy</strong>'
    text = f'<span class="now">now {now:.3g}{verdict}</span>'
  if known is not None:
    meaning = markup.inline(known.meaning)
    healthy = markup.inline(known.healthy)
    text += f'<span class="meaning">{meaning}</span>'
    if healthy:
      text += f'<span class="healthy"><b>Healthy:</b> {healthy}</span>'
  return text


def speed(run: history_lib.History) -> str:
  """Returns how fast a run was, and what memory it took, as HTML.

  Args:
    run: Its history.
  """
  minutes = run.series('minutes')
  look = charts.Look(x_title='minutes')
  found = [
      charts.chart(
          title,
          [charts.Line(title, minutes, run.series(name) / unit)],
          look,
          _median(run.series(name) / unit, after),
      )
      for title, name, unit, after in (
          ('Train steps a second', 'train_steps_per_second', 1.0, ''),
          (
              'Environment steps a second',
              'environment_steps_per_second',
              1.0,
              '',
          ),
          ('Memory of the process', MEMORY, _GIGABYTE, ' GB'),
      )
  ]
  shown = ''.join(found)
  return f'<div class="grid">{shown}</div>' if shown else ''


def _median(values: np.ndarray, unit: str) -> str:
  known = values[np.isfinite(values)]
  if not len(known):
    return ''
  return f'<span class="now">median {np.median(known):.3g}{unit}</span>'
