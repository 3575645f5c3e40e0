"""Locks: one holder at a time, and none after a kill."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys

import pytest

from r2i_tf import errors
from r2i_tf import locks

_HOLDER = """
import pathlib, subprocess, sys
from r2i_tf import locks
with locks.Lock(pathlib.Path(sys.argv[1]), 'it is held by', 'wait'):
  child = subprocess.Popen([sys.executable, '-c', 'input()'])
  print(child.pid, flush=True)
  input()
"""


def _lock(path):
  return locks.Lock(path, 'it is held by', 'wait')


def _hold(path):
  """Starts a process that has the lock, and a child of its own."""
  process = subprocess.Popen(
      [sys.executable, '-c', _HOLDER, str(path)],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
  )
  assert process.stdout.readline()
  return process


def test_the_second_is_told_who_has_it(tmp_path):
  """One sentence with process and host; the file stays the holder's."""
  path = tmp_path / 'lock'
  process = _hold(path)
  with process:
    with pytest.raises(locks.LockedError) as caught:
      _lock(path).__enter__()
    assert str(caught.value) == (
        f'it is held by process {process.pid} on {socket.gethostname()}: wait.'
    )
    assert path.exists()
    process.communicate('\n\n')
  assert not path.exists()
  with _lock(path):
    pass


def test_a_child_holds_the_lock_of_its_output(tmp_path):
  """Until its end, though the parent has closed the file."""
  path = tmp_path / 'log'
  with open(path, 'a', encoding='utf-8') as file:
    assert locks.lock_open_file(file)
    child = subprocess.Popen(
        [sys.executable, '-c', 'input()'],
        stdin=subprocess.PIPE,
        stdout=file,
        text=True,
    )
  with open(path, 'a', encoding='utf-8') as file:
    assert not locks.lock_open_file(file)
    child.communicate('\n')
    assert locks.lock_open_file(file)


def test_a_kill_frees_it(tmp_path):
  """What the holder has started does not hold it on."""
  path = tmp_path / 'lock'
  process = _hold(path)
  process.send_signal(signal.SIGKILL)
  process.wait()
  assert path.exists()
  with _lock(path):
    pass
  process.communicate()


def test_a_fork_does_not_hold_it(tmp_path):
  """Nor does it free or remove that of its parent."""
  path = tmp_path / 'lock'
  with _lock(path) as lock:
    child = os.fork()
    if not child:
      lock.__exit__()
      os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert path.exists()
    with pytest.raises(locks.LockedError):
      _lock(path).__enter__()


def test_directories_are_made_for_it_and_removed_again(tmp_path):
  """Unless there is something in them by then."""
  with _lock(tmp_path / 'a' / 'b' / 'lock'):
    pass
  assert not (tmp_path / 'a').exists()
  with _lock(tmp_path / 'a' / 'b' / 'lock'):
    (tmp_path / 'a' / 'file').write_text('')
  assert [path.name for path in (tmp_path / 'a').iterdir()] == ['file']


def test_a_lost_file_is_noticed_and_made_again(tmp_path):
  """By its holder; whose end does not remove another's."""
  path = tmp_path / 'a' / 'lock'
  with _lock(path) as lock:
    assert not lock.is_lost()
    path.unlink()
    assert lock.is_lost()
    lock.renew()
    assert not lock.is_lost()
    path.unlink()
    with _lock(path):
      with pytest.raises(locks.LockedError):
        lock.renew()
    with _lock(path):
      lock.__exit__()
      assert path.exists()


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
  """As that of any file."""
  (tmp_path / 'file').write_text('')
  with pytest.raises(errors.RunError, match='file cannot be written: '):
    _lock(tmp_path / 'file' / 'lock').__enter__()


def test_a_file_system_without_locks_has_none(tmp_path, monkeypatch):
  """Better a run without a lock than no run."""

  def refuse(*_):
    raise OSError(errno.ENOLCK, 'No locks available')

  monkeypatch.setattr(fcntl, 'flock', refuse)
  with _lock(tmp_path / 'lock'), _lock(tmp_path / 'lock'):
    pass
