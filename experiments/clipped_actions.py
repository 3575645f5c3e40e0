"""Does it matter what gradient an imagined action passes where it is clipped?

  python -m experiments.clipped_actions --seeds=0,1

A task whose best actions lie at the bounds, cartpole/swingup, by the recipe of
cartpole/balance: with the gradient of a / max(1, |a|), the denominator held, as
it is published and as the project has it, and with that of a plain clip, which
is zero outside of the bounds. The values are the same. Each run goes on where
it stopped; all that are there are put into the table of docs/learning.md.
"""

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import sys
from unittest import mock

from absl import flags
import numpy as np

from benchmarks import tables
from r2i_tf.programs import command_line
from r2i_tf.record import learning_curve

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_SEEDS = flags.DEFINE_list('seeds', ['0'], 'Seeds of the runs.')
_STEPS = flags.DEFINE_integer('steps', 60_000, 'Environment steps of a run.')
_RUNS = flags.DEFINE_string('runs', 'runs/clipped', 'Where the runs lie.')
_ONE = flags.DEFINE_string('one', None, 'Train this one alone, as plain-0.')
_TASK = 'dmc/cartpole/swingup'
_GRADIENTS = {'published': 'of a / max(1, abs(a))', 'plain': 'of a plain clip'}
_WINDOW = 20  # Episodes.


def main(_) -> None:
  """Trains what is asked for, then reports all that is there."""
  runs = pathlib.Path(_RUNS.value).resolve()
  if _ONE.value:
    gradient, seed = _ONE.value.split('-')
    _train(runs / _ONE.value, gradient, int(seed), _STEPS.value)
    return
  for seed in _SEEDS.value:
    for gradient in _GRADIENTS:
      # TensorFlow keeps what a process has traced.
      subprocess.run(
          [
              sys.executable,
              *('-m', 'experiments.clipped_actions'),
              f'--one={gradient}-{seed}',
              f'--runs={runs}',
              f'--steps={_STEPS.value}',
          ],
          check=True,
          cwd=_ROOT,
      )
  table = _table(runs, _STEPS.value)
  tables.insert(_ROOT / 'docs' / 'learning.md', 'clipped_actions', table)
  print(table)


def _train(workdir: pathlib.Path, gradient: str, seed: int, steps: int) -> None:
  command_line.load_tensorflow()
  from r2i_tf import run_config
  from r2i_tf import training

  config = dataclasses.replace(
      run_config.RunConfig.preset('learning', 'cartpole_balance'),
      task=_TASK,
      seed=seed,
      steps=steps,
      max_minutes=None,
      evaluation_episodes=20,
  )
  with _plain_clip() if gradient == 'plain' else contextlib.nullcontext():
    training.train(config, str(workdir))


def _plain_clip() -> contextlib.AbstractContextManager:
  """Returns a context in which what is clipped has no gradient."""
  import tensorflow as tf

  from r2i_tf.behavior import actions

  def flatten(_, sample):
    return tf.clip_by_value(sample, -1.0, 1.0)

  return mock.patch.object(actions.ContinuousActions, 'flatten', flatten)


def _table(runs: pathlib.Path, steps: int) -> str:
  thirds = [steps * part // 3 for part in (1, 2, 3)]
  header = [
      'gradient',
      'seed',
      *(f'return at {step:,} steps' for step in thirds),
      'greedy',
  ]
  lines = [header, ['---'] * len(header)]
  for path in sorted(runs.glob('*-*')):
    gradient, seed = path.name.split('-')
    curve = learning_curve.read_curve(path / 'metrics.jsonl', _WINDOW)
    taken = curve.environment_steps
    returns = [
        curve.mean_returns[int(np.searchsorted(taken, step, 'right')) - 1]
        for step in thirds
    ]
    found = path / 'policies' / 'greedy' / 'evaluation.json'
    greedy = json.loads(found.read_text())['mean']
    lines.append(
        [_GRADIENTS[gradient], seed, *(f'{r:.0f}' for r in returns)]
        + [f'{greedy:.0f}']
    )
  return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


if __name__ == '__main__':
  command_line.run(main)
