"""No bad input ends in a traceback or changes a file; the page says the truth.

`python -m tests.acceptance.bad_input --docs=docs` writes the page anew.
"""

import pathlib
import subprocess
import sys

from tests.acceptance import bad_input_cases

_ROOT = pathlib.Path(__file__).parents[2]


def test_every_kind_of_bad_input_is_one_sentence_of_the_page(tmp_path):
  """More than fifty kinds, each tried; errors.md has what is said to each."""
  # A process of its own, in which TensorFlow was not used: it forks.
  ended = subprocess.run(
      [
          sys.executable,
          '-m',
          'tests.acceptance.bad_input',
          f'--docs={tmp_path}',
      ],
      cwd=_ROOT,
      capture_output=True,
      text=True,
      check=False,
  )
  assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr[-5000:]
  assert len(bad_input_cases.CASES) >= 50
  written = (tmp_path / 'errors.md').read_text().splitlines()
  committed = (_ROOT / 'docs' / 'errors.md').read_text().splitlines()
  if 'left out, since' in ended.stdout:  # A suite is not installed.
    written, committed = sorted(set(written)), sorted(
        set(written) & set(committed)
    )
  assert written == committed
