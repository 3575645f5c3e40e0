"""Has the compiler of a TPU compile the train step of every published recipe.

  python -m benchmarks.tpu_preflight
  python -m benchmarks.tpu_preflight --recipes=bsuite --chips=v5e,v6e

Each is a run of `r2i-tpu-preflight`, minutes long: with the products that the
recipe has, and with float32 on the first of the chips; with the whole batch on
one chip, and on the chips of --shared as the program of one of four that share
it. What docs/tpu_preflight.json has is not compiled again, so a run that was
interrupted goes on; --again compiles it anew. The tables go into
docs/performance.md.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import json
import pathlib
import subprocess
import sys
from typing import Any, NamedTuple

from absl import flags

from benchmarks import tables
from r2i_tf import run_config
from r2i_tf.programs import command_line
from r2i_tf.programs import config_flag

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_FILE = _ROOT / 'docs' / 'tpu_preflight.json'
_TOPOLOGIES = {
    'v4': 'v4:2x2x1',
    'v5e': 'v5e:2x2',
    'v5p': 'v5p:2x2x1',
    'v6e': 'v6e:2x2',
}
_REPLICAS = 4  # Of the programs of one of several.
_FLOAT32 = 'float32'

_RECIPES = flags.DEFINE_list(
    'recipes',
    [
        'bsuite',
        'popgym',
        'memory_maze',
        'atari100k',
        'dmc_proprio',
        'dmc_vision',
    ],
    'Recipes of configs/.',
)
_CHIPS = flags.DEFINE_list('chips', list(_TOPOLOGIES), 'Generations.')
_SHARED = flags.DEFINE_list(
    'shared', ['v5e'], f'Generations to share the batch of {_REPLICAS} chips.'
)
_AGAIN = flags.DEFINE_bool('again', False, 'Compiles what is there, too.')
_PLACE = flags.DEFINE_string(
    'preflights', 'runs/preflights', 'Where the compiler lies.'
)


class _Case(NamedTuple):
  """What is compiled once.

  Attributes:
    recipe: Of configs/.
    precision: Of its products.
    chip: The generation.
    replicas: How many chips share the batch.
  """

  recipe: str
  precision: str
  chip: str
  replicas: int


def main(_: Any) -> None:
  """Compiles what is not there yet; then, and after each, reports all."""
  rows = {_case(row): row for row in json.loads(_FILE.read_text())}
  for case in _cases():
    if _AGAIN.value or case not in rows:
      rows[case] = _compile(case)
      _report(list(rows.values()))
  _report(list(rows.values()))


def _report(rows: list[dict[str, Any]]) -> None:
  """Writes the file of rows, and the page's tables of it."""
  _write(rows)
  document = _ROOT / 'docs' / 'performance.md'
  tables.insert(document, 'tpu_preflight', _table(rows))
  tables.insert(document, 'tpu_shared', _shared_table(rows))


def _cases() -> list[_Case]:
  """Returns what is to be compiled: of one chip, then of several."""
  found = []
  own = {recipe: _precision(recipe) for recipe in _RECIPES.value}
  for chip in _CHIPS.value:
    found += [_Case(recipe, own[recipe], chip, 1) for recipe in own]
  for recipe in own:
    found.append(_Case(recipe, _FLOAT32, _CHIPS.value[0], 1))
  for chip in _SHARED.value:
    found += [_Case(recipe, own[recipe], chip, _REPLICAS) for recipe in own]
  return list(dict.fromkeys(found))


def _precision(recipe: str) -> str:
  name, _, variant = recipe.partition(':')
  config = config_flag.run_config(run_config.recipe(name, variant))
  return str(config.agent.precision.value)


def _case(row: dict[str, Any]) -> _Case:
  return _Case(*(row[name] for name in _Case._fields))


def _compile(case: _Case) -> dict[str, Any]:
  """Returns the row of a case, from a run of the preflight."""
  print(*case, flush=True)
  place = pathlib.Path(_PLACE.value).resolve()
  answer = place / 'preflight.json'
  answer.unlink(missing_ok=True)
  process = subprocess.run(
      [
          sys.executable,
          'launch/tpu_preflight.py',
          f'--config={case.recipe}',
          f'--config.agent.precision={case.precision}',
          f'--topology={_TOPOLOGIES[case.chip]}',
          f'--workdir={place}',
          *([f'--replicas={case.replicas}'] if case.replicas > 1 else []),
      ],
      check=False,
      cwd=_ROOT,
  )
  # 1 says that it does not fit, which is an answer; or is that of a traceback.
  if process.returncode not in (0, 1) or not answer.exists():
    raise SystemExit(f'{" ".join(map(str, case))} could not be compiled.')
  found = json.loads(answer.read_text())
  return {
      **case._asdict(),
      **{
          key: found[key]
          for key in (
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


def _write(rows: Sequence[dict[str, Any]]) -> None:
  text = ',\n'.join(map(json.dumps, rows))
  _FILE.write_text(f'[\n{text}\n]\n')


def _groups(
    rows: Sequence[dict[str, Any]],
) -> Iterator[tuple[dict[str, Any], dict[str, dict[str, Any]]]]:
  """Yields a row of each recipe and precision on one chip, and all by chip."""
  groups: dict[Any, dict[str, dict[str, Any]]] = {}
  for row in rows:
    if row['replicas'] == 1:
      key = row['recipe'], row['precision']
      groups.setdefault(key, {})[row['chip']] = row
  for key in sorted(groups):
    by_chip = groups[key]
    first = next(chip for chip in _TOPOLOGIES if chip in by_chip)
    yield by_chip[first], by_chip


def _table(rows: Sequence[dict[str, Any]]) -> str:
  """Returns what one chip needs for the whole batch: a line for each recipe."""
  lines = [
      '| recipe | batch | products | accessed, body once (GB) | all iterations'
      f' | temporaries (GB) | {" | ".join(_TOPOLOGIES)} | compile (s) |',
      f'|---|---|---|---:|---:|---:|{"---:|" * len(_TOPOLOGIES)}---:|',
  ]
  for row, by_chip in _groups(rows):
    memory, cost = row['memory'] or {}, row['cost'] or {}
    cells = [
        f'`{row["recipe"]}`',
        f'{row["batch_size"]} x {row["sequence_length"]}',
        row['precision'].replace('mixed_', ''),
        _gb(cost.get('bytes_accessed')),
        _gb(cost.get('repeated_bytes')),
        _gb(memory.get('temporaries')),
        *(_fit(by_chip.get(chip)) for chip in _TOPOLOGIES),
        f'{row["compile_seconds"]:.0f}',
    ]
    lines.append(f'| {" | ".join(cells)} |')
  return '\n'.join(lines) + '\n'


def _fit(row: Any) -> str:
  """Returns the share of a chip's memory that is needed, in words of GiB."""
  if row is None:
    return ''
  needed, available = row['needed_bytes'], row['available_bytes']
  text = f'{needed / 2**30:.1f} of {available / 2**30:.1f}'
  return text if row['fits'] else f'**no:** {text}'


def _shared_table(rows: Sequence[dict[str, Any]]) -> str:
  """Returns what each chip needs, of several that share a batch."""
  lines = [
      '| recipe | products | chip | sequences a chip | needs (GiB) |'
      ' accessed, all iterations (GB) | exchanges |',
      '|---|---|---|---:|---:|---:|---:|',
  ]
  for row in rows:
    if row['replicas'] > 1:
      cost = row['cost'] or {}
      exchanges = cost.get('exchanges')
      lines.append(
          f'| `{row["recipe"]}` | {row["precision"].replace("mixed_", "")} |'
          f' {row["chip"]} | {row["batch_size"]} | {_fit(row)} |'
          f' {_gb(cost.get("repeated_bytes"))} |'
          f' {"" if exchanges is None else exchanges} |'
      )
  return '\n'.join(lines) + '\n'


def _gb(count: Any) -> str:
  return '' if count is None else f'{count / 1e9:.2f}'


if __name__ == '__main__':
  command_line.run(main)
