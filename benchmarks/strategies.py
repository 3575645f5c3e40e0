"""A train step under MirroredStrategy of two CPUs, beside one replica.

Both have the same cores in all and the same batch, of which each of the two
replicas has half. The difference is what the strategy costs: programs that are
compiled in parts, and the exchange between them.

  python -m benchmarks.strategies
  python -m benchmarks.strategies --batch_size=16 --length=256

The setting is that of `benchmarks.train_step`.
"""

from typing import Any

from absl import flags

from benchmarks import report
from benchmarks import timing
from r2i_tf.programs import command_line

_BATCH_SIZE = flags.DEFINE_integer('batch_size', 4, 'Sequences in a batch.')
_LENGTH = flags.DEFINE_integer('length', 1024, 'Steps in a sequence.')
_REPLICAS = 2


def main(_) -> None:
  """Runs what the flags ask for."""
  size, length = _BATCH_SIZE.value, _LENGTH.value
  seconds = report.SECONDS.value
  if report.QUICK.value:
    size, length, seconds = 2, 8, 0.5
  record = measure(size, length, seconds, report.QUICK.value)
  report.finish('strategies', record, tables(record))


def measure(
    batch_size: int, length: int, seconds: float, quick: bool = False
) -> dict[str, Any]:
  """Measures the train step with one replica and with two.

  Args:
    batch_size: Sequences of the whole batch.
    length: Steps in a sequence.
    seconds: Timing of both.
    quick: Whether to take the smallest agent.

  Returns:
    What the JSON file holds: the machine, the batch, a row for each.
  """
  import tensorflow as tf

  from benchmarks import agents
  from r2i_tf import quiet
  from r2i_tf.training import learner as learner_lib

  [cpu] = tf.config.list_physical_devices('CPU')
  tf.config.set_logical_device_configuration(
      cpu, [tf.config.LogicalDeviceConfiguration()] * _REPLICAS
  )
  quiet.first_compilation()  # After the split: it uses the devices.
  devices = [f'CPU:{index}' for index in range(_REPLICAS)]
  config = agents.smallest_config() if quick else agents.plain_config()
  setting = agents.vector_setting('vector', config)
  learners, first = {}, {}
  for name, strategy in {
      'one replica': tf.distribute.OneDeviceStrategy('CPU:0'),
      'two replicas': tf.distribute.MirroredStrategy(devices),
  }.items():
    with strategy.scope():
      agent = agents.build(setting)
    own = batch_size // strategy.num_replicas_in_sync
    batch = agents.trajectories(agent, own, length)
    dataset = tf.data.Dataset.from_tensors(batch).repeat()
    learners[name] = learner_lib.Learner(agent, dataset, strategy)
    first[name], _ = timing.timed(lambda it=learners[name]: _step(it))
    print(f'{name}: first step after {first[name]:.1f} s', flush=True)
  times = timing.in_turn(
      {name: lambda it=it: _step(it) for name, it in learners.items()},
      seconds,
      least=5,
  )
  alone = times['one replica']
  return {
      'machine': report.machine(),
      'batch_size': batch_size,
      'length': length,
      'rows': [
          {
              'name': name,
              **each.record(),
              'over_one': each.over(alone),
              'first_step_s': first[name],
          }
          for name, each in times.items()
      ],
  }


def tables(record: dict[str, Any]) -> dict[str, str]:
  """Returns the table, by the name of its place."""
  above = (
      f'{report.machine_line(record["machine"])} Batches of'
      f' {record["batch_size"]} x {record["length"]} steps in all.'
  )
  table = report.markdown(
      ['', 'step (ms)', 'over one replica', 'first step (s)'],
      [
          [row['name'], row['median_ms'], row['over_one'], row['first_step_s']]
          for row in record['rows']
      ],
  )
  return {'strategies': f'{above}\n\n{table}'}


def _step(learner: Any) -> dict[str, float]:
  """Takes a train step, and waits for its losses."""
  learner.train()
  return learner.take_losses()


if __name__ == '__main__':
  command_line.run(main)
