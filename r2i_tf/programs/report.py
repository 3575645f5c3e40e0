"""Makes a page of runs: curves, tables and scores, and their numbers as CSV.

r2i-report --output=report runs/sweep
r2i-report --output=report runs/first runs/second runs/third

Each argument is the --workdir of a sweep or of a run. Runs of no sweep are
grouped by what differs in their configurations. The page, report.md, says which
runs are not finished.
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
      'output', None, 'Directory of the page.', required=True
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
    output: str,
    threshold: Optional[float],
    window: int,
) -> None:
  from r2i_tf.reports import page
  from r2i_tf.reports import runs

  if not directories:
    raise errors.RunError(
        'no directory is named; give that of a sweep or those of runs, as in'
        ' r2i-report --output=report runs/sweep.'
    )
  found = runs.collect(
      [pathlib.Path(directory).expanduser() for directory in directories],
      threshold,
      window,
  )
  path = pathlib.Path(output).expanduser()
  page.write(found, path)
  print(path / page.FILE)
