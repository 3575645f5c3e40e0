"""What is timed is drawn, and what it is compared with is not."""

from benchmarks import agents
from benchmarks import pictures


def test_measures_exports_and_evaluations():
  """Both, each with and without, and a row of the table for each."""
  record = pictures.measure(
      ['bsuite/memory_len/1'], 1, 0.0, agents.smallest_config()
  )
  assert [row['what'] for row in record['rows']] == ['export', 'evaluation']
  for row in record['rows']:
    assert row['with']['runs'] == row['without']['runs'] == 3
  table = pictures.tables(record)['pictures']
  assert '| bsuite/memory_len/1 | evaluation |' in table
