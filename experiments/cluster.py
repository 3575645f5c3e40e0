"""Does a run of several processes learn as one of one process does?

Trains the quickstart's configuration on BSuite's memory_len in a local cluster:
a replay server, two collectors, a learner and an evaluator. It ends when 95% of
the last 200 episodes are right, or when its time is up:

  python -m experiments.cluster --setting=9 --minutes=15

The curve goes into docs/cluster.json, its line into docs/distributed.md.
"""

import pathlib
import subprocess
import sys

from absl import flags

from benchmarks import tables
from experiments import curves
from r2i_tf.programs import command_line

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_SETTING = flags.DEFINE_integer('setting', 9, 'Of memory_len, from 0.')
_MINUTES = flags.DEFINE_float('minutes', 15.0, 'Wall time at most.')
_COLLECTORS = flags.DEFINE_integer('collectors', 2, 'How many collectors.')
_RUNS = flags.DEFINE_string('runs', 'runs/cluster', 'Where the run lies.')
_SOLVED = 0.9  # A mean return of 0.9 is 95% correct.


def main(_) -> None:
  """Trains, or goes on, and reports."""
  run = pathlib.Path(_RUNS.value).resolve() / str(_SETTING.value)
  subprocess.run(
      [
          sys.executable,
          str(_ROOT / 'launch' / 'local_cluster.py'),
          '--config=quickstart',
          f'--task=bsuite/memory_len/{_SETTING.value}',
          '--config.steps=10_000_000',
          f'--config.max_minutes={_MINUTES.value}',
          f'--config.stop_at_return={_SOLVED}',
          '--config.checkpoint_seconds=60',
          '--config.roles.export_seconds=120',
          '--config.roles.weights_seconds=2',
          f'--collectors={_COLLECTORS.value}',
          f'--workdir={run}',
      ],
      check=True,
      cwd=_ROOT,
  )
  curve = curves.read(run / 'learner' / 'metrics.jsonl', _SOLVED)
  if curve is None:
    raise SystemExit('the run has finished fewer episodes than a curve needs.')
  row = {
      'setting': _SETTING.value,
      'collectors': _COLLECTORS.value,
      **curve,
  }
  curves.write([row], _ROOT / 'docs' / 'cluster.json')
  tables.insert(_ROOT / 'docs' / 'distributed.md', 'cluster', _table(row))
  print(_table(row))


def _table(row: curves.Row) -> str:
  return (
      '| setting | collectors | 95% correct after | steps | at end |\n'
      '|---|---|---|---|---|\n'
      f'| {row["setting"]} | {row["collectors"]} |{curves.reached(row)}'
      f' {50 * (row["last"] + 1):.1f}% |\n'
  )


if __name__ == '__main__':
  command_line.run(main)
