r"""A whole train step, by sequence length: S3M, GRU, DreamerV3.

World model, imagination, actor, critic and optimisers, on random trajectories
of always the same number of steps: twice the length, half the sequences.

  python -m benchmarks.train_step
  python -m benchmarks.train_step --preset=tiny --lengths=64,1024
  python -m benchmarks.train_step --config=bsuite --tokens=16_384 \
      --lengths=16384 --gru_max_length=0 --config.agent.precision=mixed_bfloat16
  python -m benchmarks.train_step --hlo=DIRECTORY --hlo_device=tpu

Without --preset and --config: three numbers to see, two actions, 128 units, a
state of 3 x 64, 8 latents of 8 classes. A config's task says what is seen.
"""

from collections.abc import Sequence
import dataclasses
from typing import Any, NamedTuple, Optional

from absl import flags

from benchmarks import lengths as lengths_lib
from benchmarks import report
from benchmarks import sizes
from benchmarks import timing
from r2i_tf import config as agent_config
from r2i_tf import errors
from r2i_tf.programs import command_line
from r2i_tf.programs import config_flag

_CONFIG = config_flag.define(required=False)
_GRU_MAX_LENGTH = flags.DEFINE_integer(
    'gru_max_length', 1024, 'Greatest length for GRUs; 0 leaves them out.'
)
_STARTS = flags.DEFINE_integer(
    'starts_per_sequence', None, "Imagination starts, for the setting's own."
)
_PRECISION = flags.DEFINE_enum(
    'precision',
    None,
    ['float32', 'mixed_bfloat16'],
    "Of the products, for the setting's own.",
)

_MATRIX = 2048  # Rows and columns of the product that gauges the machine.
_S3M = 's3m'
_MODELS = {
    _S3M: (
        agent_config.SequenceModelKind.S3M,
        agent_config.Posterior.NON_RECURRENT,
    ),
    'gru': (
        agent_config.SequenceModelKind.GRU,
        agent_config.Posterior.NON_RECURRENT,
    ),
    'dreamerv3': (
        agent_config.SequenceModelKind.GRU,
        agent_config.Posterior.RECURRENT,
    ),
}
_TITLES = {_S3M: 'S3M', 'gru': 'GRU', 'dreamerv3': 'DreamerV3'}


class Case(NamedTuple):
  """One thing that is timed: one of `_MODELS` and a batch."""

  kind: str
  batch_size: int
  length: int


def main(_) -> None:
  """Runs what the flags ask for."""
  from r2i_tf import quiet

  lengths = report.numbers(lengths_lib.LENGTHS)
  tokens = lengths_lib.TOKENS.value
  seconds = report.SECONDS.value
  if report.QUICK.value:
    lengths, tokens, seconds = [8], 16, 0.5
  setting = _changed(_setting(), _STARTS.value, _PRECISION.value)
  each = cases(lengths, tokens, _GRU_MAX_LENGTH.value)
  quiet.first_compilation()
  if report.HLO.value:
    with report.hlo_target():
      _write_hlo(setting, each)
    return
  record = measure(setting, each, seconds)
  report.finish(
      'train_step', record, tables(record), lambda it: plot(record, it)
  )


def cases(
    lengths: Sequence[int], tokens: int, gru_max_length: int
) -> list[Case]:
  """Returns what is timed, S3M first.

  Args:
    lengths: Of the sequences.
    tokens: Steps in a batch; every length must divide it.
    gru_max_length: Greatest length for those with a GRU.

  Raises:
    errors.RunError: A length does not divide `tokens`.
  """
  lengths_lib.check(lengths, tokens)
  return [
      Case(kind, tokens // length, length)
      for kind in _MODELS
      for length in lengths
      if kind == _S3M or length <= gru_max_length
  ]


def measure(
    setting: Any, each: Sequence[Case], seconds: float
) -> dict[str, Any]:
  """Measures the train step in every case.

  Args:
    setting: A `agents.Setting`; its sequence model's kind and its posterior are
      replaced.
    each: The cases.
    seconds: Timing of them all.

  Returns:
    What the JSON file holds: the machine, the setting, a row for each case.
  """
  import tensorflow as tf

  from benchmarks import agents
  from benchmarks import flops

  timed, rows = {}, {}
  for case in each:
    agent = agents.build(_with_kind(setting, case.kind))
    experience = agents.trajectories(agent, case.batch_size, case.length)
    train = tf.function(agent.train, autograph=False)
    traced, concrete = timing.timed(
        lambda: train.get_concrete_function(experience)  # noqa: B023
    )
    first, info = timing.timed(lambda: train(experience))  # noqa: B023
    timed[case] = lambda f=train, x=experience: f(x)
    rows[case] = {
        **case._asdict(),
        'trace_s': traced,
        'first_step_s': traced + first,
        'matrix_gflop': 1e-9 * flops.matrix_flops(concrete),
        'loss': float(info.loss),
        'refused': float(info.extra['train/refused']),
    }
    print(
        f'{case.batch_size}x{case.length} {case.kind}: first step after'
        f' {traced + first:.1f} s',
        flush=True,
    )

  square = tf.random.normal([_MATRIX, _MATRIX])
  product = tf.function(tf.matmul, jit_compile=True)
  timed['product'] = lambda: product(square, square)
  times = timing.in_turn(timed, seconds, least=5)
  rate = 2e-9 * _MATRIX**3 / times['product'].median
  for case, row in rows.items():
    shortest = next(other for other in each if other.kind == case.kind)
    twin = case._replace(kind=_S3M)
    row.update(
        times[case].record(),
        over_s3m=times[case].over(times[twin]),
        over_shortest=times[case].over(times[shortest]),
        floor_ms=1e3 * row['matrix_gflop'] / rate,
        over_floor=times[case].median * rate / row['matrix_gflop'],
    )
  return {
      'machine': report.machine(),
      'setting': setting.name,
      'starts_per_sequence': setting.config.behavior.starts_per_sequence,
      'precision': setting.config.precision.value,
      'product_ms': 1e3 * times['product'].median,
      'product_gflop_per_s': rate,
      'rows': list(rows.values()),
  }


def of_kind(
    config: agent_config.R2IConfig, kind: str
) -> agent_config.R2IConfig:
  """Returns the config of an agent with one of the models that are timed.

  Args:
    config: Its sequence model's kind and its posterior are replaced.
    kind: 's3m', 'gru' or 'dreamerv3'.
  """
  world_model = config.world_model
  of_memory, posterior = _MODELS[kind]
  sequence_model = dataclasses.replace(
      world_model.sequence_model, kind=of_memory
  )
  world_model = dataclasses.replace(
      world_model, sequence_model=sequence_model, posterior=posterior
  )
  return dataclasses.replace(config, world_model=world_model)


def tables(record: dict[str, Any]) -> dict[str, str]:
  """Returns the table, by the name of its place."""
  starts = record['starts_per_sequence']
  above = (
      f'{report.machine_line(record["machine"])} Setting:'
      f' {record["setting"]}, {record["precision"]}, imagination from'
      f' {"every step" if starts is None else f"{starts} steps a sequence"}.'
      f' A product of two {_MATRIX} x {_MATRIX} float32 matrices took'
      f' {record["product_ms"]:.0f} ms,'
      f' {record["product_gflop_per_s"]:.0f} GFLOP/s.'
  )
  columns = {
      'B x T': lambda row: f'{row["batch_size"]}x{row["length"]}',
      'model': lambda row: _TITLES[row['kind']],
      'step (ms)': lambda row: row['median_ms'],
      'over S3M': lambda row: row['over_s3m'],
      'over shortest': lambda row: row['over_shortest'],
      'floor (ms)': lambda row: row['floor_ms'],
      'over floor': lambda row: row['over_floor'],
      'trace (s)': lambda row: row['trace_s'],
      'first step (s)': lambda row: row['first_step_s'],
  }
  table = report.markdown(
      list(columns),
      [[value(row) for value in columns.values()] for row in record['rows']],
  )
  return {'train_step': f'{above}\n\n{table}'}


def plot(record: dict[str, Any], picture) -> None:
  """Draws the step's time, and that of the first, against the length."""
  steady, first = picture.subplots(1, 2)
  for kind in dict.fromkeys(row['kind'] for row in record['rows']):
    rows = [row for row in record['rows'] if row['kind'] == kind]
    lengths = [row['length'] for row in rows]
    for axes, key in ((steady, 'median_ms'), (first, 'first_step_s')):
      axes.plot(lengths, [row[key] for row in rows], 'o-', label=_TITLES[kind])
  rows = [row for row in record['rows'] if row['kind'] == _S3M]
  lengths = [row['length'] for row in rows]
  floors = [row['floor_ms'] for row in rows]
  steady.plot(lengths, floors, '--', color='0.6', label='floor of S3M')
  tokens = rows[0]['batch_size'] * rows[0]['length']
  for axes in (steady, first):
    axes.set_xscale('log', base=2)
    axes.set_yscale('log')
    low, high = axes.get_ylim()
    axes.set_ylim(low / 2, 2 * high)  # Or noise would look like growth.
    axes.set_xlabel(f'sequence length, {tokens:,} steps in a batch')
    axes.legend()
  steady.set_ylabel('train step (ms)')
  first.set_ylabel('first train step, with tracing (s)')


def _setting():
  """Returns the setting that --preset or --config names."""
  from benchmarks import agents

  config = _CONFIG.value
  if config is not None and sizes.PRESET.value:
    raise errors.RunError('--preset and --config exclude each other.')
  if config is not None:
    return agents.run_setting(config_flag.run_config(config))
  if sizes.PRESET.value:
    preset = agent_config.R2IConfig.preset(sizes.PRESET.value)
    return agents.vector_setting(sizes.PRESET.value, preset)
  if report.QUICK.value:
    return agents.vector_setting('smallest', agents.smallest_config())
  return agents.vector_setting('vector', agents.plain_config())


def _changed(setting, starts: Optional[int], precision: Optional[str]):
  """Returns the setting with what the flags change."""
  config = setting.config
  if starts is not None:
    config = dataclasses.replace(
        config,
        behavior=dataclasses.replace(
            config.behavior, starts_per_sequence=starts
        ),
    )
  if precision is not None:
    precision = agent_config.Precision(precision)
    config = dataclasses.replace(config, precision=precision)
  return dataclasses.replace(setting, config=config)


def _with_kind(setting, kind: str):
  return dataclasses.replace(setting, config=of_kind(setting.config, kind))


def _write_hlo(setting, each: Sequence[Case]) -> None:
  from benchmarks import agents

  for case in each:
    agent = agents.build(_with_kind(setting, case.kind))
    report.write_hlo(
        f'train_step-{case.kind}-{case.batch_size}x{case.length}',
        agent.train_step_hlo(case.batch_size, case.length),
    )


if __name__ == '__main__':
  command_line.run(main)
