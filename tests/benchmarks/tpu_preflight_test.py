"""The train steps of the recipes are compiled once, and tabulated."""

import json
import subprocess

from absl.testing import flagsaver
import pytest

from benchmarks import tpu_preflight
from r2i_tf import run_config

_GIB = 2**30


def _row(case, needed=_GIB):
  return {
      **case._asdict(),
      'batch_size': 4 // case.replicas,
      'sequence_length': 8,
      'fits': needed <= 2 * _GIB,
      'needed_bytes': needed,
      'available_bytes': 2 * _GIB,
      'memory': {'temporaries': 3e9},
      'cost': {'bytes_accessed': 5e9, 'repeated_bytes': 7e9, 'exchanges': 9},
      'compile_seconds': 11.0,
  }


@pytest.fixture(name='place')
def _place(tmp_path, monkeypatch):
  """An empty document and record, and what is compiled into them."""
  record = tmp_path / 'docs' / 'tpu_preflight.json'
  record.parent.mkdir()
  record.write_text('[]')
  marks = [
      f'<!-- table:{name} -->\n<!-- end -->\n'
      for name in ('tpu_preflight', 'tpu_shared')
  ]
  (record.parent / 'performance.md').write_text('\n'.join(marks))
  monkeypatch.setattr(tpu_preflight, '_ROOT', tmp_path)
  monkeypatch.setattr(tpu_preflight, '_FILE', record)
  tpu_preflight.flags.FLAGS.mark_as_parsed()
  chosen = flagsaver.flagsaver(
      recipes=['popgym', 'bsuite'], chips=['v4', 'v6e']
  )
  with chosen:
    yield record


def test_an_interrupted_run_goes_on(place, monkeypatch):
  """What was compiled before is kept, and asked for no more."""
  asked = []

  def compile_some(case):
    asked.append(case)
    if len(asked) == 3:
      raise SystemExit('interrupted')
    return _row(case)

  monkeypatch.setattr(tpu_preflight, '_compile', compile_some)
  with pytest.raises(SystemExit):
    tpu_preflight.main([])
  assert len(json.loads(place.read_text())) == 2
  tpu_preflight.main([])
  own = str(run_config.RunConfig().agent.precision.value)
  # The recipe bsuite has float32 already.
  assert asked[3:] == asked[2:3] + [
      ('bsuite', 'float32', 'v6e', 1),
      ('popgym', 'float32', 'v4', 1),
      ('popgym', own, 'v5e', 4),
      ('bsuite', 'float32', 'v5e', 4),
  ]


@pytest.mark.parametrize('code', [0, 1, 2])
def test_an_answer_is_of_its_own_question(code, place, monkeypatch):
  """A preflight that ends without one does not take that of the case before."""
  preflights = place.parent / 'preflights'
  preflights.mkdir()
  (preflights / 'preflight.json').write_text('{}')

  def fail(*_, **__):
    return subprocess.CompletedProcess([], code)

  monkeypatch.setattr(subprocess, 'run', fail)
  with flagsaver.flagsaver(preflights=str(preflights)):
    with pytest.raises(SystemExit, match='could not be compiled'):
      tpu_preflight.main([])
  assert json.loads(place.read_text()) == []


def test_a_line_has_all_chips(place, monkeypatch):
  """What does not fit stands out; chips that share a batch stand apart."""
  monkeypatch.setattr(
      tpu_preflight,
      '_compile',
      lambda case: _row(case, 3 * _GIB if case.chip == 'v6e' else _GIB),
  )
  tpu_preflight.main([])
  text = (place.parent / 'performance.md').read_text()
  assert (
      '| `bsuite` | 4 x 8 | float32 | 5.00 | 7.00 | 3.00 | 1.0 of 2.0 |  |  |'
      ' **no:** 3.0 of 2.0 | 11 |'
  ) in text
  assert '| `bsuite` | float32 | v5e | 1 | 1.0 of 2.0 | 7.00 | 9 |' in text


def test_again_loses_nothing(place, monkeypatch):
  """What is compiled anew keeps its figures until there are new ones."""
  monkeypatch.setattr(tpu_preflight, '_compile', _row)
  tpu_preflight.main([])
  before = json.loads(place.read_text())

  def compile_one(case):
    if case.recipe == 'bsuite':
      raise SystemExit('interrupted')
    return _row(case, _GIB // 2)

  monkeypatch.setattr(tpu_preflight, '_compile', compile_one)
  with flagsaver.flagsaver(again=True), pytest.raises(SystemExit):
    tpu_preflight.main([])
  after = json.loads(place.read_text())
  assert after[0]['needed_bytes'] == _GIB // 2
  assert after[1:] == before[1:]
