"""Tests of sweeps: what is run, what is not run again, how it is stopped."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from r2i_tf import locks
from r2i_tf.record import outcome
from r2i_tf.record import records
from r2i_tf.sweeps import runs
from r2i_tf.sweeps import settings as settings_lib
from r2i_tf.sweeps import sweep

_ROOT = pathlib.Path(__file__).parents[2]
_PROGRAM = ['python', '-m', 'tests.sweeps.program']
_TASK = 'bsuite/memory_len/0'


@pytest.fixture(autouse=True)
def _in_checkout(monkeypatch):
  monkeypatch.chdir(_ROOT)
  monkeypatch.setenv('PYTHONPATH', str(_ROOT))


def _setting(name='a', seeds=(0,), **changes):
  changes = {'steps': 3, **changes}
  return settings_lib.Setting(
      name, _TASK, command=_PROGRAM, changes=changes, seeds=seeds
  )


def _run(settings, directory, parallel=1, minutes=None):
  return sweep.run(
      settings, directory, ['false'], sys.executable, parallel, minutes
  )


def _log(directory, name='a', seed=0):
  path = directory / f'bsuite-memory_len-0/{name}/{seed}/log.txt'
  return path.read_text().splitlines()


def test_a_finished_run_is_not_run_again(tmp_path):
  """The second sweep starts nothing; every seed of every setting was run."""
  settings = [_setting('a', (0, 1)), _setting('b', (5,))]
  for _ in range(2):
    assert _run(settings, tmp_path, 2) == sweep.Result(3, (), 0)
  for name, seed in [('a', 0), ('a', 1), ('b', 5)]:
    assert len(_log(tmp_path, name, seed)) == 1


def test_a_longer_run_goes_on(tmp_path):
  """More steps than before make a run unfinished, and it takes the rest."""
  _run([_setting()], tmp_path)
  assert _run([_setting(steps=5)], tmp_path).finished == 1
  assert [line.split(' on ')[0] for line in _log(tmp_path)] == [
      'from 0',
      'from 3',
  ]
  workdir = tmp_path / 'bsuite-memory_len-0/a/0'
  assert outcome.read(workdir).environment_steps == 5


def test_a_change_that_fails_leaves_a_run_unfinished(tmp_path):
  """What it was before is not what is asked for; asked again, it still is."""
  _run([_setting()], tmp_path)
  result = _run([_setting(fails=0)], tmp_path)
  assert (result.finished, len(result.failed)) == (0, 1)
  assert _run([_setting(fails=0)], tmp_path).finished == 0
  assert len(_log(tmp_path)) == 5  # Two lines of each that failed.
  assert _run([_setting()], tmp_path).finished == 1
  assert len(_log(tmp_path)) == 5


def test_an_outcome_is_of_its_record(tmp_path):
  """A run that went on and was stopped is not over by what it was before."""
  _run([_setting()], tmp_path)
  workdir = tmp_path / 'bsuite-memory_len-0/a/0'
  with open(workdir / records.FILE, 'a', encoding='utf-8') as file:
    file.write('{"environment_steps": 4, "train_steps": 4}\n')
  assert outcome.read(workdir) is None


def test_a_failed_run_does_not_stop_the_others(tmp_path, capsys):
  """It is named with its reason, and tried again by the next sweep."""
  settings = [_setting(seeds=(0, 1, 2), fails=1)]
  result = _run(settings, tmp_path)
  assert result.finished == 2 and result.left == 0
  assert [run.seed for run in result.failed] == [1]
  shown = capsys.readouterr().err
  assert 'a/1 FAILED, exit code 1: the reason' in shown
  _run(settings, tmp_path)
  assert len(_log(tmp_path, seed=1)) == 4
  assert len(_log(tmp_path, seed=2)) == 1


def test_a_run_that_cannot_start_does_not_stop_the_others(tmp_path):
  """A program that is not there, first of all, with one place for runs."""
  lost = settings_lib.Setting('lost', _TASK, command=['/no/such/program'])
  result = _run([lost, _setting()], tmp_path)
  assert result.finished == 1 and result.left == 0
  assert [run.setting.name for run in result.failed] == ['lost']


def test_a_run_waits_for_its_process_of_a_killed_sweep(tmp_path):
  """One that is still saving has locked its log; nothing is started beside."""
  log = tmp_path / 'bsuite-memory_len-0/a/0/log.txt'
  log.parent.mkdir(parents=True)
  with open(log, 'a', encoding='utf-8') as held:
    assert locks.lock_open_file(held)
    result = _run([_setting(seeds=(0, 1))], tmp_path, minutes=0.02)
    assert result == sweep.Result(1, (), 1)
    assert log.read_text() == ''
  assert _run([_setting(seeds=(0, 1))], tmp_path).finished == 2


def test_no_run_is_started_when_the_time_is_up(tmp_path):
  """What was not started is left for the next sitting."""
  assert _run([_setting()], tmp_path, minutes=0) == sweep.Result(0, (), 1)
  assert not (tmp_path / 'bsuite-memory_len-0').exists()
  assert _run([_setting()], tmp_path).finished == 1


def test_runs_share_the_cores(tmp_path):
  """Each of two at a time has its half, and nobody's cores overlap."""
  cores = os.sched_getaffinity(0)
  for parallel in range(1, 2 * len(cores) + 1):
    found = sweep.shares(parallel)
    assert len(found) == parallel
    assert frozenset().union(*found) == cores
    if parallel <= len(cores):
      assert sum(map(len, found)) == len(cores)
  _run([_setting()], tmp_path, parallel=len(cores))
  assert _log(tmp_path) == [f'from 0 on {[min(cores)]}']


def test_two_sweeps_in_a_directory_are_refused(tmp_path):
  """The second is told who has it, and changes nothing."""
  with locks.Lock(tmp_path / '.sweep.lock', 'it is that of', 'wait'):
    with pytest.raises(locks.LockedError, match=str(os.getpid())):
      _run([_setting()], tmp_path)
  assert list(tmp_path.iterdir()) == []


def test_another_sweep_keeps_what_was_there(tmp_path):
  """Its settings come first; those of before stay in the record."""
  _run([_setting('a')], tmp_path)
  _run([_setting('b')], tmp_path)
  found = runs.Book(tmp_path).settings()
  assert [setting.name for setting in found] == ['b', 'a']
  assert found[0].changes == {'steps': 3}


def test_sigterm_has_the_runs_save(tmp_path):
  """The program ends with the command that goes on, which then does."""
  gate = tmp_path / 'gate'
  gate.touch()
  file = tmp_path / 'sweep.py'
  file.write_text(
      'from r2i_tf import sweeps\n'
      'def get_sweep():\n'
      f'  return [sweeps.Setting("a", {_TASK!r}, command={_PROGRAM!r},'
      f' seeds=(0, 1), changes={{"steps": 3, "gate": {str(gate)!r}}})]\n'
  )
  directory = tmp_path / 'runs'
  command = [
      sys.executable,
      'launch/sweep.py',
      f'--sweep={file}',
      f'--workdir={directory}',
      '--parallel=2',
  ]
  process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
  metrics = [
      directory / f'bsuite-memory_len-0/a/{seed}/metrics.jsonl'
      for seed in range(2)
  ]
  deadline = time.monotonic() + 60
  while not all(records.read_last(path) for path in metrics):
    assert process.poll() is None and time.monotonic() < deadline
    time.sleep(0.05)
  process.send_signal(signal.SIGTERM)
  output, _ = process.communicate()
  assert process.returncode == 0
  assert '0 of 2 runs are finished' in output
  (line,) = [x for x in output.splitlines() if x.startswith('go on with:')]
  gate.unlink()
  again = line.partition(':')[2].strip()
  output = subprocess.run(
      again, shell=True, check=True, stdout=subprocess.PIPE, text=True
  ).stdout
  assert '2 of 2 runs are finished' in output
  assert [x.split(' on ')[0] for x in _log(directory)] == ['from 0', 'from 1']


def test_runs_of_train_are_checked_and_resumed(tmp_path):
  """A recipe with changes becomes a run of r2i-train with those fields."""
  setting = settings_lib.Setting(
      'short',
      _TASK,
      'bsuite:debug',
      {
          'steps': 64,
          'prefill': 10_000,  # No train step, so nothing is compiled.
          'evaluation_episodes': 0,
          'agent.world_model.sequence_model.kind': 'gru',
      },
      seeds=[3],
  )
  train = [sys.executable, 'launch/train.py']
  result = sweep.run([setting], tmp_path, train, sys.executable, 1, None)
  assert result == sweep.Result(1, (), 0), _log(tmp_path, 'short', 3)
  found = outcome.read(tmp_path / 'bsuite-memory_len-0/short/3')
  assert found.environment_steps == 64 and found.parameters > 1000
