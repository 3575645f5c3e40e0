"""The runs of a report, read from their directories.

Which runs are seeds of one setting is said by the sweep that they are of, or
else by the differences of their config.json.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import enum
import functools
import json
import pathlib
from typing import Any, Optional

import numpy as np

from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf.record import learning_curve
from r2i_tf.record import outcome
from r2i_tf.record import records
from r2i_tf.sweeps import runs as sweep_runs
from r2i_tf.training import workdir as workdir_lib


class State(enum.Enum):
  """How far a run is."""

  FINISHED = 'finished'
  UNFINISHED = 'unfinished'
  NOT_BEGUN = 'not begun'


@dataclasses.dataclass(frozen=True)
class Run:
  """A run and its record.

  Attributes:
    task: The task.
    setting: The name that it shares with the other seeds.
    seed: The seed.
    workdir: Its directory.
    state: How far it is.
    window: Episodes that a mean return is taken over.
    threshold: The mean return that is looked for; None for none.
  """

  task: str
  setting: str
  seed: int
  workdir: pathlib.Path
  state: State
  window: int = records.WINDOW
  threshold: Optional[float] = None

  @functools.cached_property
  def curve(self) -> learning_curve.Curve:
    """Its mean return at the end of each episode, over the last `window`.

    Means over fewer than a quarter of the window are left out.
    """
    if self.state is State.NOT_BEGUN:
      return learning_curve.Curve(*3 * [np.zeros([0])])
    curve = learning_curve.read_curve(self.workdir / records.FILE, self.window)
    return learning_curve.Curve(*(x[self.window // 4 :] for x in curve))

  @functools.cached_property
  def last(self) -> Mapping[str, Any]:
    """Its last record; empty before the first."""
    return records.read_last(self.workdir / records.FILE) or {}

  @property
  def has_curve(self) -> bool:
    """Whether enough episodes have finished for a mean return."""
    return len(self.curve.mean_returns) > 0

  @property
  def final_return(self) -> Optional[float]:
    """The mean return at its end, or until now."""
    return float(self.curve.mean_returns[-1]) if self.has_curve else None

  @property
  def reached(self) -> Optional[tuple[int, float]]:
    """Environment steps and minutes at the threshold; None if not reached.

    A mean over less than the whole window does not count.
    """
    if self.threshold is None:
      return None
    full = self.window - 1 - self.window // 4
    at = np.flatnonzero(self.curve.mean_returns[full:] >= self.threshold)
    if not len(at):
      return None
    index = full + at[0]
    return (
        int(self.curve.environment_steps[index]),
        float(self.curve.minutes[index]),
    )

  @functools.cached_property
  def train_step_ms(self) -> Optional[float]:
    """Milliseconds of a train step with the collecting that belongs to it.

    The median over the records.
    """
    if self.state is State.NOT_BEGUN:
      return None
    rates = [
        record.get('train_steps_per_second') or 0.0
        for record in records.read(self.workdir / records.FILE)
    ]
    rates = [rate for rate in rates if rate > 0]
    return 1000 / float(np.median(rates)) if rates else None

  @property
  def parameters(self) -> Optional[int]:
    """How many numbers it has trained; None before its end."""
    found = outcome.read(self.workdir)
    return None if found is None else found.parameters


def collect(
    directories: Sequence[pathlib.Path],
    threshold: Optional[float] = None,
    window: int = records.WINDOW,
) -> list[Run]:
  """Returns the runs of directories.

  Args:
    directories: Each that of a sweep or of a run.
    threshold: Of runs that are of no sweep; None takes their stop_at_return.
    window: Of runs that are of no sweep.

  Returns:
    The runs; settings and tasks in the order of the sweeps, or as given.

  Raises:
    errors.RunError: A directory is neither.
  """
  found: list[Run] = []
  alone: list[pathlib.Path] = []
  for directory in directories:
    if (directory / sweep_runs.FILE).exists():
      found.extend(_of_sweep(directory))
    elif (directory / records.FILE).exists():
      alone.append(directory)
    else:
      raise errors.RunError(
          f'{directory} has neither a {sweep_runs.FILE} nor a {records.FILE}:'
          ' name the --workdir of a sweep or of a run that has begun.'
      )
  return [*found, *_of_workdirs(alone, threshold, window)]


def _of_sweep(directory: pathlib.Path) -> Iterable[Run]:
  book = sweep_runs.Book(directory)
  settings = book.settings()
  by_setting = [
      run
      for setting in settings
      for run in sweep_runs.expand([setting], directory)
  ]
  for run in by_setting:
    setting = run.setting
    state = State.FINISHED if book.is_finished(run) else State.UNFINISHED
    if not (run.workdir / records.FILE).exists():
      state = State.NOT_BEGUN
    threshold = setting.threshold
    if threshold is None:
      threshold = _stop_at_return(_config(run.workdir))
    yield Run(
        setting.task,
        setting.name,
        run.seed,
        run.workdir,
        state,
        setting.window,
        threshold,
    )


def _of_workdirs(
    directories: Sequence[pathlib.Path],
    threshold: Optional[float],
    window: int,
) -> Iterable[Run]:
  configs = [_config(directory) for directory in directories]
  labels = label(configs)
  for directory, config, name in zip(directories, configs, labels):
    if 'task' not in config:
      raise errors.RunError(
          f'{directory} has no config.json that names its task, and is no run'
          ' to report.'
      )
    over = outcome.read(directory) is not None
    yield Run(
        config['task'],
        name,
        int(config.get('seed', 0)),
        directory,
        State.FINISHED if over else State.UNFINISHED,
        window,
        _stop_at_return(config) if threshold is None else threshold,
    )


def label(configs: Sequence[Mapping[str, Any]]) -> list[str]:
  """Returns a name for each configuration, of what differs among them.

  Args:
    configs: Mappings as in config.json. A field that one lacks has its default.

  Returns:
    Such as 'kind=gru, batch_size=8', of the fields that differ between runs of
    one task; the same for those that differ in task, seed and what only ends a
    run; 'run' where nothing else differs.
  """
  defaults = dict(flat(schema.to_mapping(run_config.RunConfig())))
  complete = [{**defaults, **dict(flat(config))} for config in configs]
  names = dict.fromkeys(name for config in complete for name in config)
  tasks = dict.fromkeys(config['task'] for config in complete)
  groups = [[c for c in complete if c['task'] == task] for task in tasks]
  differing = [
      name
      for name in names
      if name.partition('.')[0] not in workdir_lib.CHANGEABLE | {'task', 'seed'}
      and any(len({repr(c.get(name)) for c in group}) > 1 for group in groups)
  ]
  short = {name: _shortened(name, differing) for name in differing}
  return [
      ', '.join(
          f'{short[name]}={config[name]}'
          for name in differing
          if name in config
      )
      or 'run'
      for config in complete
  ]


def flat(
    config: Mapping[str, Any], path: str = ''
) -> Iterable[tuple[str, Any]]:
  """Yields dotted names of fields and their values.

  Args:
    config: Nested mappings.
    path: What stands before the names.
  """
  for key, value in config.items():
    name = f'{path}.{key}' if path else key
    if isinstance(value, Mapping):
      yield from flat(value, name)
    else:
      yield name, value


def _shortened(name: str, names: Sequence[str]) -> str:
  """Returns the last parts of a dotted name, as many as make it unlike others.

  Args:
    name: One of these:
    names: All.
  """
  parts = name.split('.')
  for count in range(1, len(parts)):
    end = '.'.join(parts[-count:])
    if sum(f'.{other}'.endswith(f'.{end}') for other in names) == 1:
      return end
  return name


def _config(directory: pathlib.Path) -> Mapping[str, Any]:
  """Returns the configuration of a run; empty if there is none yet."""
  try:
    text = (directory / 'config.json').read_text(encoding='utf-8')
    return dict(json.loads(text)['config'])
  except (OSError, ValueError, KeyError, TypeError):
    return {}


def _stop_at_return(config: Mapping[str, Any]) -> Optional[float]:
  return config.get('stop_at_return')
