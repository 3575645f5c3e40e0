"""The contestants solve the same problem, and the report says what it should.

A comparison is worth nothing if one side computes something else.
"""

import json

import numpy as np
import pytest

from benchmarks import memory
from benchmarks import recurrences
from benchmarks import report
from benchmarks import scan
from benchmarks import timing
from tests.benchmarks.machine import MACHINE

NAMES = [recurrences.R2I_TF, recurrences.ASSOCIATIVE, recurrences.LOOP]


def _record(shapes, series):
  """Returns a record as `scan.measure` makes it, from made-up times."""
  rows = []
  for shape in [*shapes, *series]:
    for index, name in enumerate(NAMES):
      milliseconds = (index + 1) * shape[1] / 64
      rows.append(
          {
              'name': name,
              'shape': list(shape),
              'median_ms': milliseconds,
              'over_r2i_tf': index + 1.0,
              'floor_ms': 0.5,
              'over_floor': 2 * milliseconds,
              'trace_s': 0.1,
              'compile_s': 2.0,
              'memory_bytes': 1_500_000,
              'error_of_states': 1e-6,
              'error_of_gradients': 1e-5,
          }
      )
  series = [list(shape) for shape in series]
  return {'machine': MACHINE, 'series': series, 'rows': rows}


@pytest.mark.parametrize('name', NAMES)
def test_states_and_gradients_are_those_of_the_reference(name):
  """With resets, a carry and eigenvalues close to 1."""
  shape = (3, 21, 4)
  given = recurrences.problem(shape)
  assert given.is_reset.any() and not given.is_reset.all()
  assert np.abs(given.lambda_bar).max() > 0.99
  true = recurrences.reference(given)
  function, arguments = recurrences.contestant(name, shape)
  found = recurrences.solution(name, function(*arguments))
  assert all(a.shape == b.shape for a, b in zip(found, true))
  assert np.all(np.array([*recurrences.errors(found, true).values()]) < 1e-5)


def test_the_error_notices_a_wrong_channel():
  """Also one whose magnitude is small beside that of the others."""
  true = recurrences.reference(recurrences.problem((2, 5, 3)))
  small = np.array([1, 1, 1e-6])
  true = true._replace(states=true.states * small)
  wrong = true._replace(states=true.states + [0, 0, 1e-8])
  assert recurrences.errors(wrong, true)['states'] > 1e-3
  assert recurrences.errors(true, true)['states'] == 0


def test_memory_counts_arguments_results_and_temporaries():
  """And leaves out what XLA keeps for constants and within a thread."""
  assignment = """BufferAssignment:
allocation 0: size 262144, maybe-live-out:
 value: <42 fusion @0> (size=262144,offset=0): f32[256,256]{1,0}
allocation 1: size 512, parameter 0, shape |f32[128]| at ShapeIndex {}:
allocation 2: size 16, output shape is |(f32[4])|, maybe-live-out:
allocation 3: size 4, constant:
allocation 4: size 4, thread-local:
allocation 5: size 1024, preallocated-temp:

Total bytes used: 263704 (257.5KiB)
"""
  assert memory.assigned_bytes(assignment) == 262144 + 512 + 16 + 1024


def test_measures_every_contestant_where_it_takes_part(monkeypatch):
  """The loop is left out of sequences that are too long for it."""
  monkeypatch.setattr(
      memory, 'program_bytes', lambda cases: dict.fromkeys(cases, 1)
  )
  record = scan.measure([(1, 2, 2)], [(1, 3, 2)], 0.0, 1, loop_max_length=2)
  rows = [(row['name'], row['shape'][1]) for row in record['rows']]
  assert rows == [(name, 2) for name in NAMES] + [(n, 3) for n in NAMES[:2]]
  for row in record['rows']:
    assert row['median_ms'] > 0 and row['floor_ms'] > 0 and row['runs'] == 3
    assert row['trace_s'] > 0 and row['compile_s'] > 0
    assert row['error_of_states'] < 1e-5 and row['error_of_gradients'] < 1e-5
  assert record['rows'][0]['over_r2i_tf'] == 1


def test_report_writes_tables_json_and_plot(tmp_path):
  """The table of growth says 1 where time grows as the length does."""
  document = tmp_path / 'performance.md'
  places = ('scan', 'scan_growth')
  document.write_text(
      ''.join(f'<!-- table:{place} -->\n<!-- end -->\n' for place in places)
  )
  record = _record([(4, 128, 8)], [(1, 64, 8), (1, 256, 8)])
  report.save(
      tmp_path,
      'scan',
      record,
      scan.tables(record),
      lambda picture: scan.plot(record, picture),
  )
  assert json.loads((tmp_path / 'scan.json').read_text()) == record
  assert (tmp_path / 'scan.png').stat().st_size > 1000
  lines = document.read_text().splitlines()
  assert sum(line.startswith('| 4x128x8 |') for line in lines) == len(NAMES)
  assert '| 256 | 15.6 | 1 | 31.2 | 1 |' in lines


def test_ratios_are_taken_within_a_round():
  """A machine that slows down for all does not change the ratio."""
  ours, theirs = timing.Times([1.0, 1.0, 9.0]), timing.Times([2.0, 2.0, 18.0])
  assert theirs.over(ours) == 2.0
  assert ours.median == 1.0
