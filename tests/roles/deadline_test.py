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
import contextlib, hashlib
from r2i_tf.roles import deadline
from r2i_tf.training import interruption
with interruption.Interruption(), deadline.Deadline(0.2) as limit:
  print('busy', flush=True)
  {work}
"""
_SHORT = "hashlib.pbkdf2_hmac('sha256', b'a', b'b', 3_000_000)"
_LONG = "hashlib.pbkdf2_hmac('sha256', b'a', b'b', 2**31 - 1)"
_EXPORT = f"with limit.expendable('it was exported'): {_LONG}"


def _stopped(work):
  process = subprocess.Popen(
      [sys.executable, '-c', _BUSY.format(work=work)],
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


def test_what_is_expendable_is_broken_off():
  """With exit code 0: there is nothing in it that could be lost."""
  code, _, error = _stopped(_EXPORT)
  assert code == 0
  assert 'stopped while it was exported; nothing is lost' in error


def test_what_is_expendable_does_not_begin_too_late():
  """The signal came in the work before it, which was not."""
  code, output, _ = _stopped(
      f"{_SHORT}; print('saved', flush=True)\n  {_EXPORT}"
  )
  assert (code, output) == (0, 'saved\n')


def test_what_is_not_is_left_to_save():
  """It answers by itself, between two steps."""
  code, output, _ = _stopped(f"{_SHORT}; print('saved')")
  assert (code, output) == (0, 'saved\n')
