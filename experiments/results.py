"""Runs the sweeps of docs/results.md, or the rest of them, and fills the page.

  python -m experiments.results --parallel=2 --minutes=120

starts no run after two hours; the same command again goes on. Ctrl-C has all
runs save first, and the page is made of what is there: it says which runs are
not finished. With --report alone nothing is run.

Each sweep of experiments/sweeps.py has a place in the page, between two marks,
and a folder below docs/results with its pictures and numbers.
"""

from collections.abc import Sequence
import json
import pathlib
import re
import sys

from absl import flags

from benchmarks import tables
from experiments import sweeps as sweeps_lib
from r2i_tf.programs import command_line
from r2i_tf.reports import page
from r2i_tf.reports import runs as runs_lib
from r2i_tf.sweeps import settings as settings_lib
from r2i_tf.sweeps import sweep

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_RUNS = flags.DEFINE_string('runs', 'runs/results', 'Where the runs lie.')
_PARALLEL = flags.DEFINE_integer('parallel', 2, 'How many runs at a time.')
_MINUTES = flags.DEFINE_float('minutes', None, 'Start no run after so long.')
_REPORT = flags.DEFINE_bool('report', False, 'Only makes the page.')
# By the names of a run's record.
_PACKAGES = {
    'python': 'Python',
    'tensorflow': 'TensorFlow',
    'tensorflow-cpu': 'TensorFlow',
}
_DOCUMENT, _FOLDER = 'results.md', 'results'


def main(_) -> None:
  """Runs what is left, then makes the page."""
  directory = pathlib.Path(_RUNS.value)
  if not _REPORT.value:
    settings = settings_lib.load(str(_ROOT / 'experiments' / 'sweeps.py'))
    train = [sys.executable, str(_ROOT / 'launch' / 'train.py')]
    result = sweep.run(
        settings,
        directory,
        train,
        sys.executable,
        _PARALLEL.value,
        _MINUTES.value,
    )
    print(
        f'{result.finished} runs are finished, {len(result.failed)} have'
        f' failed, {result.left} are left'
    )
  fill(directory, _ROOT / 'docs')


def fill(directory: pathlib.Path, docs: pathlib.Path) -> None:
  """Puts the runs of a directory into the page.

  Args:
    directory: Of the sweep.
    docs: The folder of the page.
  """
  found = runs_lib.collect([directory])
  for name, function in sweeps_lib.SWEEPS.items():
    wanted = {(setting.task, setting.name) for setting in function()}
    of_sweep = [run for run in found if (run.task, run.setting) in wanted]
    if of_sweep:
      folder = docs / _FOLDER / name
      text = page.write(of_sweep, folder)
      for twin in ('report.md', 'index.html'):  # Of this document.
        (folder / twin).unlink()
      tables.insert(docs / _DOCUMENT, name, _section(text, f'{_FOLDER}/{name}'))
  minutes = sum(run.last.get('minutes', 0.0) for run in found)
  over = sum(run.state is runs_lib.State.FINISHED for run in found)
  tables.insert(
      docs / _DOCUMENT,
      'cost',
      f'{over} of {len(found)} runs are finished, and have taken'
      f' {minutes / 60:.1f} hours, each on its share of the cores'
      f' ({_PARALLEL.value} at a time){_versions(found)}. Configuration and'
      ' versions of each run are in its `config.json`, its numbers in'
      ' `results/*/runs.csv`.',
  )


def _versions(runs: Sequence[runs_lib.Run]) -> str:
  """Returns what the runs ran with, of all that say it."""
  known = set()
  for run in runs:
    path = run.workdir / 'config.json'
    if path.exists():
      versions = json.loads(path.read_text()).get('versions', {})
      of_run = [
          f'{name} {versions[package]}'
          for package, name in _PACKAGES.items()
          if package in versions
      ]
      known.update([' and '.join(of_run)] if of_run else [])
  return f', with {", or ".join(sorted(known))}' if known else ''


def _section(text: str, folder: str) -> str:
  """Returns a report as a section of the page."""
  body = text.partition('\n')[2]
  body = re.sub(r'^#', '##', body, flags=re.M)
  return re.sub(r'\]\(([^):]+\.png)\)', rf']({folder}/\1)', body)


if __name__ == '__main__':
  command_line.run(main)
