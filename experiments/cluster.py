"""Does a run of several processes learn as one of one process does?

Trains the quickstart's configuration on BSuite's memory_len in a local cluster:
a replay server, two collectors, a learner and an evaluator. It ends when 95% of
the last 200 episodes are right, or when its time is up:

  python -m experiments.cluster --setting=9 --seeds=0,1,2 --minutes=15

The curves go into docs/cluster.json, their table into docs/distributed.md.
"""

from collections.abc import Sequence
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
_SEEDS = flags.DEFINE_list('seeds', ['0'], 'Seeds of the runs.')
_RUNS = flags.DEFINE_string('runs', 'runs/cluster', 'Where the run lies.')
_COLLECTORS = 2
_SOLVED = 0.9  # A mean return of 0.9 is 95% correct.


def main(_) -> None:
  """Trains, or goes on, and reports all runs that are there."""
  runs = pathlib.Path(_RUNS.value).resolve()
  for seed in _SEEDS.value:
    _train(runs / f'{_SETTING.value}-{seed}', seed)
  rows = []
  for path in sorted(runs.glob('*-*/learner/metrics.jsonl')):
    setting, seed = map(int, path.parent.parent.name.split('-'))
    curve = curves.read(path, _SOLVED)
    if curve is not None:
      rows.append({'setting': setting, 'seed': seed, **curve})
  if not rows:
    raise SystemExit('no run has finished the episodes that a curve needs.')
  curves.write(rows, _ROOT / 'docs' / 'cluster.json')
  tables.insert(_ROOT / 'docs' / 'distributed.md', 'cluster', _table(rows))
  print(_table(rows))


def _train(run: pathlib.Path, seed: str) -> None:
  subprocess.run(
      [
          sys.executable,
          str(_ROOT / 'launch' / 'local_cluster.py'),
          '--config=quickstart',
          f'--task=bsuite/memory_len/{_SETTING.value}',
          f'--config.seed={seed}',
          '--config.steps=10_000_000',
          f'--config.max_minutes={_MINUTES.value}',
          f'--config.stop_at_return={_SOLVED}',
          '--config.checkpoint_seconds=60',
          '--config.roles.export_seconds=120',
          '--config.roles.weights_seconds=2',
          f'--collectors={_COLLECTORS}',
          # As many in all as one process has.
          f'--config.parallel_environments={8 // _COLLECTORS}',
          f'--workdir={run}',
      ],
      check=True,
      cwd=_ROOT,
  )


def _table(rows: Sequence[curves.Row]) -> str:
  lines = [
      '| setting | collectors | seed | 95% correct after | steps | at end |',
      '|---|---|---|---|---|---|',
  ]
  lines.extend(
      f'| {row["setting"]} | {_COLLECTORS} | {row["seed"]}'
      f' |{curves.reached(row)} {50 * (row["last"] + 1):.1f}% |'
      for row in rows
  )
  return '\n'.join(lines) + '\n'


if __name__ == '__main__':
  command_line.run(main)
