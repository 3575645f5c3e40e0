"""What is timed is drawn, and what it is compared with is not."""

import dataclasses

import tensorflow as tf

from benchmarks import agents
from benchmarks import pictures
from r2i_tf import run_config
from tests.benchmarks.machine import MACHINE


def test_only_one_of_two_has_what_is_measured(tmp_path):
  """An export with `assess` and one without; an evaluation with pictures."""
  run = dataclasses.replace(
      run_config.RunConfig.preset('quickstart'),
      task='bsuite/memory_len/1',
      agent=agents.smallest_config(),
  )
  pairs = pictures.compared(run, tmp_path, 1)
  for name, export in zip(('without', 'with'), pairs['export']):
    export()
    policy = tf.saved_model.load(str(tmp_path / name / 'greedy'))
    assert ('assess' in policy.signatures) == (name == 'with')
  for evaluate, drawn in zip(pairs['evaluation'], (False, True)):
    assert len(evaluate().returns) == 1
    assert (tmp_path / 'with' / 'greedy' / 'episodes').exists() == drawn


def test_the_table_has_a_row_for_each():
  """With the share of a run of five minutes."""
  row = {
      'task': 'mine',
      'what': 'evaluation',
      'without': {'median_ms': 4_000.0},
      'with': {'median_ms': 5_500.0},
      'ratio': 1.375,
      'added_seconds': 1.5,
  }
  table = pictures.tables({'machine': MACHINE, 'rows': [row]})['pictures']
  assert '| mine | evaluation | 4 | 5.5 | 1.38 | 0.5 |' in table
