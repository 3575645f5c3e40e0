"""Peers are timed in turn and do the same work; here nothing is installed."""

import json
import os
import sys
import textwrap

from matplotlib import figure
import numpy as np
import pytest

from benchmarks import peers
from benchmarks.peer_steps import children
from benchmarks.peer_steps import contenders
from benchmarks.peer_steps import places
from benchmarks.peer_steps import sequences
from benchmarks.peer_steps import serving
from benchmarks.peer_steps import showing
from benchmarks.peer_steps import work as work_lib
from r2i_tf import errors
from tests.benchmarks.machine import MACHINE

_SIZES = work_lib.Sizes(8, 1, 8, 8, 255, 2, 8, 1)
# A peer that trains nothing. Its own lines go where errors go.
_STEPS = """
  import sys
  from benchmarks.peer_steps import serving
  from benchmarks.peer_steps import work as work_lib

  work = work_lib.Work.from_json(sys.argv[1])
  channel = serving.Channel()
  print('of its own')
  facts = {
      'imagined': work.imagined,
      'loss': 1.0,
      'first_step_s': 2.0,
      'parameters': {'world_model': 3, 'actor': 4, 'critic': 5},
      'versions': {work.model: '6'},
  }
  serving.serve(channel, facts, lambda: print('trains'))
"""
# A run of two environments, which trains once for every second step.
_RUN = """
  import sys
  from benchmarks.peer_steps import serving
  from benchmarks.peer_steps import work as work_lib

  class Library:
    class Wrapper:
      def __init__(self, env):
        self.env = env

    class Pole:
      def step(self, action):
        return action

    made = {}

    def make(name):
      return Library.Pole()

    def register(id, entry_point):
      Library.made[id] = entry_point

  run = work_lib.Work.from_json(sys.argv[1]).run
  steps = 0
  gate = serving.Gate(serving.Channel(), run.free, lambda: steps // 2)
  name = serving.register(Library, gate)
  environments = [Library.made[name]() for _ in range(2)]
  while True:
    for environment in environments:
      assert environment.step('right') == 'right'
      steps += 1
"""


@pytest.fixture
def start(tmp_path):
  """Starts a peer that trains nothing, in the place of each contender."""

  def start(work, program=None):
    program = program or (_STEPS if work.run is None else _RUN)
    return children.Child(
        [sys.executable, '-c', textwrap.dedent(program), work.to_json()],
        os.environ,
        tmp_path / f'{work.model}.log',
    )

  return start


def test_a_child_takes_the_steps_that_it_is_told(start, tmp_path):
  """It counts them, and what it prints does not come between its answers."""
  child = start(work_lib.Work('sheeprl', _SIZES, 4, 8))
  try:
    assert child.facts['versions'] == {'sheeprl': '6'}
    assert [child.take(1), child.take(3)] == [1, 4]
  finally:
    child.close()
  printed = (tmp_path / 'sheeprl.log').read_text().split('\n')
  assert printed == ['of its own', *4 * ['trains'], '']


def test_a_run_waits_at_its_gate(start):
  """It goes on for as many environment steps as it is granted, and trains."""
  run = work_lib.Run(2, 64.0, prefill=6, free=10, directory='')
  child = start(work_lib.Work('sheeprl', _SIZES, 4, 8, run=run))
  try:
    assert child.facts == 5
    assert [child.take(4), child.take(20)] == [7, 17]
  finally:
    child.close()


def test_a_child_that_ends_says_why(start):
  """The last line that it has printed is in the error."""
  work = work_lib.Work('sheeprl', _SIZES, 4, 8)
  with pytest.raises(errors.RunError, match='ended with exit code 1.*No torch'):
    start(work, "raise ImportError('No torch.')")
  once = _STEPS.replace("print('trains')", 'sys.exit(3)')
  child = start(work, once)
  with pytest.raises(errors.RunError, match='exit code 3 .*of its own'):
    child.take(1)


def test_all_are_compared_with_both_of_ours(start, tmp_path):
  """In steps and in runs; tables, picture and JSON have each of them."""
  rows = peers.train_steps(start, _SIZES, 4, 8, 0.0)
  runs = peers.whole_runs(start, _SIZES, (4, 8), 16, 0.0, str(tmp_path))
  assert [row['model'] for row in rows] == list(contenders.CONTENDERS)
  assert rows[0]['over_s3m'] == rows[1]['over_gru'] == 1
  assert all(row['runs'] == 3 and row['over_s3m'] > 0 for row in rows)
  # One train step, of 32 steps, for every second environment step.
  assert all(row['replayed'] == 16 for row in runs['rows'])
  for row in runs['rows']:
    speed = 1e3 * 16 / row['median_ms']
    assert row['steps_per_s'] == pytest.approx(speed, rel=1e-3)
  record = {'machine': MACHINE, 'rows': rows, 'runs': runs}
  assert json.loads(json.dumps(record))
  tables = showing.tables(record)
  assert '| 4x8 | r2i_tf, S3M |' in tables['peers']
  assert '| dreamerv3 | dreamerv3 6 | 3 | 4 | 5 | 64 |' in (
      tables['peers_models']
  )
  assert 'turns of 16 environment steps' in tables['peers_runs']
  picture = figure.Figure()
  showing.plot(record, picture)
  assert len(picture.axes) == 2


@pytest.mark.parametrize('fault', ["'loss': float('nan')", "'imagined': 63"])
def test_who_does_less_is_not_compared(start, fault):
  """A step without imagination, or with a loss that is none, would be fast."""
  lazy = _STEPS.replace("'first_step_s'", f"{fault}, 'first_step_s'")
  with pytest.raises(errors.RunError, match='r2i_tf, S3M imagines .* 64 and'):
    peers.train_steps(lambda work: start(work, lazy), _SIZES, 4, 8, 0.0)


def test_a_train_ratio_is_gradient_steps_of_a_batch():
  """64 steps replayed for one, 1,024 at a time: once in 16."""
  run = work_lib.Run(4, 64.0, 1024, 1536, '')
  work = work_lib.Work('sheeprl', _SIZES, 16, 64, run=run)
  assert work.gradient_ratio == 1 / 16
  assert work == work_lib.Work.from_json(work.to_json())
  # Ten turns of 160 steps after the first, with ten train steps in each.
  assert peers.replayed(range(5, 106, 10), 160, (16, 64)) == 64


def test_sizes_are_those_of_the_vector_setting():
  """Those that the train step's own benchmark has."""
  assert peers.equal_sizes(quick=False) == work_lib.Sizes(
      128, 2, 8, 8, 255, 15, 64, 3
  )


def test_peers_train_on_episodes_of_a_hundred_steps():
  """As ours do: each sequence starts somewhere in one."""
  drawn = sequences.draw(work_lib.Work('sheeprl', _SIZES, 3, 250))
  assert drawn.observation.shape == (3, 250, 3)
  assert np.all(drawn.action.sum(-1) == 1)
  for first, last in zip(drawn.is_first, drawn.is_last):
    (starts,), (ends,) = np.nonzero(first), np.nonzero(last)
    assert np.all(np.diff(starts) == 101) and len(starts) >= 2
    assert set(ends[ends < 249] + 1) <= set(starts)


def test_an_environment_that_cannot_be_made_is_a_sentence(tmp_path):
  """It names the flag, and nothing half made is taken for whole."""
  with pytest.raises(errors.RunError, match='--python is .*nowhere'):
    places.python('sheeprl', tmp_path, str(tmp_path / 'nowhere'))
  with pytest.raises(
      errors.RunError, match='sheeprl needs cannot be installed'
  ):
    places.python('sheeprl', tmp_path, '/bin/false')


def test_an_environment_is_made_once(tmp_path):
  """One that has what the requirements say is taken as it is."""
  place = tmp_path / 'dreamerv3'
  place.mkdir()
  here = os.path.dirname(serving.__file__)
  wanted = ''
  for name in ('dreamerv3.txt', 'dreamerv3_no_deps.txt'):
    with open(os.path.join(here, name)) as file:
      wanted += file.read()
  (place / 'installed.txt').write_text(wanted)
  python = places.python('dreamerv3', tmp_path, '/bin/false')
  assert python == str(place / 'bin' / 'python')
