"""The tables and the picture of `benchmarks.peers`."""

from collections.abc import Mapping
from typing import Any

from benchmarks import report
from benchmarks.peer_steps import contenders

_OVER = {
    'time over S3M': lambda row: row['over_s3m'],
    'time over GRU': lambda row: row['over_gru'],
}
_STEPS = {
    'B x T': lambda row: f'{row["batch_size"]}x{row["length"]}',
    'model': lambda row: _name(row),
    'step (ms)': lambda row: row['median_ms'],
    **_OVER,
    'first step (s)': lambda row: row['first_step_s'],
}
_MODELS = {
    'model': lambda row: _name(row),
    'versions': lambda row: ', '.join(map(' '.join, row['versions'].items())),
    'parameters: world model': lambda row: row['parameters']['world_model'],
    'actor': lambda row: row['parameters']['actor'],
    'critic': lambda row: row['parameters']['critic'],
    'imagined in a step': lambda row: row['imagined'],
}
_RUNS = {
    'model': lambda row: _name(row),
    'environment steps a second': lambda row: row['steps_per_s'],
    **_OVER,
    'replayed for each': lambda row: row['replayed'],
}


def _name(row: Mapping[str, Any]) -> str:
  return contenders.CONTENDERS[row['model']].name


def tables(record: Mapping[str, Any]) -> dict[str, str]:
  """Returns the tables, by the names of their places."""
  above = report.machine_line(record['machine'])
  rows, runs = record['rows'], record['runs']
  once = [row for row in rows if row['length'] == rows[0]['length']]
  sequences, length = runs['batch']
  conducted = (
      f'{runs["environments"]} environments, batches of {sequences} x {length},'
      f' {runs["train_ratio"]:g} steps to be replayed for each environment'
      f' step, turns of {runs["turn"]} environment steps.'
  )
  return {
      'peers': f'{above}\n\n{_table(_STEPS, rows)}',
      'peers_models': _table(_MODELS, once),
      'peers_runs': f'{above} {conducted}\n\n{_table(_RUNS, runs["rows"])}',
  }


def _table(columns: Mapping[str, Any], rows: Any) -> str:
  return report.markdown(
      list(columns),
      [[value(row) for value in columns.values()] for row in rows],
  )


def plot(record: Mapping[str, Any], picture: Any) -> None:
  """Draws the train step against the length, and the speeds of the runs."""
  steps, runs = picture.subplots(1, 2)
  for model, contender in contenders.CONTENDERS.items():
    rows = [row for row in record['rows'] if row['model'] == model]
    rows.sort(key=lambda row: row['length'])
    steps.plot(
        [row['length'] for row in rows],
        [row['median_ms'] for row in rows],
        'o-',
        label=contender.name,
    )
  tokens = record['rows'][0]['batch_size'] * record['rows'][0]['length']
  steps.set_xscale('log', base=2)
  steps.set_yscale('log')
  steps.set_xlabel(f'sequence length, {tokens:,} steps in a batch')
  steps.set_ylabel('train step (ms)')
  steps.legend()
  rows = record['runs']['rows']
  colors = [f'C{number}' for number in range(len(rows))]
  speeds = [row['steps_per_s'] for row in rows]
  runs.barh([_name(row) for row in rows], speeds, color=colors)
  runs.invert_yaxis()
  runs.set_xlabel('environment steps a second, CartPole')
