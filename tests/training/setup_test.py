"""A run whose set-up fails leaves nothing open."""

import dataclasses
import signal

import psutil
import pytest

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import replay as replay_lib
from r2i_tf.record import metrics
from r2i_tf.record import progress
from r2i_tf.training import run
from tests.environments import fakes as rooms
from tests.training import fakes


class _BrokenReplay(replay_lib.UniformReplay):

  def __init__(self, *_):
    raise MemoryError('no table')


def _refuse(*_):
  raise ValueError('no agent')


def _unreadable(path):
  (path / 'checkpoints' / '000000000100').mkdir(parents=True)


# By what fails: other parts, what is done to the directory, and the error.
_FAILURES = {
    'agent': ({'build_agent': _refuse}, None, ValueError),
    'replay': ({'replay': _BrokenReplay}, None, MemoryError),
    'restore': ({}, _unreadable, errors.RunError),
    'record': (
        {},
        lambda path: (path / 'metrics.jsonl').mkdir(),
        errors.RunError,
    ),
    'tensorboard': (
        {},
        lambda path: (path / 'tensorboard').write_text('a file'),
        errors.RunError,
    ),
}


@pytest.mark.parametrize('failure', _FAILURES)
def test_all_that_was_opened_is_closed(tmp_path, failure, monkeypatch):
  """Environments, the display and the files, wherever the set-up fails."""
  changes, prepare, error = _FAILURES[failure]
  opened, closed = [], []

  def watch(cls, name):
    build, close = cls.__init__, cls.close

    def init(self, *args, **kwargs):
      build(self, *args, **kwargs)
      opened.append(name)

    def close_and_tell(self):
      close(self)
      closed.append(name)

    monkeypatch.setattr(cls, '__init__', init)
    monkeypatch.setattr(cls, 'close', close_and_tell)

  watch(fakes.Countdown, 'environment')
  watch(progress.Progress, 'progress')
  watch(metrics.MetricsWriter, 'record')
  config = fakes.config()
  if prepare:
    # A run that could go on but for this.
    run.workdir_lib.Workdir(str(tmp_path)).create(config)
    prepare(tmp_path)
  parts = dataclasses.replace(fakes.parts(), **changes)
  before = signal.getsignal(signal.SIGTERM)
  with pytest.raises(error) as caught:
    run.train(config, str(tmp_path), parts)
  # One environment tells the size of a step, the other would be the run's.
  assert opened == ['progress', 'environment', 'environment']
  assert sorted(closed) == sorted(opened)
  assert signal.getsignal(signal.SIGTERM) == before
  assert len(str(caught.value).splitlines()) == 1


def test_no_process_of_a_pool_is_left(tmp_path):
  """An agent that cannot be built ends the processes that wait for it."""
  processes = []

  def load_batch(task, seed, count, options, pool):
    del task
    this = psutil.Process()
    # Those of an earlier test, such as a server of multiprocessing, may stay.
    before = this.children(recursive=True)
    batch = environments.load_batch(rooms.Room, seed, count, options, pool)
    processes.extend(set(this.children(recursive=True)) - set(before))
    return batch

  parts = dataclasses.replace(
      fakes.parts(), load_batch=load_batch, build_agent=_refuse
  )
  config = fakes.config(environment_processes=True, parallel_environments=2)
  with pytest.raises(ValueError, match='no agent') as caught:
    run.train(config, str(tmp_path), parts)
  assert len(processes) >= 2
  # While the error holds the frames, and so what was built in them.
  assert caught.value.__traceback__ is not None
  gone, alive = psutil.wait_procs(processes, timeout=10)
  assert not alive and len(gone) == len(processes)
