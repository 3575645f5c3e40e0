"""What is timed are steps of all environments, in the process and in a pool."""

import dataclasses

from benchmarks import agents
from benchmarks import collecting
from r2i_tf import run_config
from tests.benchmarks.machine import MACHINE


def test_measures_random_actions_and_the_policy_in_both_places():
  """Of a small agent, in a task that takes microseconds."""
  run = dataclasses.replace(
      run_config.RunConfig(task='bsuite/memory_len/0'),
      agent=agents.smallest_config(),
  )
  row = collecting.measure(run, count=2, seconds=0.0)
  assert row['task'] == 'bsuite/memory_len/0'
  assert row['random']['process'] > row['policy']['process'] > 0
  assert row['policy']['pool'] > 0 and row['random']['pool'] > 0
  record = {
      'machine': MACHINE,
      'environments': 2,
      'rows': [{'domain': 'bsuite', **row}],
  }
  assert '| bsuite | bsuite/memory_len/0 |' in (
      collecting.tables(record)['collecting']
  )
