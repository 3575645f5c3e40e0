r"""What looking at a run costs it, and what a look finds.

  python -m benchmarks.looks --minutes=5

Each recipe is run for so long, and evaluated. The clock is read at each
measurement of the record, at each look, and where episodes of the evaluation
are drawn, on the run's own time: with the tracing of their functions, and
without what happens anyway.
"""

import collections
from collections.abc import Callable
import dataclasses
import json
import pathlib
import tempfile
import time
from typing import Any

from absl import flags

from benchmarks import report
from r2i_tf import run_config
from r2i_tf.programs import command_line

_RECIPES = flags.DEFINE_list(
    'recipes',
    ['quickstart', 'learning:catch_images', 'learning:cartpole_balance'],
    'What is run.',
)
_MINUTES = flags.DEFINE_float('minutes', 5.0, 'How long each is run.')
_KEEP = flags.DEFINE_string(
    'keep', None, 'Directory for the runs, whose pictures are worth a look.'
)
_NOTHING = 1e-3  # Seconds in which nothing can have been done.


def main(_) -> None:
  """Runs each recipe, and writes what its looks have cost and found."""
  command_line.load_tensorflow()
  with tempfile.TemporaryDirectory() as temporary:
    directory = pathlib.Path(_KEEP.value or temporary)
    runs = {name: _run(name, directory) for name in _RECIPES.value}
  record = {
      'machine': report.machine(),
      'minutes': _MINUTES.value,
      'runs': runs,
  }
  report.finish(
      'looks',
      record,
      {'looks': _table(record), 'look_errors': _errors(record)},
  )


def _run(name: str, directory: pathlib.Path) -> dict[str, Any]:
  """Returns what looks have cost a run and what its last one found."""
  from r2i_tf import training
  from r2i_tf.training import drawing
  from r2i_tf.training import forecasts
  from r2i_tf.training import reporting

  seconds: dict[str, list[float]] = collections.defaultdict(list)
  workdir = directory / name.replace(':', '-')
  config = dataclasses.replace(
      run_config.RunConfig.preset(*name.split(':')),
      steps=10**8,
      stop_at_return=None,
      max_minutes=0.5 if report.QUICK.value else _MINUTES.value,
  )
  timed: list[tuple[Any, str, str]] = [
      (forecasts.Forecasts, 'measure', 'measurements'),
      (reporting.Reporting, 'look', 'looks'),
      (drawing, 'draw', 'episodes'),
  ]
  originals = [getattr(owner, method) for owner, method, _ in timed]
  try:
    for (owner, method, what), original in zip(timed, originals):
      setattr(owner, method, _timed(original, seconds[what]))
    begin = time.perf_counter()
    summary = training.train(config, str(workdir))
    total = time.perf_counter() - begin
  finally:
    for (owner, method, _), original in zip(timed, originals):
      setattr(owner, method, original)
  look = json.loads((workdir / 'look' / 'open_loop.json').read_text())
  return {
      'seconds': total,
      'train_steps': summary.train_steps,
      'spent': dict(seconds),
      'share': sum(map(sum, seconds.values())) / total,
      'look': {key: look[key] for key in ('held_out', 'horizons', 'errors')},
  }


def _timed(
    function: Callable[..., Any], seconds: list[float]
) -> Callable[..., Any]:
  """Returns a function that notes how long each call takes."""

  def timed(*arguments: Any) -> Any:
    begin = time.perf_counter()
    result = function(*arguments)
    seconds.append(time.perf_counter() - begin)
    return result

  return timed


def _table(record: dict[str, Any]) -> str:
  rows = []
  for name, run in record['runs'].items():
    spent = run['spent']
    row: list[Any] = [name, run['train_steps']]
    for what in ('measurements', 'looks'):
      # The look of the end is none where there was one just before.
      first, *rest = [value for value in spent[what] if value > _NOTHING]
      mean = sum(rest) / len(rest) if rest else None
      row += [1 + len(rest), first, mean]
    drawn = sum(spent['episodes'])
    rows.append([*row, drawn, run['seconds'], f'{100 * run["share"]:.1f}%'])
  return (
      f'{report.machine_line(record["machine"])} Runs of'
      f' {record["minutes"]:g} minutes; seconds.\n\n'
      + report.markdown(
          [
              'run',
              'train steps',
              'measurements',
              'the first',
              'each other',
              'looks',
              'the first',
              'each other',
              'episodes drawn',
              'the whole run',
              'share',
          ],
          rows,
      )
  )


def _errors(record: dict[str, Any]) -> str:
  rows = []
  for name, run in record['runs'].items():
    look = run['look']
    for place, steps in enumerate(look['horizons']):
      errors = [look['errors'][key][place] for key in ('model', 'last', 'mean')]
      if errors[0] is not None:
        rows.append([name, steps, *errors])
  return report.markdown(
      ['run', 'steps ahead', 'model', 'last observation', 'mean'], rows
  )


if __name__ == '__main__':
  command_line.run(main)
