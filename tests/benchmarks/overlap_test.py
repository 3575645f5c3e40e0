"""Rounds of a run are timed at one ratio, with a step in flight or not."""

import pytest

from benchmarks import agents
from benchmarks import overlap
from r2i_tf import run_config
from tests.benchmarks.machine import MACHINE


def test_measures_both_ways_at_the_same_ratio():
  """Of a small agent, in a task that takes microseconds."""
  run = run_config.RunConfig(
      task='bsuite/memory_len/0',
      parallel_environments=2,
      replay=run_config.ReplayConfig(1000, batch_size=2, sequence_length=4),
      agent=agents.smallest_config(),
  )
  [row] = overlap.measure(run, run.task, count=2, ratios=[6], seconds=0.0)
  assert row['train_ratio'] == 6 and row['train_steps_a_round'] == 1.5
  assert all(speed > 0 for speed in row['speed'].values())
  assert row['turns'] == 2 and row['rounds'] % 2 == 0
  in_turn = row['collecting_ms']['in turn'] + row['training_ms']['in turn']
  # A round is a step of both environments.
  assert row['speed']['in turn'] == pytest.approx(2e3 / in_turn, rel=0.5)
  record = {
      'machine': MACHINE,
      'environments': 2,
      'batch_size': 2,
      'sequence_length': 4,
      'rows': [{'domain': 'bsuite', **row}],
  }
  assert '| bsuite | 6 | 1.5 |' in overlap.tables(record)['overlap']
