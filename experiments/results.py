"""Runs the sweeps of docs/results.md, or the rest of them, and fills the page.

  python -m experiments.results --parallel=2 --minutes=120

starts no run after two hours; the same command again goes on. Ctrl-C has all
runs save first, and the page is made of what is there: it says which runs are
not finished. With --report alone nothing is run.

Each sweep of experiments/sweeps.py has a place in the page, between two marks,
and a folder below docs/results with its pictures and numbers. With
--section=memory_size --section=popgym only theirs are run and filled; the
others keep what they have, which may have been run on another machine.
"""

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
import csv
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
_SECTION = flags.DEFINE_multi_enum(
    'section',
    list(sweeps_lib.SWEEPS),
    list(sweeps_lib.SWEEPS),
    'What to run and to fill; repeat it for several.',
)
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
    path = str(_ROOT / 'experiments' / 'sweeps.py')
    settings: list[settings_lib.Setting] = []
    for name in _SECTION.value:
      of_section = settings_lib.load(f'{path}:{name}')
      settings += [one for one in of_section if one not in settings]
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
  fill(directory, _ROOT / 'docs', _SECTION.value)


def fill(
    directory: pathlib.Path, docs: pathlib.Path, sections: Sequence[str]
) -> None:
  """Puts the runs of a directory into the page.

  Args:
    directory: Of the sweep.
    docs: The folder of the page.
    sections: Names of sweeps; those without a run keep what they have, as do
      all others.
  """
  found = runs_lib.collect([directory])
  for name in sections:
    wanted = {(s.task, s.name) for s in sweeps_lib.SWEEPS[name]()}
    of_sweep = [run for run in found if (run.task, run.setting) in wanted]
    if of_sweep:
      folder = docs / _FOLDER / name
      text = page.write(of_sweep, folder)
      for twin in ('report.md', 'index.html'):  # Of this document.
        (folder / twin).unlink()
      tables.insert(docs / _DOCUMENT, name, _section(text, f'{_FOLDER}/{name}'))
  runs = _all_runs(docs / _FOLDER)
  minutes = sum(float(run['minutes'] or 0.0) for run in runs)
  over = sum(run['state'] == runs_lib.State.FINISHED.value for run in runs)
  tables.insert(
      docs / _DOCUMENT,
      'cost',
      f'{over} of {len(runs)} runs are finished, and have taken'
      f' {minutes / 60:.1f} hours, each on its share of the cores'
      f' ({_PARALLEL.value} at a time){_versions(found)}. Configuration and'
      ' versions of each run are in its `config.json`, its numbers in'
      ' `results/*/runs.csv`.',
  )


def _all_runs(folder: pathlib.Path) -> Collection[Mapping[str, str]]:
  """Returns the lines of every runs.csv, of a run in two sections one.

  That one is the line which is further: a section that was filled earlier may
  have the same run before its end.

  Args:
    folder: That of the sections.
  """
  found: dict[tuple[str, ...], Mapping[str, str]] = {}
  for path in sorted(folder.glob('*/runs.csv')):
    with path.open(encoding='utf-8', newline='') as file:
      for run in csv.DictReader(file):
        key = run['task'], run['setting'], run['seed']
        found[key] = max(run, found.get(key, run), key=_progress)
  return found.values()


def _progress(run: Mapping[str, str]) -> tuple[bool, float]:
  """Returns how far a run is, to be compared."""
  is_over = run['state'] == runs_lib.State.FINISHED.value
  return is_over, float(run['minutes'] or 0.0)


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
