"""Runs settings times seeds, so many at a time, and goes on where it stopped.

r2i-sweep --sweep=my_sweep.py --workdir=runs/sweep --parallel=2

The file has a function get_sweep() that returns a list of r2i_tf.sweeps.Setting
(docs/sweeps.md). Each run has its directory below --workdir, with a log.txt.
Given the same command again, what is finished is not run again, what was
interrupted goes on, and what failed is tried once more. Ctrl-C and SIGTERM have
all runs save first. r2i-report makes a page of the directory.
"""

import pathlib
import shlex
import sys
from typing import Optional

from absl import flags

from r2i_tf import errors
from r2i_tf.programs import command_line


def main() -> None:
  """Runs the program."""
  sweep = flags.DEFINE_string(
      'sweep',
      None,
      'The sweep: a .py file with get_sweep(), as in my_sweep.py or'
      ' my_sweep.py:small.',
      required=True,
  )
  workdir = flags.DEFINE_string(
      'workdir',
      None,
      'Directory of the sweep; if it holds one, that one goes on.',
      required=True,
  )
  parallel = flags.DEFINE_integer(
      'parallel', 1, 'How many runs at a time.', lower_bound=1
  )
  minutes = flags.DEFINE_float(
      'minutes', None, 'Start no run after so much time.', lower_bound=0.0
  )
  command_line.run(
      lambda _: _sweep(
          sweep.value, workdir.value, parallel.value, minutes.value
      )
  )


def _sweep(
    path: str, workdir: str, parallel: int, minutes: Optional[float]
) -> None:
  # No TensorFlow here: its threads and a fork do not go together.
  from r2i_tf.sweeps import settings
  from r2i_tf.sweeps import sweep

  found = settings.load(path)
  result = sweep.run(
      found,
      pathlib.Path(workdir).expanduser(),
      command_line.program('train'),
      sys.executable,
      parallel,
      minutes,
  )
  total = result.finished + len(result.failed) + result.left
  print(f'{result.finished} of {total} runs are finished')
  report = [*command_line.program('report'), '--output=report', workdir]
  print(f'report with:    {shlex.join(report)}')
  again = shlex.join([*command_line.program('sweep'), *sys.argv[1:]])
  if result.left:
    print(f'go on with:     {again}')
  if result.failed:
    names = ', '.join(run.key for run in result.failed)
    raise errors.RunError(
        f'{len(result.failed)} runs failed ({names}): the log.txt in the'
        f' directory of each says why; when that is mended, the same command'
        ' tries them again.'
    )
