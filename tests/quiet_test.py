"""Tests of what a user does not get to read, and above all of what he does."""

import os
import subprocess
import sys

import pytest

_LINES = (
    'WARNING: All log messages before absl::InitializeLog() is called are'
    ' written to STDERR',
    'I0000 00:00:1795627356.072828 18472 cudart_stub.cc:31] no cuda',
    'W0000 00:00:1795627356.072828 18472 loader.cc:1] a warning',
    'F0000 00:00:1795627356.072828 18472 cpu.cc:1] needs AVX instructions',
)


@pytest.mark.parametrize('end', ['', 'os.abort()'])
def test_tensorflow_loads_without_its_information_lines(tmp_path, end):
  """What warns of something is heard, also where it is the last word."""
  text = '\n'.join(_LINES) + '\n'
  (tmp_path / 'tensorflow.py').write_text(
      f'import os\nos.write(2, {text.encode()!r})\n{end}'
  )
  ended = subprocess.run(
      [
          sys.executable,
          '-c',
          'import sys; from r2i_tf import quiet; quiet.load_tensorflow();'
          ' print("after", file=sys.stderr)',
      ],
      env={
          **os.environ,
          'PYTHONPATH': os.pathsep.join([str(tmp_path), *sys.path]),
      },
      capture_output=True,
      text=True,
  )
  heard = [*_LINES[2:], *([] if end else ['after'])]
  assert ended.stderr.splitlines() == heard
  assert ended.returncode == (-6 if end else 0)
