"""A whole train step of the agent, by the choices of its sequence model.

Every choice of docs/ablations.md that changes what is computed, each beside the
published one: the time of a train step in turn, the parameters, and the numbers
that a policy carries from step to step. Data are random.

  python -m benchmarks.ablations
  python -m benchmarks.ablations --preset=small --batch_size=4 --length=1024

Kinds with a state for each channel have states of `--channel_size`. Actor and
critic see h and z (`policy_input=output`), so that a larger state costs what
memory costs and not what a wider network does.
"""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

from absl import flags

from benchmarks import report
from benchmarks import sizes
from benchmarks import timing
from r2i_tf import config as agent_config
from r2i_tf import errors
from r2i_tf import schema
from r2i_tf.programs import command_line

_BATCH_SIZE = flags.DEFINE_integer('batch_size', 16, 'Sequences in a batch.')
_LENGTH = flags.DEFINE_integer('length', 64, 'Steps of a sequence.')
_CHANNEL_SIZE = flags.DEFINE_integer(
    'channel_size', 8, 'State size of the kinds with a state for each channel.'
)
_WINDOW = flags.DEFINE_integer('window', 16, 'Steps that attention sees.')

_MODEL = 'world_model.sequence_model.'
_S3M = _MODEL + 's3m.'
_PUBLISHED = 'published'


def main(_) -> None:
  """Runs what the flags ask for."""
  from benchmarks import agents
  from r2i_tf import quiet

  shape = (_BATCH_SIZE.value, _LENGTH.value)
  if min(*shape, _CHANNEL_SIZE.value) < 1:
    raise errors.RunError(
        '--batch_size, --length and --channel_size must be positive.'
    )
  config, seconds = agent_config.R2IConfig.preset(sizes.preset()), 1.0
  choices = changes(_CHANNEL_SIZE.value, _WINDOW.value)
  if report.QUICK.value:
    config, shape = agents.plain_config(8, 1, 8, 2, 2), (2, 8)
    choices = changes(2, 3)
  else:
    seconds = report.SECONDS.value
  quiet.first_compilation()
  setting = agents.vector_setting(sizes.preset(), config)
  record = measure(setting, choices, shape, seconds)
  report.finish('ablations', record, tables(record))


def changes(channel_size: int, window: int) -> dict[str, dict[str, Any]]:
  """Returns what each choice changes in the configuration of an agent.

  Args:
    channel_size: State size of the kinds with a state for each channel.
    window: Steps that attention sees.
  """
  size = {_S3M + 'state_size': channel_size}
  alone = {_MODEL + 'resets': False}
  return {
      _PUBLISHED: {},
      's3m.kind=siso': {_S3M + 'kind': 'siso', **size},
      's3m.kind=siso_dplr': {_S3M + 'kind': 'siso_dplr', **size},
      's3m.kind=selective': {
          _S3M + 'kind': 'selective',
          _S3M + 'discretization': 'zoh',
          **size,
      },
      's3m.conjugate_symmetry=True': {_S3M + 'conjugate_symmetry': True},
      's3m.norm=pre': {_S3M + 'norm': 'pre'},
      f's3m.attention_window={window}': {_S3M + 'attention_window': window},
      'resets=False': alone,
      's3m.computation=convolution': {
          _S3M + 'computation': 'convolution',
          **alone,
      },
      'kind=gru': {_MODEL + 'kind': 'gru'},
  }


def measure(
    setting: Any,
    choices: Mapping[str, Mapping[str, Any]],
    shape: tuple[int, int],
    seconds: float,
) -> dict[str, Any]:
  """Measures the train step of every choice.

  Args:
    setting: A `agents.Setting`.
    choices: What each changes in its configuration, as of `changes`.
    shape: (B, T) of a batch.
    seconds: Timing of them all.

  Returns:
    What the JSON file holds: the machine, the setting, a row for each choice.
  """
  import tensorflow as tf

  from benchmarks import agents

  timed, rows = {}, {}
  for name, change in choices.items():
    config = schema.replace(
        setting.config, {'behavior.policy_input': 'output', **change}
    )
    agent = agents.build(dataclasses.replace(setting, config=config))
    experience = agents.trajectories(agent, *shape)
    train = tf.function(agent.train, autograph=False)
    first, info = timing.timed(lambda: train(experience))  # noqa: B023
    timed[name] = lambda f=train, x=experience: f(x)
    state = tf.nest.flatten(agent.policy.policy_state_spec['memory'])
    rows[name] = {
        'choice': name,
        'parameters': sum(
            math.prod(v.shape) for v in agent.world_model.trainable_variables
        ),
        'memory_numbers': sum(math.prod(spec.shape) for spec in state),
        'first_step_s': first,
        'refused': float(info.extra['train/refused']),
    }
    print(f'{name}: first step after {first:.1f} s', flush=True)
  times = timing.in_turn(timed, seconds, least=5)
  for name, row in rows.items():
    row.update(times[name].record(), over=times[name].over(times[_PUBLISHED]))
  return {
      'machine': report.machine(),
      'setting': setting.name,
      'batch_size': shape[0],
      'length': shape[1],
      'rows': list(rows.values()),
  }


def tables(record: dict[str, Any]) -> dict[str, str]:
  """Returns the table, by the name of its place."""
  above = (
      f'{report.machine_line(record["machine"])} Setting: {record["setting"]},'
      f' {record["batch_size"]}x{record["length"]} steps in a batch.'
  )
  columns = {
      'choice': lambda row: f'`{row["choice"]}`',
      'step (ms)': lambda row: row['median_ms'],
      'over published': lambda row: row['over'],
      'first step (s)': lambda row: row['first_step_s'],
      'parameters of the world model': lambda row: row['parameters'],
      'numbers in the memory': lambda row: row['memory_numbers'],
  }
  table = report.markdown(
      list(columns),
      [[value(row) for value in columns.values()] for row in record['rows']],
  )
  return {'ablations': f'{above}\n\n{table}'}


if __name__ == '__main__':
  command_line.run(main)
