"""A process ends in time, whatever its main thread is busy with."""

import pathlib
import signal
import subprocess
import sys

import pytest

pytest.importorskip('reverb')

_ROOT = pathlib.Path(__file__).parents[2]
# A call of C that takes hours and, like a compilation, runs no handler.
_BUSY = """
import hashlib
from r2i_tf.roles import deadline
from r2i_tf.training import interruption
with interruption.Interruption(), deadline.UntilFirstStep(0.2) as first:
  print('busy', flush=True)
  if {over}:
    first.over()
    hashlib.pbkdf2_hmac('sha256', b'a', b'b', 3_000_000)
    print('saved', flush=True)
  else:
    hashlib.pbkdf2_hmac('sha256', b'a', b'b', 2**31 - 1)
"""


def _stopped(over):
  process = subprocess.Popen(
      [sys.executable, '-c', _BUSY.format(over=over)],
      cwd=_ROOT,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
  )
  try:
    assert process.stdout.readline() == 'busy\n'
    process.send_signal(signal.SIGTERM)
    output, error = process.communicate(timeout=30)
  finally:
    process.kill()
  return process.returncode, output, error


def test_a_learner_that_compiles_ends_when_it_is_asked_to():
  """With exit code 0: there is nothing yet that it could lose."""
  code, _, error = _stopped(over=False)
  assert code == 0 and 'nothing is lost' in error


def test_a_learner_that_trains_is_left_to_save():
  """It answers by itself, between two steps."""
  assert _stopped(over=True)[:2] == (0, 'saved\n')
