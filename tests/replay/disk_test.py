"""A replay on disk: what a kill, a damaged file or a full disk costs."""

import pathlib
import resource
import subprocess
import sys
import time

import numpy as np
import pytest

from r2i_tf import errors
from r2i_tf import replay as replay_lib
from r2i_tf.training import checkpoints
from tests.replay import fakes

_LENGTH = 48
_CHUNK = 3  # A sixteenth of the steps of a stream.


class _Run:
  """A replay and its checkpoints, whose steps are numbers of their own."""

  def __init__(self, directory):
    self.replay = replay_lib.DiskReplay(
        fakes.SPEC,
        fakes.STREAMS,
        fakes.STREAMS * _LENGTH,
        directory / 'replay',
    )
    self.reports = []
    self.replay.report = self.reports.append
    self.checkpoints = directory / 'checkpoints'
    self.store = checkpoints.CheckpointStore(
        self.checkpoints, {}, self.reports.append, [self.replay]
    )
    self.added = 0
    self._add = fakes.adder(self.replay)
    self.files = directory / 'replay'

  def collect(self, count):
    with self.replay.raising():
      self._add(range(self.added, self.added + count))
    self.added += count

  def save(self):
    self.store.save([self.added], {'added': self.added})

  def restore(self):
    state = self.store.restore()
    self.added = state['added'] if state else 0
    return self

  def numbers(self, length=4, count=400):
    """Returns the numbers of the steps of many sequences [count, length]."""
    (batch,) = self.replay.sample(count, length).take(1)
    numbers, _ = fakes.numbers(batch)
    np.testing.assert_array_equal(np.diff(numbers), 1)
    return numbers

  def held(self):
    return set(self.numbers().flat)

  def chunks(self):
    return sorted(int(path.name.split('-')[1]) for path in self.files.iterdir())


def test_a_chunk_is_written_once_and_deleted_when_no_checkpoint_needs_it(
    tmp_path,
):
  """The two that are kept can both be gone back to, and no more is kept."""
  run = _Run(tmp_path)
  run.collect(3 * _CHUNK + 1)
  assert run.chunks() == [0, 3, 6]
  written = {path: path.stat().st_mtime_ns for path in run.files.iterdir()}
  run.save()
  run.collect(_LENGTH)
  assert {path: path.stat().st_mtime_ns for path in written} == written
  run.save()  # Of steps 10 to 57; the first is from 0 on.
  assert run.chunks()[0] == 0
  run.collect(_CHUNK)
  run.save()  # 13 to 60; when it is written, the first is still there.
  run.collect(_CHUNK)
  run.save()
  assert run.chunks()[0] == 9
  assert len(run.chunks()) <= (_LENGTH + 3 * _CHUNK) / _CHUNK


def test_going_on_copies_nothing(tmp_path):
  """A checkpoint has the newest steps alone; the chunks are opened."""
  run = _Run(tmp_path)
  run.collect(_LENGTH + 2)
  run.save()
  (checkpoint,) = checkpoints.checkpoints_in(run.checkpoints)
  with np.load(checkpoint / 'replay-newest.npz') as newest:
    assert newest['camera'].shape[1] <= _CHUNK
  before = {p: p.stat().st_ino for p in run.files.iterdir()}
  after = _Run(tmp_path).restore()
  assert {p: p.stat().st_ino for p in run.files.iterdir()} == before
  assert fakes.content(after.replay, _LENGTH) == fakes.content(
      run.replay, _LENGTH
  )


def test_a_run_of_many_stops_has_what_one_without_has(tmp_path):
  """Restarts and checkpoints in any order lose and change no step."""
  alone = _Run(tmp_path / 'alone')
  for count in [3, 4, 7, 1, 9, 13, 2, 6, 30, 1, 1, 12]:
    stopping = _Run(tmp_path / 'stopping').restore()
    stopping.collect(count)
    stopping.save()
    alone.collect(count)
    held = min(alone.added, _LENGTH)
    again = _Run(tmp_path / 'stopping').restore()
    assert fakes.content(again.replay, held) == fakes.content(
        alone.replay, held
    )
    assert not again.reports and not stopping.reports


def test_steps_after_the_checkpoint_are_not_taken_up(tmp_path):
  """The run writes its own in their place, whatever was there."""
  run = _Run(tmp_path)
  run.collect(10)
  run.save()
  run.collect(20)  # And a kill.
  after = _Run(tmp_path).restore()
  assert after.held() == set(range(10))
  after._add(range(500, 502))
  assert after.replay._held() == [range(0, 12)]
  (batch,) = after.replay.sample(200, 4).take(1)
  numbers, _ = fakes.numbers(batch)
  assert set(numbers.flat) == {*range(10), 500, 501}
  after.added = 12
  after.save()
  assert after.chunks() == [0, 3, 6]  # What is of no checkpoint is gone.


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path):
  """Whose chunks are all there, though they have left the replay since."""
  run = _Run(tmp_path)
  run.collect(_LENGTH)
  run.save()
  content = fakes.content(run.replay, _LENGTH)
  run.collect(2 * _LENGTH)
  run.save()
  newest = checkpoints.checkpoints_in(run.checkpoints)[-1]
  _change(newest / 'replay-newest.npz')
  after = _Run(tmp_path).restore()
  assert after.added == _LENGTH
  assert len(after.reports) == 1
  assert fakes.content(after.replay, _LENGTH) == content


def _cut(path):
  path.write_bytes(path.read_bytes()[:-10])


def _change(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 3] ^= 0xFF
  path.write_bytes(content)


def _lengthen(path):
  path.write_bytes(path.read_bytes() + b'more')


def _empty(path):
  path.write_bytes(b'')


@pytest.mark.parametrize(
    'damage', [_cut, _change, _lengthen, _empty, lambda path: path.unlink()]
)
def test_a_damaged_chunk_is_left_out(tmp_path, damage):
  """No step of it is sampled, no sequence runs over it; one line says so."""
  run = _Run(tmp_path)
  run.collect(20)
  run.save()
  damage(run.files / 'chunk-000000000006-000000000009.npz')
  after = _Run(tmp_path).restore()
  assert after.added == 20
  if damage is _lengthen and not after.reports:
    assert after.held() == set(range(20))  # It is as readable as before.
    return
  assert after.held() == {*range(6), *range(9, 20)}
  assert len(after.reports) == 1 and '1 files in' in after.reports[0]
  after.collect(2 * _LENGTH)
  after.save()
  assert after.held() == set(range(_LENGTH + 20, 2 * _LENGTH + 20))


def test_every_chunk_may_be_lost(tmp_path):
  """The run is told that it has nothing to sample, and collects again."""
  run = _Run(tmp_path)
  run.collect(20)
  run.save()
  for path in run.files.iterdir():
    path.unlink()
  after = _Run(tmp_path).restore()
  assert not after.replay.has_sequence(4)
  after.collect(4)
  assert after.replay.has_sequence(4)
  assert after.held() == set(range(18, 24))


def test_every_chunk_may_be_damaged(tmp_path):
  """The start that finds it out ends in one sentence, the next collects."""
  run = _Run(tmp_path)
  run.collect(19)
  run.save()
  for path in run.files.iterdir():
    _change(path)
  with pytest.raises(errors.RunError, match='no 4 steps in a row'):
    found = _Run(tmp_path).restore()
    with found.replay.raising():
      found.numbers()
  after = _Run(tmp_path).restore()
  assert not after.replay.has_sequence(4)
  after.collect(4)
  assert after.held() == set(range(18, 23))
  after.save()
  assert after.chunks() == [18]


def test_a_chunk_lost_while_it_is_in_use_ends_in_one_sentence(tmp_path):
  """And the next start goes on without it."""
  run = _Run(tmp_path)
  run.collect(20)
  run.save()
  for path in run.files.iterdir():
    path.unlink()
  with pytest.raises(errors.RunError, match='cannot be read') as caught:
    with run.replay.raising():
      run.numbers()
  assert len(str(caught.value).splitlines()) == 1
  assert _Run(tmp_path).restore().replay.has_sequence(2)


@pytest.mark.filterwarnings('error')
def test_a_full_disk_ends_the_run_in_one_sentence(tmp_path):
  """Nothing half-written is left, and the last checkpoint is intact."""
  run = _Run(tmp_path)
  run.collect(10)
  run.save()
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
  try:
    with pytest.raises(errors.RunError, match='File too large') as caught:
      run.collect(8)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert len(str(caught.value).splitlines()) == 1
  assert run.chunks() == [0, 3, 6]
  assert _Run(tmp_path).restore().held() == set(range(10))


def test_chunks_are_readable_by_themselves(tmp_path):
  """NumPy alone reads the steps, by their place in the trajectory."""
  run = _Run(tmp_path)
  run.collect(2 * _CHUNK + 1)
  with np.load(run.files / 'chunk-000000000003-000000000006.npz') as arrays:
    assert arrays['camera'].shape == (fakes.STREAMS, _CHUNK, 8, 8, 3)
    assert arrays['state/0'][:, :, 0].tolist() == [
        [3, 4, 5],
        [1003, 1004, 1005],
    ]


def _program(*arguments):
  return subprocess.Popen(
      [sys.executable, '-m', 'tests.replay.disk_program', *arguments],
      cwd=pathlib.Path(__file__).parents[2],
      stdout=subprocess.PIPE,
      text=True,
  )


def test_kills_lose_no_more_than_the_steps_since_the_last_checkpoint(tmp_path):
  """Whenever they come: each start opens what the last one saved."""
  rng = np.random.default_rng(0)
  reached = 0
  for _ in range(3):
    with _program('write', str(tmp_path)) as process:
      opened = int(process.stdout.readline())
      assert opened >= reached
      for _ in range(rng.integers(3, 12)):
        reached = int(process.stdout.readline())
      time.sleep(rng.uniform(0, 0.02))  # To hit anything, in any state.
      process.kill()
      lines = process.stdout.read().splitlines()
      if lines and len(lines[-1]) == _DIGITS:
        reached = int(lines[-1])
  after = _Run(tmp_path).restore()
  assert after.added >= reached > 0
  assert after.held() == set(range(after.added - _LENGTH, after.added))
  assert not after.reports


_DIGITS = 12


def test_a_replay_of_ten_times_the_memory_that_the_process_may_take(tmp_path):
  """Written and sampled, while one in memory cannot even be built."""
  with _program('limited', str(tmp_path)) as process:
    output = process.stdout.read()
  assert process.returncode == 0, output
  assert output.splitlines() == ['memory: refused', 'disk: sampled']
