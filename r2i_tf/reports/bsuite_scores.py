"""BSuite's own score of an experiment, from the records of its runs.

BSuite's analysis takes a data frame with a row for each logged episode: totals
until then, what the environment counts (`bsuite_info`), and the setting's own
arguments, such as memory_length. A record has each episode with the amounts by
which it has raised those counts; here they are added up again.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import importlib
import importlib.util
from typing import Any, NamedTuple, Optional

import numpy as np

from r2i_tf import errors
from r2i_tf.record import records
from r2i_tf.reports import runs as runs_lib

SUITE = 'bsuite/'
# Arguments that number the repetitions of one setting.
_SEEDS = ('seed', 'mapping_seed')
# The greatest return of an episode so far, where the environment has it. All
# other counts are sums.
_BEST, _BEST_OF = 'best_episode', 'raw_return'


class Score(NamedTuple):
  """The score of a setting of the sweep on an experiment.

  Attributes:
    setting: The name of the setting.
    experiment: BSuite's name of the experiment.
    ids: The numbers of BSuite's settings that were run.
    seeds: How many runs there are.
    value: The score, from 0 to 1; None where there is none.
    reason: Why there is none; '' if there is one.
    episodes: Those of the shortest run that it takes into account.
    wanted: How many BSuite asks for.
  """

  setting: str
  experiment: str
  ids: tuple[int, ...]
  seeds: int
  value: Optional[float]
  reason: str
  episodes: int
  wanted: int


def is_installed() -> bool:
  """Returns whether BSuite's analysis can be loaded."""
  return all(map(importlib.util.find_spec, ('bsuite', 'pandas', 'plotnine')))


def has_score(run: runs_lib.Run) -> bool:
  """Returns whether a run has episodes of a setting that BSuite scores."""
  # Those with arguments of one's own are none of its settings.
  return run.task.startswith(SUITE) and '?' not in run.task and run.has_curve


def scores(runs: Sequence[runs_lib.Run]) -> list[Score]:
  """Returns the score of each setting on each experiment.

  Args:
    runs: Of any suite; those that have a score count.
  """
  groups: dict[tuple[str, str], list[runs_lib.Run]] = {}
  for run in runs:
    if has_score(run):
      experiment = run.task.split('/')[1]
      groups.setdefault((experiment, run.setting), []).append(run)
  return [
      _score(setting, experiment, group)
      for (experiment, setting), group in groups.items()
  ]


def _score(
    setting: str, experiment: str, runs: Sequence[runs_lib.Run]
) -> Score:
  from bsuite import sweep
  import matplotlib
  import pandas as pd

  # BSuite changes the style of all plots as it is loaded.
  with matplotlib.rc_context():
    analysis = importlib.import_module(
        f'bsuite.experiments.{experiment}.analysis'
    )
  frames = {run: pd.DataFrame(_rows(run)) for run in runs}
  # BSuite reads the totals at one episode: runs that it compares are cut to
  # the shortest of them.
  lengths: dict[Any, int] = {}
  for run, frame in frames.items():
    group = _group(sweep.SETTINGS[_id(run)])
    lengths[group] = min(lengths.get(group, len(frame)), len(frame))
  cut = []
  for run, frame in frames.items():
    arguments = sweep.SETTINGS[_id(run)]
    frame = frame[: lengths[_group(arguments)]]
    cut.append(
        frame.assign(
            # A seed is to BSuite what another of its settings is.
            bsuite_id=f'{_id(run)}, seed {run.seed}',
            bsuite_env=experiment,
            **{k: v for k, v in arguments.items() if v is not None},
        )
    )
  value: Optional[float] = None
  reason = ''
  frame = pd.concat(cut, ignore_index=True)
  try:
    value = float(analysis.score(frame))
    if not np.isfinite(value):  # Some score the last of many episodes only.
      value, reason = None, 'too few episodes'
  except Exception as error:  # BSuite's, of a frame that it did not make.
    # What a frame lacks is asked for by its name, or is asserted. That of
    # deep_sea needs a pandas from before 2.0.
    lacks = isinstance(error, (AssertionError, KeyError))
    if lacks or 'DataFrame' in str(error):
      reason = 'not recorded'
    else:
      reason = f'BSuite fails: {errors.first_line(error)}'
  return Score(
      setting,
      experiment,
      tuple(sorted({int(run.task.split('/')[2]) for run in runs})),
      len(runs),
      value,
      reason,
      min(lengths.values()),
      analysis.NUM_EPISODES,
  )


def _id(run: runs_lib.Run) -> str:
  return run.task[len(SUITE) :]


def _group(arguments: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
  """Returns what the runs that BSuite compares with each other share."""
  return tuple((k, v) for k, v in arguments.items() if k not in _SEEDS)


def _rows(run: runs_lib.Run) -> Mapping[str, np.ndarray]:
  """Returns the columns that BSuite would have logged, at every episode."""
  steps, returns = [], []
  info: dict[str, list[float]] = {}
  for record in records.read(run.workdir / records.FILE):
    steps.extend(record['episode_steps'])
    returns.extend(_numbers(record['episode_returns']))
    for name, values in record.get('episode_info', {}).items():
      info.setdefault(name, []).extend(_numbers(values))
  columns = {
      'steps': np.array(steps),
      'episode': np.arange(1, len(steps) + 1),
      'episode_return': np.array(returns),
      'total_return': np.cumsum(returns),
  }
  for name, values in info.items():
    # Of a part of the episodes it would be another number.
    if len(values) == len(steps):
      columns[name] = np.cumsum(values)
  if _BEST in info and _BEST_OF in columns:
    columns[_BEST] = np.maximum.accumulate(np.array(info[_BEST_OF]))
  return columns


def _numbers(values: Iterable[Optional[float]]) -> list[float]:
  return [np.nan if value is None else value for value in values]
