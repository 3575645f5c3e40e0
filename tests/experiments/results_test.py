"""Tests of the sweeps of docs/results.md, and of the page that they fill."""

import pathlib
import re

import pytest

from experiments import results
from experiments import sweeps
from r2i_tf.record import records
from r2i_tf.sweeps import runs
from r2i_tf.sweeps import settings
from tests.reports import made

_ROOT = pathlib.Path(__file__).parents[2]
_FILE = str(_ROOT / 'experiments' / 'sweeps.py')


@pytest.mark.parametrize('name', ['', *sweeps.SWEEPS])
def test_every_sweep_can_be_run(name):
  """Its fields and values are those of the configuration."""
  assert settings.load(f'{_FILE}:{name}' if name else _FILE)


def test_sweeps_share_runs():
  """What stands in two of them is the same setting, and is run once."""
  every = sweeps.get_sweep()
  names = [setting.directory for setting in every]
  assert len(set(names)) == len(names)
  assert sum(len(f()) for f in sweeps.SWEEPS.values()) > len(every)


def test_the_page_has_a_place_for_each_sweep():
  """And for nothing else but the cost."""
  text = (_ROOT / 'docs' / 'results.md').read_text(encoding='utf-8')
  places = re.findall(r'<!-- table:(\w+) -->', text)
  assert places == ['cost', *sweeps.SWEEPS]


def _filled(tmp_path, section, count):
  """Fills a section of a copy of the page; returns the folder of the copy."""
  docs = tmp_path / 'docs'
  docs.mkdir()
  page = (_ROOT / 'docs' / 'results.md').read_text(encoding='utf-8')
  (docs / 'results.md').write_text(page, encoding='utf-8')
  found = sweeps.get_sweep(section)
  book = runs.Book(tmp_path / 'runs')
  book.write(found)
  for run in runs.expand(found, tmp_path / 'runs')[:count]:
    made.run(run.workdir, [0.5] * records.WINDOW)
    book.note(run)
  results.flags.FLAGS.mark_as_parsed()
  results.fill(tmp_path / 'runs', docs, [section])
  return docs


def test_the_page_is_filled(tmp_path):
  """Sections come from runs, with pictures where the page finds them."""
  docs = _filled(tmp_path, 'popgym', 2)
  text = (docs / 'results.md').read_text(encoding='utf-8')
  assert f'2 of {len(sweeps.get_sweep("popgym"))} runs are finished' in text
  assert '### popgym/RepeatPreviousEasy' in text
  (picture,) = re.findall(r'\]\((results/popgym/.*\.png)\)', text)
  assert (docs / picture).exists()
  assert not list((docs / 'results').rglob('*.md'))  # It has no twin.
  assert '| r2i | 1 |  |  | 0.5 | 50.0 | 42 | 100.0 |' in text


def test_other_sections_keep_what_they_have(tmp_path):
  """A run that two sections share fills the one that is asked for alone."""
  docs = _filled(tmp_path, 'ablations', 1)
  before = (_ROOT / 'docs' / 'results.md').read_text(encoding='utf-8')
  after = (docs / 'results.md').read_text(encoding='utf-8')
  of_memory_len = re.compile(r'<!-- table:memory_len -->.*?<!-- end -->', re.S)
  assert of_memory_len.findall(after) == of_memory_len.findall(before)
  assert [path.name for path in (docs / 'results').iterdir()] == ['ablations']


def test_a_run_of_two_sections_counts_once(tmp_path):
  """As the section knows it that was filled later."""
  states = {'ablations': 'finished,2.5', 'memory_len': 'not begun,'}
  for section, state in states.items():
    folder = tmp_path / section
    folder.mkdir()
    (folder / 'runs.csv').write_text(
        f'task,setting,seed,state,minutes\nt,r2i,0,{state}\n'
    )
  (run,) = results._all_runs(tmp_path)
  assert (run['state'], run['minutes']) == ('finished', '2.5')
