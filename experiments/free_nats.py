"""Which of the two KL terms may be free below how many nats, and where?

Trains variants of the recipe `learning` with the free nats of the dynamics and
of the representation apart, each run a process of its own that goes on where it
stopped, and puts all that is there into the table of docs/learning.md:

  python -m experiments.free_nats --tasks=cartpole_balance --steps=100_000

A row has the mean return of the last episodes, and means over the last records:
the share of steps whose KL lies below the free nats of the dynamics, and the
squared error of the model's open-loop forecast over that of standing still.
"""

import json
import pathlib
import subprocess
import sys
from typing import Any, Optional

from absl import flags
import numpy as np

from benchmarks import tables
from r2i_tf.programs import command_line
from r2i_tf.record import learning_curve
from r2i_tf.record import records

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_TASKS = flags.DEFINE_list(
    'tasks', ['cartpole_balance'], 'Variants of the recipe `learning`.'
)
_NATS = flags.DEFINE_list(
    'nats',
    ['1:1', '0.1:1', '1:0.1', '0.1:0.1'],
    'Free nats of dynamics and representation.',
)
_SEEDS = flags.DEFINE_list('seeds', ['0'], 'Seeds of the runs.')
_STEPS = flags.DEFINE_integer('steps', 100_000, 'Environment steps of a run.')
_SET = flags.DEFINE_multi_string(
    'set', [], 'More of the configuration, as agent.behavior.discount=0.997.'
)
_NAME = flags.DEFINE_string('name', '', 'What --set makes of it, in the table.')
_RUNS = flags.DEFINE_string('runs', 'runs/free_nats', 'Where the runs lie.')
_WINDOW = 20  # Episodes, and records.


def main(_: Any) -> None:
  """Trains what is asked for, then reports all that is there."""
  runs = pathlib.Path(_RUNS.value).resolve()
  for task in _TASKS.value:
    for nats in _NATS.value:
      for seed in _SEEDS.value:
        _train(runs, task, nats, seed)
  rows = [
      row
      for path in sorted(runs.glob('*/experiment.json'))
      if (row := _read(path)) is not None
  ]
  text = ',\n'.join(json.dumps(row) for row in rows)
  (_ROOT / 'docs' / 'free_nats.json').write_text(f'[\n{text}\n]\n')
  tables.insert(_ROOT / 'docs' / 'learning.md', 'free_nats', _table(rows))
  print(_table(rows))


def _train(runs: pathlib.Path, task: str, nats: str, seed: str) -> None:
  dynamics, representation = nats.split(':')
  workdir = runs / '-'.join(filter(None, (task, nats, _NAME.value, seed)))
  print(workdir.name, flush=True)
  workdir.mkdir(parents=True, exist_ok=True)
  model = '--config.agent.world_model'
  subprocess.run(
      [
          sys.executable,
          'launch/train.py',
          f'--config=learning:{task}',
          f'--workdir={workdir / "run"}',
          f'{model}.dynamics_free_nats={dynamics}',
          f'{model}.representation_free_nats={representation}',
          f'--config.seed={seed}',
          f'--config.steps={_STEPS.value}',
          '--config.max_minutes=None',
          '--config.stop_at_return=None',
          '--config.evaluation_episodes=20',
          *(f'--config.{change}' for change in _SET.value),
      ],
      check=True,
      cwd=_ROOT,
  )
  setting = {
      'task': task,
      'dynamics': float(dynamics),
      'representation': float(representation),
      'change': _NAME.value,
      'seed': int(seed),
  }
  (workdir / 'experiment.json').write_text(json.dumps(setting))


def _read(path: pathlib.Path) -> Optional[dict[str, Any]]:
  """Returns the row of a run; None if it has too few episodes."""
  run = path.parent / 'run'
  curve = learning_curve.read_curve(run / 'metrics.jsonl', _WINDOW)
  found = [
      record
      for record in records.read(run / 'metrics.jsonl')
      if 'world_model/kl' in record
  ]
  if len(curve.mean_returns) < _WINDOW or not found:
    return None
  last = found[-_WINDOW:]
  # Of episodes no longer than the horizon nothing is forecast.
  looks = [record for record in found if record.get('forecast/persistence')]
  looks = looks[-_WINDOW:]
  evaluation = json.loads(
      (run / 'policies' / 'greedy' / 'evaluation.json').read_text()
  )

  def mean(name: str, of: list[dict[str, Any]] = last) -> float:
    return float(np.mean([record[name] for record in of]))

  return {
      **json.loads(path.read_text()),
      'steps': int(curve.environment_steps[-1]),
      'best': round(float(np.max(curve.mean_returns[_WINDOW - 1 :])), 3),
      'last': round(float(curve.mean_returns[-1]), 3),
      'greedy': round(evaluation['mean'], 3),
      'kl': round(mean('world_model/kl'), 3),
      'free_share': round(mean('world_model/free_share'), 3),
      'forecast': round(
          mean('forecast/error', looks) / mean('forecast/persistence', looks),
          3,
      )
      if looks
      else None,
  }


def _table(rows: list[dict[str, Any]]) -> str:
  lines = [
      '| task | dynamics | representation | beside | seed | steps | KL |'
      ' steps below | forecast over standing still | best | at end | greedy |',
      '|---|---|---|---|---|---|---|---|---|---|---|---|',
  ]
  lines.extend(
      f'| `{row["task"]}` | {row["dynamics"]:g} | {row["representation"]:g} |'
      f' {row["change"]} | {row["seed"]} | {row["steps"]:,} | {row["kl"]:.2f} |'
      f' {row["free_share"]:.0%} |'
      f' {"" if row["forecast"] is None else format(row["forecast"], ".2f")} |'
      f' {row["best"]:.3g} | {row["last"]:.3g} | {row["greedy"]:.3g} |'
      for row in rows
  )
  return '\n'.join(lines) + '\n'


if __name__ == '__main__':
  command_line.run(main)
