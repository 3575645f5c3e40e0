"""What is timed are the same sequences in memory and on disk."""

import pytest

from benchmarks import replay
from tests.benchmarks.machine import MACHINE

pytest.importorskip('ale_py')  # One of the images is a game's.


def test_measures_every_replay_and_every_way(tmp_path, monkeypatch):
  """Of short sequences, in two tables."""
  monkeypatch.setattr(replay, '_LENGTH', 32)
  record = {
      'machine': MACHINE,
      'steps': 1024,
      'sampling': replay.measure_sampling(tmp_path / 'replay', 1024, 0.0),
      'ways': replay.measure_ways(tmp_path, 0.0),
  }
  assert all(
      row['sequences_per_second'] > 0 for row in record['sampling'].values()
  )
  by_way = {(row['images'], row['way']): row for row in record['ways']}
  # Noise is not compressed, the frames of a game are.
  size = 'gigabytes_per_million_steps'
  assert by_way['noise', 'zlib'][size] > by_way['noise', 'read'][size]
  game = by_way['atari/ms_pacman', 'zlib'][size]
  assert 0 < game < by_way['atari/ms_pacman', 'read'][size] / 4
  tables = replay.tables(record)
  assert '| disk, cold |' in tables['replay']
  assert '| noise | unpacked (zlib) |' in tables['replay_ways']
