"""The page of several runs, or of a sweep: each task, its runs side by side."""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from r2i_tf.record import learning_curve
from r2i_tf.reports import charts
from r2i_tf.reports import curves
from r2i_tf.reports import document
from r2i_tf.reports import health
from r2i_tf.reports import history as history_lib
from r2i_tf.reports import losses
from r2i_tf.reports import markup
from r2i_tf.reports import run_page
from r2i_tf.reports import runs as runs_lib
from r2i_tf.reports import tables

# Beyond so many on a task, a line is a setting and not a run.
_LINES = 12
# What tells runs apart, beside their returns.
_COMPARED = (
    'world_model/reconstruction_loss',
    'world_model/reward_loss',
    health.HELD_OUT,
    'world_model/kl',
    'world_model/free_share',
    'forecast/error',
    'actor/entropy',
    'critic/value',
    'train_steps_per_second',
    losses.MEMORY,
)


def build(
    runs: Sequence[runs_lib.Run],
    rows: Sequence[tables.Row],
    scores: Sequence[document.Section],
) -> str:
  """Returns the page of some runs, as HTML.

  Args:
    runs: In any state.
    rows: The table of their settings.
    scores: Sections over all tasks.
  """
  histories = {
      run: history_lib.read(run.workdir)
      for run in runs
      if run.state is not runs_lib.State.NOT_BEGUN
  }
  tasks = [
      document.Section(
          f'task-{i}',
          task,
          _task(
              [run for group in settings.values() for run in group],
              histories,
              [row for row in rows if row.task == task],
          ),
      )
      for i, (task, settings) in enumerate(tables.group(runs).items(), start=1)
  ]
  minutes = sum(run.last.get('minutes', 0.0) for run in runs)
  waiting = [
      f'{len(found)} {state.value}'
      for state in (runs_lib.State.UNFINISHED, runs_lib.State.NOT_BEGUN)
      for found in [[run for run in runs if run.state is state]]
      if found
  ]
  head = (
      f'<h1>{len(runs)} runs</h1>\n<p class="state">{minutes / 60:.1f} hours of'
      f' wall time. {", ".join(waiting) or "All finished"}.</p>'
  )
  health_section = document.Section('health', 'Health', _health(histories))
  return document.build(
      f'{len(runs)} runs', head, [*tasks, *scores, health_section]
  )


def _task(
    runs: Sequence[runs_lib.Run],
    histories: Mapping[runs_lib.Run, history_lib.History],
    rows: Sequence[tables.Row],
) -> str:
  """Returns a task: its curves, its table, and what else tells runs apart."""
  begun = [run for run in runs if run in histories]
  names, lines = tables.cells(rows)
  cells = [[markup.escape(cell) for cell in line] for line in lines]
  drawn = ''.join(
      charts.chart(
          title,
          _returns(begun, axis),
          charts.Look(
              curves.AXES[axis],
              marks=_asked_for(runs),
              is_tall=True,
              has_legend=False,
          ),
      )
      for axis, title in (
          ('environment_steps', _window(runs)),
          ('minutes', 'The same by the clock'),
      )
  )
  key = charts.legend(_returns(begun, 'minutes'))
  return (
      f'{key}<div class="grid wide">{drawn}</div>'
      f'{markup.table(names, cells, "Settings")}'
      + (_scalars(begun, histories) if len(begun) <= _LINES else '')
  )


def _asked_for(runs: Sequence[runs_lib.Run]) -> Mapping[str, float]:
  """Returns the mean returns that are looked for, as marks."""
  found = {run.threshold for run in runs} - {None}
  if len(found) == 1:
    return {'asked for': found.pop() or 0.0}
  return {
      f'asked for: {value:g}': value for value in found if value is not None
  }


def _window(runs: Sequence[runs_lib.Run]) -> str:
  windows = sorted({run.window for run in runs})
  return f'Mean return of the last {" or ".join(map(str, windows))} episodes'


def _returns(runs: Sequence[runs_lib.Run], axis: str) -> Sequence[charts.Line]:
  """Returns a line a run, or a line a setting with the interval of its mean."""
  if len(runs) <= _LINES:
    found = []
    for i, (run, name) in enumerate(named(runs).items()):
      curve = learning_curve.last_of_each_step(run.curve)
      x = np.asarray(getattr(curve, axis), np.float64)
      if len(x):
        found.append(charts.Line(name, x, curve.mean_returns, style=i))
    return found
  settings: dict[str, list[runs_lib.Run]] = {}
  for run in runs:
    settings.setdefault(run.setting, []).append(run)
  found = []
  for i, (name, group) in enumerate(settings.items()):
    band = curves.band(group, axis)
    if band is not None:
      found.append(charts.Line(name, *band, style=i))
  return found


def _scalars(
    runs: Sequence[runs_lib.Run],
    histories: Mapping[runs_lib.Run, history_lib.History],
) -> str:
  """Returns a chart for each scalar that tells runs apart."""
  found = [
      charts.chart(
          name,
          [
              charts.Line(
                  label,
                  *histories[run].points(name),
                  style=i,
              )
              for i, (run, label) in enumerate(named(runs).items())
              if histories[run].records
          ],
          charts.Look(has_legend=False),
      )
      for name in _COMPARED
  ]
  shown = ''.join(found)
  if not shown or len(runs) < 2:
    return ''
  return (
      f'<h3>Beside each other, against {losses.STEPS}</h3>'
      f'<div class="grid">{shown}</div>'
  )


def named(runs: Sequence[runs_lib.Run]) -> Mapping[runs_lib.Run, str]:
  """Returns what the runs of a task are called, each by a name of its own.

  Args:
    runs: Of one task.
  """
  settings = {run.setting for run in runs}
  several = len(runs) > len(settings)
  return {
      run: f'{run.setting}, seed {run.seed}' if several else run.setting
      for run in runs
  }


def _health(
    histories: Mapping[runs_lib.Run, history_lib.History],
) -> str:
  """Returns the notes of every run that has any."""
  found = []
  for run, history in histories.items():
    notes = health.notes(history)
    if notes:
      name = f'{run.setting} on {run.task}, seed {run.seed}'
      found.append(
          f'<h3>{markup.escape(name)}</h3>{run_page.notes(notes, "h4")}'
      )
  if not histories:
    return ''
  return ''.join(found) or (
      f'<p>None of the {len(health.CHECKS)} known failures shows in any'
      ' record.</p>'
  )
