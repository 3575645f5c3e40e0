"""A replay that does not fit is refused before it is built."""

import dataclasses
import shutil

import psutil
import pytest
import tensorflow as tf

from r2i_tf import errors
from r2i_tf import replay as replay_lib
from r2i_tf import run_config
from r2i_tf.replay import room
from r2i_tf.training import run
from tests.training import fakes

_SPEC = {
    'camera': tf.TensorSpec([64, 64, 3], tf.uint8),
    'speed': tf.TensorSpec([2], tf.float32),
}
_STEP = 64 * 64 * 3 + 2 * 4 + 8  # The last is the number of the step.


def _size(capacity, streams=1):
  return replay_lib.UniformReplay.size_of(_SPEC, streams, capacity)


def _config(capacity):
  replay = run_config.ReplayConfig(
      capacity=capacity, batch_size=2, sequence_length=8
  )
  return fakes.config(replay=replay)


def test_a_step_takes_as_much_as_in_the_table():
  """An image takes a byte for each number, not four."""
  assert _size(10) == replay_lib.Size(10, _STEP)


def test_the_line_says_how_much_of_how_much(tmp_path):
  """Capacity, bytes of a step, all bytes and free memory are in it."""
  line = room.check(_size(100_001, streams=2), tmp_path, 2 * 10**9)
  assert line == (
      "the replay's 100,000 steps of 12,304 bytes take 1.2 GB of the 2.0 GB of"
      ' memory available'
  )


def test_the_error_names_a_capacity_that_fits(tmp_path):
  """The capacity that the sentence names fits, and a tenth more does not."""
  with pytest.raises(errors.RunError) as caught:
    room.check(_size(10**7), tmp_path, 2 * 10**9)
  message = str(caught.value)
  assert '10,000,000 steps takes 123.0 GB, 12,304 bytes for each' in message
  assert '80% of the 2.0 GB' in message
  assert 'set replay.capacity to 130,000 or less' in message
  assert len(message.splitlines()) == 1
  room.check(_size(130_000), tmp_path, 2 * 10**9)
  with pytest.raises(errors.RunError):
    room.check(_size(143_000), tmp_path, 2 * 10**9)


def _on_disk(capacity, streams=1):
  return replay_lib.DiskReplay.size_of(_SPEC, streams, capacity)


@pytest.fixture(name='disk')
def _disk(monkeypatch):
  """A disk with 2 GB free."""
  usage = shutil.disk_usage('/')._replace(free=2 * 10**9)
  monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage)


@pytest.mark.usefixtures('disk')
def test_a_replay_on_disk_takes_a_chunk_of_memory(tmp_path):
  """The line has both, of how much; what is there already counts as room."""
  directory = tmp_path / 'run' / 'replay'
  line = room.check(_on_disk(100_000), directory, 10**9)
  assert line == (
      "the replay's 100,000 steps of 12,296 bytes take 1.2 GB of the 2.0 GB of"
      f' disk available to {directory}, and 67.1 MB of the 1.0 GB of memory'
      ' available'
  )
  directory.mkdir(parents=True)
  (directory / 'chunk-000000000000-000000005457.npz').write_bytes(b'x' * 1000)
  assert room.room_for(directory) == 2 * 10**9 + 1000


@pytest.mark.usefixtures('disk')
def test_a_replay_that_the_disk_cannot_hold_is_refused(tmp_path):
  """So is one whose newest steps alone take too much memory."""
  with pytest.raises(errors.RunError) as caught:
    room.check(_on_disk(10**7), tmp_path, 10**9)
  message = str(caught.value)
  assert 'takes 123.0 GB, 12,296 bytes for each' in message
  assert f'90% of the 2.0 GB of disk available to {tmp_path}' in message
  assert 'set replay.capacity to 140,000 or less' in message
  room.check(_on_disk(140_000), tmp_path, 10**9)
  with pytest.raises(errors.RunError, match='80% of the 10.0 MB of memory'):
    room.check(_on_disk(140_000), tmp_path, 10**7)


def _group(folder, limit, usage, inactive, version=2):
  folder.mkdir(parents=True, exist_ok=True)
  names = ('memory.max', 'memory.current', 'inactive_file')
  if version == 1:
    names = (
        'memory.limit_in_bytes',
        'memory.usage_in_bytes',
        'total_inactive_file',
    )
  (folder / names[0]).write_text(f'{limit}\n')
  (folder / names[1]).write_text(f'{usage}\n')
  (folder / 'memory.stat').write_text(f'anon 5\n{names[2]} {inactive}\nx 1\n')


def _membership(root, text):
  (root / 'proc/self').mkdir(parents=True)
  (root / 'proc/self/cgroup').write_text(text)


@pytest.fixture(name='machine')
def _machine(monkeypatch):
  """A machine with 1,000 bytes free."""
  free = psutil.virtual_memory()._replace(available=1000)
  monkeypatch.setattr(psutil, 'virtual_memory', lambda: free)


@pytest.mark.usefixtures('machine')
def test_the_least_limit_of_all_groups_counts(tmp_path):
  """A group's limit holds for the groups in it; cached files are free."""
  _membership(tmp_path, '0::/job/task\n')
  groups = tmp_path / 'sys/fs/cgroup'
  assert room.available_bytes(tmp_path) == 1000
  _group(groups / 'job/task', 'max', 300, 100)
  assert room.available_bytes(tmp_path) == 1000
  _group(groups / 'job', 800, 300, 100)
  assert room.available_bytes(tmp_path) == 600
  _group(groups / 'job/task', 350, 300, 100)
  assert room.available_bytes(tmp_path) == 150
  _group(groups / 'job/task', 350, 500, 100)
  assert room.available_bytes(tmp_path) == 0


@pytest.mark.usefixtures('machine')
def test_groups_of_the_first_version(tmp_path):
  """A container of an older system does not see its group's path."""
  _membership(tmp_path, '3:cpu,cpuacct:/docker/1\n2:memory:/docker/1\n')
  groups = tmp_path / 'sys/fs/cgroup'
  _group(groups / 'memory', 700, 300, 100, version=1)
  assert room.available_bytes(tmp_path) == 500


@pytest.mark.usefixtures('machine')
def test_a_system_without_groups(tmp_path):
  """Elsewhere than on Linux, what the machine has counts."""
  assert room.available_bytes(tmp_path) == 1000


def test_this_machine():
  """What is free here is more than nothing and less than all."""
  assert 0 < room.available_bytes() <= psutil.virtual_memory().total


@pytest.mark.parametrize('processes', [False, True])
def test_a_run_that_does_not_fit_builds_and_writes_nothing(tmp_path, processes):
  """Neither environments, their processes, an agent nor a directory."""
  config = dataclasses.replace(_config(10**10), environment_processes=processes)
  parts = dataclasses.replace(
      fakes.parts(), load_batch=None, build_agent=None  # Not to be called.
  )
  with pytest.raises(errors.RunError, match='replay of 10,000,000,000 steps'):
    run.train(config, str(tmp_path / 'run'), parts)
  assert not (tmp_path / 'run').exists()


def test_the_size_is_checked_once(tmp_path, monkeypatch):
  """With the memory that is free before the run takes any."""
  checks = []
  check = room.check

  def counted(size, directory):
    checks.append(size)
    return check(size, directory)

  monkeypatch.setattr(room, 'check', counted)
  run.train(_config(1000), str(tmp_path), fakes.parts())
  assert len(checks) == 1


def test_the_line_comes_first(tmp_path, capsys):
  """A run says what its replay takes before anything else."""
  run.train(_config(1000), str(tmp_path), fakes.parts())
  first = capsys.readouterr().err.splitlines()[0]
  assert first.startswith("the replay's 1,000 steps of 32 bytes take 32.0 kB")
