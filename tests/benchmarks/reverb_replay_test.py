"""What is timed is a server of its own process, beside the replay in memory."""

import numpy as np
import pytest

pytest.importorskip('reverb')

from benchmarks import reverb_replay  # noqa: E402


def test_measures_both_replays():
  """Of vectors, and tells what a million steps of them take."""
  row = reverb_replay.measure([4], np.float32, 16, 64, turns=1)
  assert all(value > 0 for key, value in row.items() if 'gig' not in key)
  record = {
      'rows': [{'observation': 'vector', **row}],
      'environment_steps_per_second': {1: 100.0, 2: 150.0},
  }
  tables = reverb_replay.tables(record)
  assert '| vector |' in tables['reverb_replay']
  assert '| 2 | 150 | 1.50 |' in tables['reverb_collectors']
