"""Has the compiler of a TPU compile the train step of every recipe.

  python -m tests.acceptance.every_preflight
  python -m tests.acceptance.every_preflight --recipes=bsuite --chips=v5e

Each is a run of `r2i-tpu-preflight`, minutes long; what --results has is not
run again. The table of all that is there goes into docs/performance.md, the
numbers into docs/tpu_preflight.json.
"""

import json
import pathlib
import shutil
import subprocess
import sys
from typing import Any

from absl import flags

from benchmarks import tables
from r2i_tf.programs import command_line

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_TOPOLOGIES = {'v4': 'v4:2x2x1', 'v5e': 'v5e:2x2', 'v5p': 'v5p:2x2x1'}
_REPLICAS = 4  # Of the programs of one of several.

_RECIPES = flags.DEFINE_list(
    'recipes',
    [
        'quickstart',
        'bsuite',
        'popgym',
        'memory_maze',
        'atari100k',
        'dmc_proprio',
        'dmc_vision',
        'learning:repeat_previous',
        'learning:cartpole_balance',
        'learning:catch_images',
    ],
    'Recipes of configs/.',
)
_CHIPS = flags.DEFINE_list('chips', list(_TOPOLOGIES), 'Generations.')
_SHARED = flags.DEFINE_list(
    'shared', ['v5e'], f'Generations to share the batch of {_REPLICAS} chips.'
)
_RESULTS = flags.DEFINE_string(
    'results', 'runs/preflights', 'Where the results and the compiler lie.'
)


def main(_: Any) -> None:
  """Compiles what is not there yet, then reports all that is."""
  results = pathlib.Path(_RESULTS.value).resolve()
  for chip in _CHIPS.value:
    for recipe in _RECIPES.value:
      _compile(results, recipe, chip, 1)
  for chip in _SHARED.value:
    for recipe in _RECIPES.value:
      _compile(results, recipe, chip, _REPLICAS)
  rows = [_row(path) for path in sorted(results.glob('*-*-*.json'))]
  text = ',\n'.join(json.dumps(row) for row in rows)
  (_ROOT / 'docs' / 'tpu_preflight.json').write_text(f'[\n{text}\n]\n')
  document = _ROOT / 'docs' / 'performance.md'
  tables.insert(document, 'tpu_preflight', _table(rows))
  print(_table(rows))


def _compile(
    results: pathlib.Path, recipe: str, chip: str, replicas: int
) -> None:
  name = recipe.replace(':', '.')
  result = results / f'{name}-{chip}-{replicas}.json'
  if result.exists():
    return
  print(result.stem, flush=True)
  process = subprocess.run(
      [
          sys.executable,
          'launch/tpu_preflight.py',
          f'--config={recipe}',
          f'--topology={_TOPOLOGIES[chip]}',
          f'--workdir={results}',
          *([f'--replicas={replicas}'] if replicas > 1 else []),
      ],
      check=False,
      cwd=_ROOT,
  )
  # 1 says that it does not fit, which is an answer.
  if process.returncode not in (0, 1):
    raise SystemExit(f'{result.stem} could not be compiled.')
  shutil.move(results / 'preflight.json', result)


def _row(path: pathlib.Path) -> dict[str, Any]:
  recipe, chip, _ = path.stem.rsplit('-', 2)
  found = json.loads(path.read_text())
  return {
      'recipe': recipe.replace('.', ':'),
      'chip': chip,
      'precision': found['config']['agent']['precision'],
      **{
          key: found[key]
          for key in (
              'replicas',
              'batch_size',
              'sequence_length',
              'fits',
              'needed_bytes',
              'available_bytes',
              'memory',
              'cost',
              'compile_seconds',
          )
      },
  }


def _table(rows: list[dict[str, Any]]) -> str:
  lines = [
      '| recipe | batch | products | chip | chips | fits | needs (GiB) | of |'
      ' temporaries | accessed, all iterations | exchanges | compile (s) |',
      '|---|---|---|---|---:|---|---:|---:|---:|---:|---:|---:|',
  ]
  for row in rows:
    memory, cost = row['memory'] or {}, row['cost'] or {}
    lines.append(
        f'| `{row["recipe"]}` | {row["batch_size"]} x {row["sequence_length"]}'
        f' | {row["precision"].replace("mixed_", "")} | {row["chip"]} |'
        f' {row["replicas"]} | {"yes" if row["fits"] else "no"} |'
        f' {_gib(row["needed_bytes"])} | {_gib(row["available_bytes"])} |'
        f' {_gib(memory.get("temporaries"))} |'
        f' {_gib(cost.get("repeated_bytes"))} | {cost.get("exchanges", "")} |'
        f' {row["compile_seconds"]:.0f} |'
    )
  return '\n'.join(lines) + '\n'


def _gib(count: Any) -> str:
  return '' if count is None else f'{count / 2**30:.2f}'


if __name__ == '__main__':
  command_line.run(main)
