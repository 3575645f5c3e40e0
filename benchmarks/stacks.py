r"""The same code on several stacks: one Python after the other, in turn.

What a user waits for: the package to load, the first train step, train steps
from then on, and environment steps under the policy. The quick start's agent at
its batch, and the vector setting of `train_step` at 16 x 256.

  python -m benchmarks.stacks \
      --pythons=.venv/bin/python,.venv-current/bin/python

Each figure is of a process of its own, which nothing runs beside; ratios are
over the first Python, of the processes that followed each other.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import time
from typing import Any

from absl import flags

from benchmarks import report
from benchmarks import timing
from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf.programs import command_line

_PYTHONS = flags.DEFINE_list(
    'pythons', [sys.executable], 'The interpreter of each stack, all compared.'
)
_ROUNDS = flags.DEFINE_integer('rounds', 3, 'Processes of each.', lower_bound=2)
_ONE = flags.DEFINE_bool('one', False, 'Measure this Python, once, as JSON.')

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_VECTOR = (16, 256)
_COLLECTED = 200  # Steps of each environment.
# What is told of each setting, and its unit.
_FIGURES = {
    'first_step_s': 'first train step (s)',
    'steps_per_s': 'train steps a second',
}


def main(_) -> None:
  """Measures one stack, or has each measured and compares them."""
  if _ONE.value:
    print(json.dumps(measure_here(report.SECONDS.value, report.QUICK.value)))
    return
  record = compare(_PYTHONS.value, _ROUNDS.value)
  report.finish('stacks', record, tables(record))


def measure_here(seconds: float, quick: bool) -> dict[str, Any]:
  """Measures this Python's stack.

  Args:
    seconds: Of train steps in each setting.
    quick: Whether to take sizes that show only that it works.

  Returns:
    Versions, and the figures in a flat dict, such as `vector/first_step_s`.
  """
  import tensorflow as tf

  start = time.perf_counter()
  from benchmarks import agents  # Loads TF-Agents and the package.

  figures = {'import_s': time.perf_counter() - start}
  run = run_config.RunConfig.preset('quickstart')
  vector, shape = agents.plain_config(), _VECTOR
  quickstart = agents.run_setting(run)
  batch = (run.replay.batch_size, run.replay.sequence_length)
  if quick:
    seconds, shape, batch = 0.1, (2, 8), (2, 8)
    vector = agents.smallest_config()
  for name, setting, (size, length) in (
      ('quickstart', quickstart, batch),
      ('vector', agents.vector_setting('vector', vector), shape),
  ):
    agent = agents.build(setting)
    experience = agents.trajectories(agent, size, length)
    train = tf.function(agent.train, autograph=False)
    first, _ = timing.timed(lambda: train(experience))  # noqa: B023
    times = timing.in_turn(
        {name: lambda: train(experience)},  # noqa: B023
        seconds,
    )[name]
    figures[f'{name}/first_step_s'] = first
    figures[f'{name}/steps_per_s'] = 1 / times.median
    if name == 'quickstart':
      figures['collect/steps_per_s'] = _collect(agent, run, seconds)
  return {
      'python': platform.python_version(),
      'machine': report.machine(),
      'figures': figures,
  }


def _collect(agent: Any, run: run_config.RunConfig, seconds: float) -> float:
  """Returns the steps a second of the run's environments under the policy."""
  from r2i_tf import environments
  from r2i_tf.training import collector as collector_lib

  environment = environments.load_batch(
      run.task, 0, run.parallel_environments, run.environment
  )
  collector = collector_lib.Collector(
      environment, agent.collect_policy, [], _COLLECTED
  )
  times = timing.in_turn({'collect': collector.collect}, seconds)['collect']
  return _COLLECTED * run.parallel_environments / times.median


def compare(pythons: Sequence[str], rounds: int) -> dict[str, Any]:
  """Measures stacks in turn.

  Args:
    pythons: The interpreters; ratios are over the first.
    rounds: How often each is measured.

  Returns:
    What the JSON file holds.
  """
  results: dict[str, list[dict[str, Any]]] = {python: [] for python in pythons}
  for number in range(rounds):
    for python, measured in results.items():
      measured.append(_measured(python))
      versions = measured[-1]['machine']['tensorflow']
      print(f'round {number + 1}: {python}, TensorFlow {versions}', flush=True)
  baseline = [each['figures'] for each in results[pythons[0]]]
  return {'stacks': [_row(each, baseline) for each in results.values()]}


def _measured(python: str) -> dict[str, Any]:
  """Returns what another Python measures of itself."""
  command = [python, '-m', 'benchmarks.stacks', '--one']
  command.append(f'--seconds={report.SECONDS.value}')
  if report.QUICK.value:
    command.append('--quick')
  try:
    ended = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
  except OSError as error:
    raise errors.RunError(
        f'--pythons has {python!r}, which cannot be run ({error.strerror}).'
    ) from error
  if ended.returncode:
    raise errors.RunError(f'{python} failed:\n{ended.stderr.strip()}')
  return json.loads(ended.stdout.splitlines()[-1])


def _row(
    measured: Sequence[Mapping[str, Any]], baseline: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
  """Returns one stack's medians, and its ratios over the baseline's."""
  figures = [each['figures'] for each in measured]
  return {
      **{name: measured[0][name] for name in ('python', 'machine')},
      'rounds': figures,
      'median': {
          name: statistics.median(each[name] for each in figures)
          for name in figures[0]
      },
      'ratio': {
          name: statistics.median(
              mine[name] / theirs[name]
              for mine, theirs in zip(figures, baseline)
          )
          for name in figures[0]
      },
  }


def tables(record: Mapping[str, Any]) -> dict[str, str]:
  """Returns the table, by the name of its place."""
  stacks = record['stacks']
  names = {
      'import_s': 'loading TF-Agents and the package (s)',
      **{
          f'{setting}/{figure}': f'{setting}: {words}'
          for setting in ('quickstart', 'vector')
          for figure, words in _FIGURES.items()
      },
      'collect/steps_per_s': 'quickstart: environment steps a second',
  }
  header = ['']
  for stack in stacks:
    version = stack['machine']['tensorflow']
    header.append(f'{version}, Python {stack["python"]}')
    if stack is not stacks[0]:
      header.append('ratio')
  rows = []
  for name, words in names.items():
    row: list[Any] = [words]
    for stack in stacks:
      row.append(stack['median'][name])
      if stack is not stacks[0]:
        row.append(stack['ratio'][name])
    rows.append(row)
  above = report.machine_line(stacks[0]['machine'])
  rounds = len(stacks[0]['rounds'])
  return {
      'stacks': (
          f'{above} Medians of {rounds} processes each, in turn.\n\n'
          f'{report.markdown(header, rows)}'
      )
  }


if __name__ == '__main__':
  command_line.run(main)
