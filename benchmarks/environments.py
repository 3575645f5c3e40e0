"""How fast are the environments? One in this process, and a pool of them.

Takes random actions in one task of each domain for some seconds:

  python -m benchmarks.environments --seconds=5 --count=4

and puts steps per second into docs/environments.json and the table of
docs/environments.md. A step is one decision of the agent: four frames of Atari,
two control steps of the control suite.
"""

import json
import os
import pathlib
import platform
import time
from typing import Any, Dict, Optional

from absl import flags
import numpy as np

from benchmarks import tables
from r2i_tf.training import cli

_SECONDS = flags.DEFINE_float('seconds', 5.0, 'Of each measurement.')
_COUNT = flags.DEFINE_integer('count', 4, 'Environments in a pool.')

_DOCS = pathlib.Path(__file__).resolve().parent.parent / 'docs'
_WARM_UP = 3  # Steps that are not counted, beside the reset.
# One of each domain, with what sets it apart from its defaults.
_TASKS = (
    ('bsuite/memory_len/22', None),
    ('popgym/RepeatPreviousHard', None),
    ('popgym/BattleshipHard', None),
    ('memory_maze/9x9', None),
    ('memory_maze/15x15', None),
    ('atari/ms_pacman', None),
    ('atari/ms_pacman', {'grayscale': True}),
    ('dmc/walker/walk', None),
    ('dmc/humanoid/run', None),
    ('dmc/walker/walk', {'observations': 'vision'}),
    ('gymnasium/CartPole-v1', None),
)


def main(_) -> None:
  """Measures every task and writes the table."""
  rows = []
  for task, options in _TASKS:
    rows.append(_row(task, options))
    print(json.dumps(rows[-1]), flush=True)
  _DOCS.joinpath('environments.json').write_text(
      '[\n' + ',\n'.join(json.dumps(row) for row in rows) + '\n]\n'
  )
  tables.insert(_DOCS / 'environments.md', 'throughput', _table(rows))


def _row(task: str, options: Optional[Dict[str, Any]]) -> Dict[str, Any]:
  from r2i_tf import environments

  batch = environments.load_batch(task, 0, 1, options)
  one = _steps_per_second(batch)
  batch.close()
  start = time.monotonic()
  pool = environments.load_batch(
      task, 0, _COUNT.value, options, environments.PoolOptions()
  )
  start = time.monotonic() - start
  many = _steps_per_second(pool)
  pool.close()
  return {
      'task': task,
      'options': options or {},
      'one': round(one),
      'pool': round(many),
      'start_seconds': round(start, 1),
  }


def _steps_per_second(environment) -> float:
  """Returns the steps of all environments of a batch together."""
  spec, size = environment.action_spec(), environment.batch_size
  random = np.random.default_rng(0)

  def step():
    shape = (size, *spec.shape)
    action = random.uniform(spec.minimum, spec.maximum + 1e-6, shape)
    environment.step(action.astype(spec.dtype))

  environment.reset()
  for _ in range(_WARM_UP):
    step()
  start, steps = time.monotonic(), 0
  while time.monotonic() - start < _SECONDS.value:
    step()
    steps += size
  return steps / (time.monotonic() - start)


def _table(rows) -> str:
  lines = [
      f'{os.cpu_count()} cores ({platform.machine()}), no GPU: MuJoCo draws in'
      ' software.',
      '',
      '| task | one environment, in the process | a pool of'
      f' {_COUNT.value} | its start |',
      '|---|---|---|---|',
  ]
  for row in rows:
    options = ', '.join(f'{k}={v}' for k, v in row['options'].items())
    lines.append(
        f'| {row["task"]}{f" ({options})" if options else ""} |'
        f' {row["one"]:,} /s | {row["pool"]:,} /s |'
        f' {row["start_seconds"]:.1f} s |'
    )
  return '\n'.join(lines)


if __name__ == '__main__':
  cli.run(main)
