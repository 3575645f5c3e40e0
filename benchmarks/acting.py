"""How many steps a second the policy takes, by the size of the batch.

The collect policy's `action` in a `tf.function`, its state carried from step to
step, on a random observation that stays the same: what acting costs without an
environment. At batch 1 also the exported SavedModel.

  python -m benchmarks.acting
  python -m benchmarks.acting --configs=quickstart --batch_sizes=1,8
"""

from collections.abc import Mapping
from collections.abc import Sequence
import tempfile
from typing import Any

from absl import flags

from benchmarks import report
from benchmarks import timing
from r2i_tf.programs import command_line

_CONFIGS = flags.DEFINE_list(
    'configs', ['quickstart', 'bsuite'], 'Names of recipes.'
)
_BATCH_SIZES = flags.DEFINE_list(
    'batch_sizes', ['1', '4', '16', '64', '256'], 'Environments acted in.'
)

_EXPORTED = 'SavedModel'
_IN_PROCESS = 'tf.function'


def main(_) -> None:
  """Runs what the flags ask for."""
  from benchmarks import agents
  from r2i_tf import run_config

  names, batch_sizes = _CONFIGS.value, report.numbers(_BATCH_SIZES)
  seconds = report.SECONDS.value
  if report.QUICK.value:
    names, batch_sizes, seconds = ['quickstart'], [1, 4], 0.5
  settings = {
      name: agents.run_setting(run_config.RunConfig.preset(name))
      for name in names
  }
  record = measure(settings, batch_sizes, seconds)
  report.finish('acting', record, tables(record), lambda it: plot(record, it))


def measure(
    settings: Mapping[str, Any], batch_sizes: Sequence[int], seconds: float
) -> dict[str, Any]:
  """Measures the policy of every setting at every batch size.

  Args:
    settings: `agents.Setting`, by name.
    batch_sizes: Of the observations.
    seconds: Timing of one setting.

  Returns:
    What the JSON file holds: the machine, and a row for each policy and size.
  """
  rows = []
  for name, setting in settings.items():
    with tempfile.TemporaryDirectory() as directory:
      actors = _actors(setting, batch_sizes, directory)
      times = timing.in_turn(actors, seconds)
    for (how, batch_size), each in times.items():
      rows.append(
          {
              'config': name,
              'how': how,
              'batch_size': batch_size,
              **each.record(),
              'steps_per_second': batch_size / each.median,
          }
      )
      print(
          f'{name}, {how}, batch {batch_size}:'
          f' {rows[-1]["steps_per_second"]:,.0f} steps/s',
          flush=True,
      )
  return {'machine': report.machine(), 'rows': rows}


class Actor:
  """A policy that is called again and again on one time step."""

  def __init__(self, policy, action, time_step, state):
    self._policy = policy  # A function does not keep its variables alive.
    self._action = action
    self._time_step = time_step
    self._state = state

  def __call__(self):
    """Takes one step; returns the action."""
    step = self._action(self._time_step, self._state)
    self._state = step.state
    return step.action


def _actors(setting, batch_sizes: Sequence[int], directory: str):
  """Returns actors by (how, batch size).

  Args:
    setting: The agent.
    batch_sizes: Of the actors in this process.
    directory: Where the policy is exported to.
  """
  import tensorflow as tf
  from tf_agents.policies import policy_saver
  from tf_agents.utils import common

  from benchmarks import agents

  policy = agents.build(setting).collect_policy
  action = common.function(policy.action)
  actors = {
      (_IN_PROCESS, size): Actor(
          policy,
          action,
          agents.time_steps(setting, size),
          policy.get_initial_state(size),
      )
      for size in batch_sizes
  }
  policy_saver.PolicySaver(policy, batch_size=None).save(directory)
  loaded = tf.saved_model.load(directory)
  actors[_EXPORTED, 1] = Actor(
      loaded,
      loaded.action,
      agents.time_steps(setting, 1),
      policy.get_initial_state(1),
  )
  return actors


def tables(record: dict[str, Any]) -> dict[str, str]:
  """Returns the table, by the name of its place."""
  columns = {
      'config': lambda row: row['config'],
      'policy': lambda row: row['how'],
      'batch': lambda row: row['batch_size'],
      'call (ms)': lambda row: row['median_ms'],
      'steps a second': lambda row: row['steps_per_second'],
  }
  table = report.markdown(
      list(columns),
      [[value(row) for value in columns.values()] for row in record['rows']],
  )
  return {'acting': f'{report.machine_line(record["machine"])}\n\n{table}'}


def plot(record: dict[str, Any], picture) -> None:
  """Draws steps a second, and the time of a call, against the batch size."""
  speed, call = picture.subplots(1, 2)
  for index, name in enumerate(_names(record['rows'])):
    for how, style in ((_IN_PROCESS, 'o-'), (_EXPORTED, 'x')):
      rows = [
          row
          for row in record['rows']
          if (row['config'], row['how']) == (name, how)
      ]
      sizes = [row['batch_size'] for row in rows]
      for axes, key in ((speed, 'steps_per_second'), (call, 'median_ms')):
        axes.plot(
            sizes,
            [row[key] for row in rows],
            style,
            color=f'C{index}',
            label=f'{name}, {how}',
        )
  for axes, label in ((speed, 'steps a second'), (call, 'one call (ms)')):
    axes.set_xscale('log', base=2)
    axes.set_yscale('log')
    axes.set_xlabel('batch size')
    axes.set_ylabel(label)
  call.legend()


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
  return list(dict.fromkeys(row['config'] for row in rows))


if __name__ == '__main__':
  command_line.run(main)
