"""Does it learn, and by remembering? The quickstart on BSuite's memory_len.

Trains the quickstart's configuration at several settings and seeds, one run
after the other, each a process of its own that goes on where it stopped:

  python -m experiments.memory_len --settings=9,22 --seeds=0,1,2 --minutes=15
  python -m experiments.memory_len --settings=22 --seeds=0 --minutes=15 --cut

and puts everything found under --runs into docs/memory_len.json, in place of
what is there of the same setting, seed and memory, and all of it into the
picture docs/memory_len.png and the table of docs/learning.md.

With --cut the memory is cut: the sequence model's hidden state is reset at
every step, in training and in acting. What is learned then is learned without
it. That is done here, from outside; the product has no such option.
"""

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import sys

from absl import flags
import numpy as np

from benchmarks import tables
from experiments import curves
from experiments import cut as cut_lib
from r2i_tf.programs import command_line

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_SETTINGS = flags.DEFINE_list('settings', ['9', '22'], 'Of memory_len, from 0.')
_SEEDS = flags.DEFINE_list('seeds', ['0', '1', '2'], 'Seeds of the runs.')
_MINUTES = flags.DEFINE_float('minutes', 15.0, 'Wall time of one run at most.')
_CUT = flags.DEFINE_bool('cut', False, 'Reset the memory at every step.')
_RUNS = flags.DEFINE_string('runs', 'runs/memory_len', 'Where the runs lie.')
_ONE = flags.DEFINE_string('one', None, 'Internal: train this one run.')

_SOLVED = 0.9  # A mean return of 0.9 is 95% correct.


def main(_) -> None:
  """Trains what is asked for, then reports all that is there."""
  runs = pathlib.Path(_RUNS.value).resolve()
  if _ONE.value:
    _train(runs / _ONE.value, *_parse_name(_ONE.value))
    return
  for setting in _SETTINGS.value:
    for seed in _SEEDS.value:
      name = f'{setting}-{seed}' + ('-cut' if _CUT.value else '')
      print(f'memory_len/{setting}, seed {seed}, cut: {_CUT.value}', flush=True)
      subprocess.run(
          [
              sys.executable,
              '-m',
              'experiments.memory_len',
              f'--one={name}',
              f'--runs={runs}',
              f'--minutes={_MINUTES.value}',
          ],
          check=True,
          cwd=_ROOT,
      )
  _report(runs, _ROOT / 'docs')


def _parse_name(name: str):
  setting, seed, *cut = name.split('-')
  return int(setting), int(seed), bool(cut)


def _train(workdir: pathlib.Path, setting: int, seed: int, cut: bool) -> None:
  from r2i_tf import run_config
  from r2i_tf.training import run

  config = dataclasses.replace(
      run_config.RunConfig.preset('quickstart'),
      task=f'bsuite/memory_len/{setting}',
      seed=seed,
      steps=10_000_000,
      max_minutes=_MINUTES.value,
  )
  memory = cut_lib.cut_memory() if cut else contextlib.nullcontext()
  with memory:
    run.train(config, str(workdir))


def _report(runs: pathlib.Path, docs: pathlib.Path) -> None:
  """Writes the curves, the table and the picture of all runs."""
  from bsuite.experiments.memory_len import sweep

  rows = {}
  if (docs / 'memory_len.json').exists():
    for row in json.loads((docs / 'memory_len.json').read_text()):
      rows[_key(row)] = row
  for path in sorted(runs.glob('*/metrics.jsonl')):
    setting, seed, cut = _parse_name(path.parent.name)
    curve = curves.read(path, _SOLVED)
    if curve is None:
      continue
    length = sweep.SETTINGS[setting]['memory_length']
    row = {'memory_length': length, 'seed': seed, 'cut': cut, **curve}
    rows[_key(row)] = row
  rows = [rows[key] for key in sorted(rows)]
  curves.write(rows, docs / 'memory_len.json')
  tables.insert(docs / 'learning.md', 'memory_len', _table(rows))
  _plot(rows, docs / 'memory_len.png')
  print(_table(rows))


def _key(row):
  return row['cut'], row['memory_length'], row['seed']


def _table(rows) -> str:
  lines = [
      '| memory_length | memory | seed | 95% correct after | steps | at end |',
      '|---|---|---|---|---|---|',
  ]
  for row in rows:
    lines.append(
        f'| {row["memory_length"]} | {"cut" if row["cut"] else "whole"} |'
        f' {row["seed"]} |{curves.reached(row)} {50 * (row["last"] + 1):.1f}% |'
    )
  return '\n'.join(lines) + '\n'


def _plot(rows, output: pathlib.Path) -> None:
  kinds = sorted({(row['cut'], row['memory_length']) for row in rows})
  picture = curves.Picture(
      'BSuite memory_len: the quickstart, one line for each seed',
      'correct, of the last 200 episodes (%)',
  )
  for index, (cut, length) in enumerate(kinds):
    label = f'length {length}' + (', memory cut' if cut else '')
    for row in rows:
      if (row['cut'], row['memory_length']) != (cut, length):
        continue
      correct = 50 * (np.array(row['mean_return']) + 1)
      picture.curve(row, correct, '0.5' if cut else f'C{index}', label)
      label = None  # One entry of the legend for all seeds.
  picture.level(95, '--', None)
  picture.save(output, 20, 102)


if __name__ == '__main__':
  command_line.run(main)
