"""A report in a directory: a page to look at, its text, and its numbers.

index.html     one self-contained page: of one run, or of several beside each
               other
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
from typing import Any, NamedTuple

from r2i_tf import errors
from r2i_tf import files
from r2i_tf.reports import bsuite_scores
from r2i_tf.reports import comparison
from r2i_tf.reports import curves
from r2i_tf.reports import document
from r2i_tf.reports import history
from r2i_tf.reports import markup
from r2i_tf.reports import reference
from r2i_tf.reports import run_page
from r2i_tf.reports import runs as runs_lib
from r2i_tf.reports import tables

FILE = 'report.md'
_BSUITE = "BSuite's scores"


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
  style_of = curves.styles(list(dict.fromkeys(run.setting for run in runs)))
  parts = ['# Report', _overview(runs)]
  for task, settings in groups.items():
    parts.append(f'## {task}')
    picture = f'{re.sub(r"[^A-Za-z0-9._-]+", "-", task)}.png'
    if curves.plot(task, settings, style_of, output / picture):
      parts.append(f'![Curves of {task}]({picture})')
    parts.append(tables.markdown([row for row in rows if row.task == task]))
    parts.append(_others(task))
  scores = _scores(runs, output)
  parts.extend(_as_markdown(scores))
  text = '\n\n'.join(part for part in parts if part) + '\n'
  for name, content in {
      'settings.csv': tables.settings_csv(rows),
      'runs.csv': tables.runs_csv(runs),
      'curves.csv': tables.curves_csv(runs),
      FILE: text,
      document.FILE: _page(runs, rows, scores),
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


class _Scores(NamedTuple):
  """A section of scores over tasks.

  Attributes:
    title: Its heading.
    text: What is said of it.
    names: The headings of its table; none without one.
    lines: The cells of each row.
  """

  title: str
  text: str
  names: Sequence[str] = ()
  lines: Sequence[Sequence[str]] = ()


def _page(
    runs: Sequence[runs_lib.Run],
    rows: Sequence[tables.Row],
    scores: Sequence[_Scores],
) -> str:
  """Returns index.html."""
  if len(runs) == 1 and runs[0].state is not runs_lib.State.NOT_BEGUN:
    return run_page.build(history.read(runs[0].workdir))
  sections = [
      document.Section(
          f'scores-{i}',
          section.title,
          ''.join(
              f'<p>{markup.escape(line.removeprefix("- "))}</p>'
              for line in section.text.splitlines()
              if line
          )
          + (
              markup.table(
                  section.names,
                  [list(map(markup.escape, line)) for line in section.lines],
                  section.title,
              )
              if section.names
              else ''
          ),
      )
      for i, section in enumerate(scores, start=1)
  ]
  return comparison.build(runs, rows, sections)


def _as_markdown(scores: Sequence[_Scores]) -> Sequence[str]:
  """Returns the sections of scores as those of report.md."""
  parts = []
  for section in scores:
    parts += [f'## {section.title}', section.text]
    if section.names:
      parts.append(tables.table(section.names, section.lines))
  return parts


def _scores(
    runs: Sequence[runs_lib.Run], output: pathlib.Path
) -> Sequence[_Scores]:
  """Returns the sections of scores over tasks, and writes scores.csv."""
  parts: list[_Scores] = []
  lines: list[Mapping[str, Any]] = []
  if any(map(bsuite_scores.has_score, runs)):
    if bsuite_scores.is_installed():
      of_bsuite = bsuite_scores.scores(runs)
      parts.append(_bsuite(of_bsuite))
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
          _Scores(
              _BSUITE,
              'None: they are computed by BSuite itself, which is not'
              ' installed.',
          )
      )
  aggregates = reference.aggregates(runs)
  if aggregates:
    parts.append(_aggregates(aggregates))
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
    parts.append(
        _Scores(
            'Sources',
            'Scores of others, and the scales:\n\n' + '\n'.join(sources),
        )
    )
  files.write_text(output / 'scores.csv', tables.to_csv(lines))
  return parts


def _aggregates(found: Sequence[reference.Aggregate]) -> _Scores:
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
  return _Scores(
      'Over tasks',
      'Interquartile means of normalised scores, with stratified bootstrap'
      ' intervals of 95%, over the tasks that all settings of a suite have.',
      ['suite', 'setting', 'tasks', 'runs', 'score'],
      lines,
  )


def _bsuite(found: Sequence[bsuite_scores.Score]) -> _Scores:
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
  return _Scores(
      _BSUITE,
      'Computed by BSuite, over those of its settings that were run and after'
      ' as many episodes as its shortest runs have.',
      [*names, 'episodes'],
      lines,
  )
