"""Makes a page of a run, or of several beside each other.

r2i-report runs/first
r2i-report --output=report runs/sweep
r2i-report --output=report runs/first runs/second runs/third

Each argument is the --workdir of a sweep or of a run. Runs of no sweep are
grouped by what differs in their configurations. index.html is the page, which
needs no server and no network; beside it are report.md and the numbers as CSV.
Without --output they are in the folder report of the one run or sweep.
"""

from collections.abc import Sequence
import pathlib
from typing import Optional

from absl import flags

from r2i_tf import errors
from r2i_tf.programs import command_line
from r2i_tf.record import records


def main() -> None:
  """Runs the program."""
  output = flags.DEFINE_string(
      'output',
      None,
      'Directory of the page; by default the folder report of the one directory'
      ' that is named.',
  )
  threshold = flags.DEFINE_float(
      'threshold',
      None,
      'The mean return to look for, of runs of no sweep; by default their'
      ' stop_at_return.',
  )
  window = flags.DEFINE_integer(
      'window',
      records.WINDOW,
      'Episodes of a mean return, of runs of no sweep.',
      lower_bound=1,
  )
  command_line.run(
      lambda arguments: _report(
          arguments[1:], output.value, threshold.value, window.value
      ),
      takes_arguments=True,
  )


def _report(
    directories: Sequence[str],
    output: Optional[str],
    threshold: Optional[float],
    window: int,
) -> None:
  from r2i_tf.reports import document
  from r2i_tf.reports import page
  from r2i_tf.reports import run_page
  from r2i_tf.reports import runs

  if not directories:
    raise errors.RunError(
        'no directory is named; give that of a sweep or those of runs, as in'
        ' r2i-report runs/first.'
    )
  if output is None and len(directories) > 1:
    raise errors.RunError(
        f'{len(directories)} directories are named and no --output; say where'
        ' their page is to be, as in --output=report.'
    )
  paths = [pathlib.Path(directory).expanduser() for directory in directories]
  found = runs.collect(paths, threshold, window)
  if output is None:
    path = paths[0] / run_page.FOLDER
  else:
    path = pathlib.Path(output).expanduser()
  page.write(found, path)
  for file in (document.FILE, page.FILE):
    print(path / file)
