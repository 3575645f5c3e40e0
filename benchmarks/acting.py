"""How many steps a second the policy takes, by the size of the batch.

The collect policy's `action` in a `tf.function` of one batch size, as a driver
has it, its state carried from step to step, on a random observation that stays
the same: what acting costs without an environment. In turn with it the same
policy of plain operations. Then its export as a run writes it, by `action`,
which is a program, in turn with the signature that serves, which is not. What
is timed in turn has one set of weights, so that none takes the cache from the
other.

  python -m benchmarks.acting
  python -m benchmarks.acting --configs=quickstart --batch_sizes=1,8
"""

from collections.abc import Mapping
from collections.abc import Sequence
import pathlib
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

_PROGRAM = 'tf.function'
_PLAIN = 'tf.function, plain operations'
_EXPORTED = 'SavedModel, action'
_SERVING = 'SavedModel, serving_default'


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
      pairs = _actors(setting, batch_sizes, pathlib.Path(directory))
      for batch_size, actors in pairs:
        first = {how: timing.timed(actor)[0] for how, actor in actors.items()}
        times = timing.in_turn(actors, seconds)
        for how, each in times.items():
          rows.append(
              {
                  'config': name,
                  'how': how,
                  'batch_size': batch_size,
                  **each.record(),
                  'over_plain': each.over(list(times.values())[-1]),
                  'first_seconds': first[how],
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


class Served:
  """The same of a signature, whose tensors have names."""

  def __init__(self, loaded, signature, time_step, state):
    """Names what the actor is called on.

    Args:
      loaded: The SavedModel.
      signature: Its signature that serves.
      time_step: Of one observation, which is no nest.
      state: The policy state before it.
    """
    from r2i_tf.training import signatures

    self._loaded = loaded
    self._signature = signature
    self._inputs = {
        'observation': time_step.observation,
        'is_first': time_step.is_first(),
    }
    names = signatures.names_of('state', state)
    self._state = dict(zip(names, _flattened(state)))

  def __call__(self):
    """Takes one step; returns the action."""
    result = self._signature(**self._inputs, **self._state)
    self._state = {name: result[name] for name in self._state}
    return result['action']


def _actors(setting, batch_sizes: Sequence[int], directory: pathlib.Path):
  """Returns (batch size, actors by how) of what is timed in turn.

  Of two actors the second has plain operations.

  Args:
    setting: The agent.
    batch_sizes: Of the actors.
    directory: Where the policy is exported to.
  """
  import tensorflow as tf

  from benchmarks import agents

  agent = agents.build(setting)
  policy = agent.collect_policy
  plain = policy.plain()
  loaded = tf.saved_model.load(_exported(agent, directory))
  serving = loaded.signatures['serving_default']

  def inputs(size: int):
    return agents.time_steps(setting, size), policy.get_initial_state(size)

  def acting(one, size: int) -> Actor:
    action = tf.function(one.action, autograph=False)
    return Actor(one, action, *inputs(size))

  pairs: list[tuple[int, dict[str, Any]]] = []
  for size in batch_sizes:
    pairs.append(
        (size, {_PROGRAM: acting(policy, size), _PLAIN: acting(plain, size)})
    )
  for size in batch_sizes:
    exported = {
        _EXPORTED: Actor(loaded, loaded.action, *inputs(size)),
        _SERVING: Served(loaded, serving, *inputs(size)),
    }
    pairs.append((size, exported))
  return pairs


def _exported(agent, directory: pathlib.Path) -> str:
  """Exports as a run does; returns the collect policy's directory."""
  from tf_agents.environments import random_py_environment
  from tf_agents.specs import tensor_spec

  from r2i_tf import environments
  from r2i_tf.training import export

  observation = agent.time_step_spec.observation
  environment = random_py_environment.RandomPyEnvironment(
      tensor_spec.to_nest_array_spec(observation),
      tensor_spec.to_nest_array_spec(agent.action_spec),
  )
  options = environments.SuiteOptions()
  export.export(agent, environment, 'timed', options, directory)
  return str(directory / 'collect')


def _flattened(nest) -> list[Any]:
  import tensorflow as tf

  return tf.nest.flatten(nest)


def tables(record: dict[str, Any]) -> dict[str, str]:
  """Returns the table, by the name of its place."""
  columns = {
      'config': lambda row: row['config'],
      'policy': lambda row: row['how'],
      'batch': lambda row: row['batch_size'],
      'call (ms)': lambda row: row['median_ms'],
      'over plain': lambda row: row['over_plain'],
      'first call (s)': lambda row: row['first_seconds'],
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
    for how, style in ((_PROGRAM, 'o-'), (_PLAIN, 'o:'), (_EXPORTED, 'x')):
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
