"""What drawing its first episodes adds to an evaluation, `assess` to an export.

Untrained agents of the quickstart's recipe, each evaluated in turn with and
without pictures: a task with a chart, one with images, one that MuJoCo renders.
And both exports of the end of a run, with the signature `assess` and without.

  python -m benchmarks.pictures
"""

from collections.abc import Sequence
import dataclasses
import pathlib
import tempfile
import types
from typing import Any

from absl import flags

from benchmarks import report
from benchmarks import timing
from r2i_tf.programs import command_line

_TASKS = flags.DEFINE_list(
    'tasks',
    ['bsuite/memory_len/22', 'bsuite/catch/0', 'dmc/cartpole/balance'],
    'The tasks; boards of BSuite are rendered.',
)
_EPISODES = flags.DEFINE_integer('episodes', 2, 'Of each evaluation.')
_RUN_SECONDS = 300.0  # Of the quickstart, on two free cores.


def main(_) -> None:
  """Runs what the flags ask for."""
  tasks, episodes, seconds = _TASKS.value, _EPISODES.value, report.SECONDS.value
  if report.QUICK.value:
    tasks, episodes, seconds = tasks[:1], 2, 0.0
  record = measure(tasks, episodes, seconds)
  report.finish('pictures', record, tables(record))


def measure(
    tasks: Sequence[str], episodes: int, seconds: float
) -> dict[str, Any]:
  """Measures evaluations and exports.

  Args:
    tasks: Their names.
    episodes: Of each evaluation.
    seconds: Timing of one task.

  Returns:
    What the JSON file holds: the machine, and a row for each task and thing.
  """
  from r2i_tf import run_config

  rows = []
  for task in tasks:
    run = dataclasses.replace(
        run_config.RunConfig.preset('quickstart'),
        task=task,
        environment=_options(task),
    )
    with tempfile.TemporaryDirectory() as directory:
      pairs = compared(run, pathlib.Path(directory), episodes)
      for what, (without, with_) in pairs.items():
        times = timing.in_turn({'without': without, 'with': with_}, seconds)
        added = times['with'].median - times['without'].median
        rows.append(
            {
                'task': task,
                'what': what,
                'without': times['without'].record(),
                'with': times['with'].record(),
                'ratio': times['with'].over(times['without']),
                'added_seconds': added,
            }
        )
        print(f'{task}, {what}: {added:.2f} s more', flush=True)
  return {'machine': report.machine(), 'episodes': episodes, 'rows': rows}


def _options(task: str):
  from r2i_tf import environments

  size = 64 if task.startswith('bsuite/catch') else None
  return environments.SuiteOptions(bsuite=environments.BsuiteOptions(size))


def compared(run, directory: pathlib.Path, episodes: int):
  """Returns what is timed: functions without pictures or `assess`, and with.

  Args:
    run: Its agent and its task.
    directory: Gets the exports `with` and `without`.
    episodes: Of an evaluation, for which there must be an export.
  """
  from benchmarks import agents
  from r2i_tf import environments
  from r2i_tf import run_config
  from r2i_tf.training import evaluation
  from r2i_tf.training import export

  agent = agents.build(agents.run_setting(run))
  silent = types.SimpleNamespace(
      policy=agent.policy,
      collect_policy=agent.collect_policy,
      train_step_counter=agent.train_step_counter,
  )
  environment = environments.load(run.task, 0, run.environment)

  def exporting(who, name: str):
    place = directory / name
    return lambda: export.export(
        who, environment, run.task, run.environment, place
    )

  def evaluating(pictures: int):
    policy = directory / 'with' / 'greedy'
    return lambda: evaluation.evaluate(policy, episodes, pictures=pictures)

  return {
      'export': (exporting(silent, 'without'), exporting(agent, 'with')),
      'evaluation': (
          evaluating(0),
          evaluating(run_config.EVALUATION_PICTURES),
      ),
  }


def tables(record: dict[str, Any]) -> dict[str, str]:
  """Returns the table, by the name of its place."""
  columns = {
      'task': lambda row: row['task'],
      'what': lambda row: row['what'],
      'without (s)': lambda row: row['without']['median_ms'] / 1e3,
      'with (s)': lambda row: row['with']['median_ms'] / 1e3,
      'x': lambda row: row['ratio'],
      '% of five minutes': lambda row: (
          100 * row['added_seconds'] / _RUN_SECONDS
      ),
  }
  table = report.markdown(
      list(columns),
      [[value(row) for value in columns.values()] for row in record['rows']],
  )
  return {'pictures': f'{report.machine_line(record["machine"])}\n\n{table}'}


if __name__ == '__main__':
  command_line.run(main)
