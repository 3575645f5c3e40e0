"""The replay of a checkpoint: all of it comes back, little of it is written."""

import resource

import numpy as np
import pytest

from r2i_tf import errors
from r2i_tf import replay as replay_lib
from r2i_tf.replay import files as replay_files
from r2i_tf.training import checkpoints
from tests.replay import fakes

_LENGTH, _FILE_STEPS = 20, 6


class _Run:
  """A replay and its checkpoints, whose steps are numbers of their own."""

  def __init__(self, directory):
    capacity = fakes.STREAMS * _LENGTH
    size = replay_lib.UniformReplay.size_of(fakes.SPEC, fakes.STREAMS, capacity)
    self.replay = replay_lib.UniformReplay(
        fakes.SPEC,
        fakes.STREAMS,
        capacity,
        file_bytes=_FILE_STEPS * fakes.STREAMS * size.step_bytes,
    )
    self.reports, self.directory = [], directory
    self.store = checkpoints.CheckpointStore(
        directory, {}, self.reports.append, [self.replay]
    )
    self.added = 0
    self._add = fakes.adder(self.replay)

  def collect(self, count):
    self._add(range(self.added, self.added + count))
    self.added += count

  def content(self):
    return fakes.content(self.replay, min(self.added, _LENGTH))

  def saved(self, step):
    self.store.save([step], {'added': self.added})
    return self.directory / f'{step:012d}'

  def restore(self):
    state = self.store.restore()
    self.added = state['added'] if state else 0


def _new_files(path):
  """Returns the files of the replay that are no links."""
  files = path.glob('replay-*.npz')
  return sorted(file.name for file in files if file.stat().st_nlink == 1)


@pytest.mark.parametrize('steps', [0, 1, 6, 20, 21, 45])
def test_all_steps_come_back(tmp_path, steps):
  """Empty, partly filled, filled or overwritten, with every kind of number."""
  before = _Run(tmp_path)
  before.collect(steps)
  before.saved(1)
  after = _Run(tmp_path)
  after.restore()
  assert after.added == steps
  if steps:
    assert after.content() == before.content()
  before.collect(5)
  after.collect(5)
  assert after.content() == before.content()


def test_a_run_of_many_stops_has_what_one_without_has(tmp_path):
  """Links, overwriting and restarts in any order lose and change no step."""
  alone = _Run(tmp_path / 'alone')
  for save, count in enumerate([3, 4, 7, 1, 9, 13, 2, 6, 30, 1, 1, 12]):
    stopping = _Run(tmp_path / 'stopping')
    stopping.restore()
    stopping.collect(count)
    stopping.saved(save)
    alone.collect(count)
    again = _Run(tmp_path / 'stopping')
    again.restore()
    assert again.content() == alone.content(), save
  assert not stopping.reports


def test_full_files_are_written_twice_and_then_linked_to(tmp_path):
  """A checkpoint writes what is new since the last but one, and no more."""
  run = _Run(tmp_path)
  run.collect(13)
  assert len(_new_files(run.saved(1))) == 3
  run.collect(1)
  assert len(_new_files(run.saved(2))) == 3  # Shares nothing with the first.
  run.collect(1)
  linked = run.saved(3)
  assert _new_files(linked) == [
      # The first checkpoint is gone; what it shared is this one's alone.
      'replay-000000000000-000000000006.npz',
      'replay-000000000006-000000000012.npz',
      'replay-000000000012-000000000015.npz',
  ]
  times = {file.name: file.stat().st_mtime_ns for file in linked.iterdir()}
  run.collect(1)
  run.saved(4)
  run.collect(1)
  later = {f.name: f.stat().st_mtime_ns for f in run.saved(5).iterdir()}
  same = sorted(name for name in times if later.get(name) == times[name])
  assert same == [
      'replay-000000000000-000000000006.npz',
      'replay-000000000006-000000000012.npz',
  ]


def test_without_links_files_are_written(tmp_path, monkeypatch):
  """A file system that knows no links costs time, and no step."""

  def refuse(*_):
    raise PermissionError(1, 'Operation not permitted')

  monkeypatch.setattr(replay_files.os, 'link', refuse)
  run = _Run(tmp_path)
  for save in range(4):
    run.collect(7)
    run.saved(save)
  after = _Run(tmp_path)
  after.restore()
  assert after.content() == run.content()


def _cut(path):
  path.write_bytes(path.read_bytes()[:-10])


def _change(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 0xFF
  path.write_bytes(content)


@pytest.mark.parametrize('damage', [_cut, _change, lambda path: path.unlink()])
@pytest.mark.parametrize('name', ['replay-000000000000-*.npz', 'replay.json'])
def test_a_damaged_file_costs_one_checkpoint(tmp_path, damage, name):
  """Whichever file it is: none belongs to both of the last two."""
  if damage is _change and name == 'replay.json':
    pytest.skip('changes of this file are not found; it is a few bytes')
  run = _Run(tmp_path)
  for save in range(5):
    run.collect(2)
    run.saved(save)
    if save == 3:
      content = run.content()
  (newest,) = (tmp_path / f'{4:012d}').glob(name)
  damage(newest)
  after = _Run(tmp_path)
  after.collect(17)  # What a broken checkpoint has left is no hindrance.
  after.restore()
  assert after.content() == content
  assert len(after.reports) == 1 and '000000000004' in after.reports[0]


@pytest.mark.filterwarnings('error')
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path):
  """A file that cannot grow ends in one sentence; the run can go back."""
  run = _Run(tmp_path)
  run.collect(8)
  run.saved(1)
  content = run.content()
  run.collect(8)
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
  try:
    with pytest.raises(errors.RunError, match='the earlier ones are intact'):
      run.saved(2)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert [path.name for path in tmp_path.iterdir()] == [f'{1:012d}']
  after = _Run(tmp_path)
  after.restore()
  assert after.content() == content


def test_the_files_are_readable_by_themselves(tmp_path):
  """NumPy alone reads the steps, by their place in the trajectory."""
  run = _Run(tmp_path)
  run.collect(4)
  (file,) = run.saved(1).glob('*.npz')
  with np.load(file) as arrays:
    assert arrays['step'].tolist() == [0, 1, 2, 3]
    assert arrays['camera'].shape == (fakes.STREAMS, 4, 8, 8, 3)
    assert arrays['camera'].dtype == np.uint8
    assert arrays['state/0'][:, 2, 0].tolist() == [2, 1002]
