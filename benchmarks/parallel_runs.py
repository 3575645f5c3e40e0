r"""Runs of a sweep at the same time: on all cores, or each on its share?

  python -m benchmarks.parallel_runs --parallel=2

TensorFlow starts as many threads as it finds cores. Two times --parallel
processes train the quick start's agent: half of them may run on all cores, half
on the shares that `r2i-sweep` gives. The halves take turns, in which all of a
half work at once; a figure is the train steps of a half together.
"""

from collections.abc import Collection
import os
import statistics
import subprocess
import sys
import time
from typing import Any

from absl import flags

from benchmarks import report
from r2i_tf.programs import command_line
from r2i_tf.sweeps import sweep

_PARALLEL = flags.DEFINE_integer('parallel', 2, 'Runs at a time.')
_ROUNDS = flags.DEFINE_integer('rounds', 5, 'Turns of each.', lower_bound=2)
_CORES = flags.DEFINE_list('cores', None, 'Internal: train on these cores.')
_WAYS = {'all': 'all cores', 'share': 'its share'}


def main(_) -> None:
  """Compares the two ways, or is one of the processes."""
  if _CORES.value:
    os.sched_setaffinity(0, set(map(int, _CORES.value)))
    _work()
    return
  count = _PARALLEL.value
  everything = os.sched_getaffinity(0)
  halves = {
      'all': [_start(everything) for _ in range(count)],
      'share': [_start(cores) for cores in sweep.shares(count)],
  }
  try:
    for processes in halves.values():
      for process in processes:
        _read(process)  # Compiled.
    rounds = [
        {way: _turn(processes) for way, processes in halves.items()}
        for _ in range(_ROUNDS.value)
    ]
  finally:
    for processes in halves.values():
      for process in processes:
        process.kill()
        process.wait()
  command_line.load_tensorflow()
  record = {
      'machine': report.machine(),
      'parallel': count,
      'rounds': rounds,
      'ratio': statistics.median(
          each['share'] / each['all'] for each in rounds
      ),
  }
  report.finish('parallel_runs', record, {'parallel_runs': _table(record)})


def _table(record: dict[str, Any]) -> str:
  rows = [
      [name, statistics.median(each[way] for each in record['rounds'])]
      for way, name in _WAYS.items()
  ]
  return (
      f'{report.machine_line(record["machine"])} {record["parallel"]} runs at a'
      f' time, {len(record["rounds"])} turns each; the median ratio is'
      f' {record["ratio"]:.2f}.\n\n'
      + report.markdown(
          ['each run may use', 'train steps a second, together'], rows
      )
  )


def _start(cores: Collection[int]) -> subprocess.Popen:
  """Starts a process that works on these cores."""
  numbers = ','.join(map(str, sorted(cores)))
  command = [sys.executable, '-m', 'benchmarks.parallel_runs']
  command.append(f'--cores={numbers}')
  if report.QUICK.value:
    command.append('--quick')
  return subprocess.Popen(
      command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
  )


def _turn(processes: Collection[subprocess.Popen]) -> float:
  """Returns the train steps a second of processes that work together."""
  seconds = 1.0 if report.QUICK.value else report.SECONDS.value
  for process in processes:
    assert process.stdin is not None
    process.stdin.write(f'{seconds}\n')
    process.stdin.flush()
  return sum(map(_read, processes))


def _read(process: subprocess.Popen) -> float:
  assert process.stdout is not None
  return float(process.stdout.readline())


def _work() -> None:
  """Trains for each line of seconds, and prints the steps of a second."""
  command_line.load_tensorflow()
  import tensorflow as tf

  from benchmarks import agents
  from r2i_tf import quiet
  from r2i_tf import run_config

  quiet.first_compilation()
  run = run_config.RunConfig.preset('quickstart')
  agent = agents.build(agents.run_setting(run))
  shape = (run.replay.batch_size, run.replay.sequence_length)
  experience = agents.trajectories(
      agent, *((2, 8) if report.QUICK.value else shape)
  )
  train = tf.function(agent.train, autograph=False)

  def step() -> None:
    train(experience).loss.numpy()  # Waits until it is done.

  step()
  print(0, flush=True)
  for line in sys.stdin:
    began, steps = time.monotonic(), 0
    while time.monotonic() - began < float(line):
      step()
      steps += 1
    print(steps / (time.monotonic() - began), flush=True)


if __name__ == '__main__':
  command_line.run(main)
