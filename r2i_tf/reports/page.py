"""The page of a report, in a directory: report.md, pictures, and CSV files.

report.md      curves and tables by task, then scores over tasks
<task>.png     the curves
settings.csv   the tables
runs.csv       each run
curves.csv     the curve of each run
scores.csv     BSuite's scores, and interquartile means over tasks
"""

from collections.abc import Mapping
from collections.abc import Sequence
import pathlib
import re
from typing import Any

from r2i_tf import errors
from r2i_tf import files
from r2i_tf.reports import bsuite_scores
from r2i_tf.reports import curves
from r2i_tf.reports import reference
from r2i_tf.reports import runs as runs_lib
from r2i_tf.reports import tables

_COLORS = 10  # Of matplotlib's cycle.
FILE = 'report.md'


def write(runs: Sequence[runs_lib.Run], output: pathlib.Path) -> str:
  """Writes the page of some runs.

  Args:
    runs: As `runs.collect` returns them.
    output: The directory; it is made.

  Returns:
    The text of report.md.

  Raises:
    errors.RunError: The directory cannot be written.
  """
  try:
    output.mkdir(parents=True, exist_ok=True)
    return _write(runs, output)
  except OSError as error:
    raise errors.RunError(
        f'--output {output} cannot be written: {errors.first_line(error)}.'
    ) from error


def _write(runs: Sequence[runs_lib.Run], output: pathlib.Path) -> str:
  groups = tables.group(runs)
  rows = tables.rows(groups)
  names = dict.fromkeys(run.setting for run in runs)
  colors = {name: f'C{i % _COLORS}' for i, name in enumerate(names)}
  parts = ['# Report', _overview(runs)]
  for task, settings in groups.items():
    parts.append(f'## {task}')
    picture = f'{re.sub(r"[^A-Za-z0-9._-]+", "-", task)}.png'
    if curves.plot(task, settings, colors, output / picture):
      parts.append(f'![Curves of {task}]({picture})')
    parts.append(tables.markdown([row for row in rows if row.task == task]))
    parts.append(_others(task))
  parts.extend(_scores(runs, output))
  text = '\n\n'.join(part for part in parts if part) + '\n'
  for name, content in {
      'settings.csv': tables.settings_csv(rows),
      'runs.csv': tables.runs_csv(runs),
      'curves.csv': tables.curves_csv(runs),
      FILE: text,
  }.items():
    files.write_text(output / name, content)
  return text


def _overview(runs: Sequence[runs_lib.Run]) -> str:
  """Returns what is there, what is missing, and how to read the tables."""
  minutes = sum(run.last.get('minutes', 0.0) for run in runs)
  lines = [
      f'{len(runs)} runs, {minutes / 60:.1f} hours of wall time.',
  ]
  for state in (runs_lib.State.UNFINISHED, runs_lib.State.NOT_BEGUN):
    found = [run for run in runs if run.state is state]
    if found:
      named = ', '.join(
          f'{run.setting} on {run.task} (seed {run.seed})' for run in found
      )
      lines.append(f'**{len(found)} {state.value}:** {named}.')
  lines.append(
      'Curves and returns are means over seeds with 95% bootstrap intervals,'
      ' of the mean return of the last episodes. A run that is over keeps its'
      ' last one. Steps and minutes to a return are medians, to which a run'
      ' that did not get there counts as never. A train step is given with the'
      ' collecting that belongs to it.'
  )
  return '\n\n'.join(lines)


def _others(task: str) -> str:
  """Returns what others have reached, as a line."""
  scale = reference.scale(task)
  if scale is None or not scale.others:
    return ''
  found = ', '.join(f'{name} {value:g}' for name, value in scale.others.items())
  return f'For comparison: {found}.'


def _scores(
    runs: Sequence[runs_lib.Run], output: pathlib.Path
) -> Sequence[str]:
  """Returns the sections of scores over tasks, and writes scores.csv."""
  parts: list[str] = []
  lines: list[Mapping[str, Any]] = []
  if any(run.task.startswith(bsuite_scores.SUITE) for run in runs):
    parts.append("## BSuite's scores")
    if bsuite_scores.is_installed():
      of_bsuite = bsuite_scores.scores(runs)
      parts.append(_bsuite_table(of_bsuite))
      lines += [
          {
              'score': 'bsuite',
              'of': score.experiment,
              'setting': score.setting,
              'value': score.value,
              'low': None,
              'high': None,
              'runs': score.seeds,
              'episodes': score.episodes,
          }
          for score in of_bsuite
      ]
    else:
      parts.append(
          'None: they are computed by BSuite itself, which is not installed.'
      )
  aggregates = reference.aggregates(runs)
  if aggregates:
    parts += ['## Over tasks', _aggregates_table(aggregates)]
    lines += [
        {
            'score': 'interquartile mean',
            'of': found.suite,
            'setting': found.setting,
            **found.value._asdict(),
            'runs': found.runs,
            'episodes': None,
        }
        for found in aggregates
    ]
  suites = dict.fromkeys(run.task.partition('/')[0] for run in runs)
  sources = [
      f'- {suite}: {reference.source(suite)}'
      for suite in suites
      if reference.source(suite)
  ]
  if sources:
    parts.append('Scores of others, and the scales:\n\n' + '\n'.join(sources))
  files.write_text(output / 'scores.csv', tables.to_csv(lines))
  return parts


def _aggregates_table(found: Sequence[reference.Aggregate]) -> str:
  lines = [
      [
          each.suite,
          each.setting,
          str(each.tasks),
          str(each.runs),
          tables.estimate(each.value),
      ]
      for each in found
  ]
  return (
      'Interquartile means of normalised scores, with stratified bootstrap'
      ' intervals of 95%, over the tasks that all settings of a suite have.\n\n'
      + tables.table(['suite', 'setting', 'tasks', 'runs', 'score'], lines)
  )


def _bsuite_table(found: Sequence[bsuite_scores.Score]) -> str:
  lines = [
      [
          score.experiment,
          score.setting,
          ', '.join(map(str, score.ids)),
          str(score.seeds),
          tables.number(score.value, '.2f', score.reason),
          f'{score.episodes:,} of {score.wanted:,}',
      ]
      for score in found
  ]
  names = ['experiment', 'setting', 'settings of BSuite', 'runs', 'score']
  return (
      tables.table([*names, 'episodes'], lines)
      + '\n\nComputed by BSuite, over those of its settings that were run and'
      ' after as many episodes as its shortest runs have.'
  )
