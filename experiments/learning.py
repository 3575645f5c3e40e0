"""Does it learn where memory_len says nothing? Other tasks, on two cores.

Trains the variants of the recipe `learning` at several seeds, one run after the
other, each a process of its own that goes on where it stopped:

  python -m experiments.learning --tasks=cartpole_balance --minutes=90

and puts everything found under --runs into docs/learning_<task>.json and .png,
beside the return of a policy that acts at random, and into the table of
docs/learning.md.
"""

import pathlib
import subprocess
import sys
from typing import NamedTuple

from absl import flags
import numpy as np

from benchmarks import tables
from experiments import curves
from r2i_tf.programs import command_line

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_RECIPE = 'learning'


class Task(NamedTuple):
  """What is asked of a task.

  Attributes:
    title: What the task is.
    threshold: The mean return that is asked for.
    best: The greatest return.
    window: Episodes that a mean return is taken over.
    random_episodes: Episodes of the policy that acts at random.
  """

  title: str
  threshold: float
  best: float
  window: int
  random_episodes: int


_TASKS = {
    'repeat_previous': Task('POPGym RepeatPreviousEasy', 0.9, 1.0, 200, 200),
    'cartpole_balance': Task(
        'DMC cartpole balance, from vectors', 950.0, 1000.0, 20, 40
    ),
    'catch_images': Task(
        'BSuite catch, from 32 x 32 images', 0.9, 1.0, 200, 1000
    ),
}

_NAMES = flags.DEFINE_list('tasks', list(_TASKS), 'Variants of the recipe.')
_SEEDS = flags.DEFINE_list('seeds', ['0'], 'Seeds of the runs.')
_MINUTES = flags.DEFINE_float('minutes', 90.0, 'Wall time of one run at most.')
_RUNS = flags.DEFINE_string('runs', 'runs/learning', 'Where the runs lie.')


def main(_) -> None:
  """Trains what is asked for, then reports all that is there."""
  runs = pathlib.Path(_RUNS.value).resolve()
  for name in _NAMES.value:
    for seed in _SEEDS.value:
      print(f'{name}, seed {seed}', flush=True)
      subprocess.run(
          [
              sys.executable,
              'launch/train.py',
              f'--config={_RECIPE}:{name}',
              f'--workdir={runs / f"{name}-{seed}"}',
              f'--config.seed={seed}',
              f'--config.max_minutes={_MINUTES.value}',
          ],
          check=True,
          cwd=_ROOT,
      )
  _report(runs, _ROOT / 'docs')


def _report(runs: pathlib.Path, docs: pathlib.Path) -> None:
  """Writes the curves, the table and the pictures of all runs."""
  lines = [
      '| task | random | best | asked for | seed | reached after | steps |'
      ' at end | after |',
      '|---|---|---|---|---|---|---|---|---|',
  ]
  for name, task in _TASKS.items():
    rows = []
    for path in sorted(runs.glob(f'{name}-*/metrics.jsonl')):
      seed = int(path.parent.name.rpartition('-')[2])
      curve = curves.read(
          path, task.threshold, task.window, first=task.window // 4
      )
      if curve is not None:
        rows.append({'seed': seed, **curve})
    if not rows:
      continue
    random = curves.number(_random_return(name, task))
    curves.write(
        [{'random': random, **row} for row in rows],
        docs / f'learning_{name}.json',
    )
    _plot(name, rows, random, docs / f'learning_{name}.png')
    lines.extend(
        f'| `{name}` | {random:.3g} | {task.best:g} | {task.threshold:g} |'
        f' {row["seed"]} |{curves.reached(row)} {row["last"]:.3g} |'
        f' {row["minutes"][-1]:.0f} min |'
        for row in rows
    )
  tables.insert(docs / 'learning.md', 'learning', '\n'.join(lines))
  print('\n'.join(lines))


def _random_return(name: str, task: Task) -> float:
  """Returns the mean return of actions drawn evenly."""
  from r2i_tf import environments
  from r2i_tf import run_config

  config = run_config.RunConfig.preset(_RECIPE, name)
  env = environments.load(config.task, 0, config.environment)
  spec, draw = env.action_spec(), np.random.default_rng(0)
  total, step = 0.0, env.reset()
  for _ in range(task.random_episodes):
    while True:
      if spec.dtype.kind == 'f':
        action = draw.uniform(spec.minimum, spec.maximum, spec.shape)
      else:
        action = draw.integers(spec.minimum, spec.maximum, endpoint=True)
      step = env.step(np.asarray(action, spec.dtype))
      total += step.reward
      if step.is_last():
        break
    step = env.reset()
  return float(total) / task.random_episodes


def _plot(name: str, rows, random: float, output: pathlib.Path) -> None:
  task = _TASKS[name]
  picture = curves.Picture(
      f'{task.title}: {_RECIPE}:{name}',
      f'mean return of the last {task.window} episodes',
  )
  for index, row in enumerate(rows):
    picture.curve(row, row['mean_return'], f'C{index}', f'seed {row["seed"]}')
  picture.level(task.best, '-.', 'best')
  picture.level(task.threshold, '--', 'asked for')
  picture.level(random, ':', 'random actions')
  margin = 0.06 * (task.best - random)
  lowest = min(random, *(min(row['mean_return']) for row in rows))
  picture.save(output, lowest - margin, task.best + 2 * margin)


if __name__ == '__main__':
  command_line.run(main)
