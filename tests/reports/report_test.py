"""Tests of reports: what a page says of records made by hand."""

import csv
import pathlib

import numpy as np
import pytest

from r2i_tf import errors
from r2i_tf.programs import report
from r2i_tf.reports import curves
from r2i_tf.reports import page
from r2i_tf.reports import reference
from r2i_tf.reports import runs
from r2i_tf.reports import tables
from r2i_tf.sweeps import runs as sweep_runs
from r2i_tf.sweeps import settings
from tests.reports import made

_TASK = 'bsuite/memory_len/0'


def _run(path, returns, window=2, threshold=None, over=True, **changes):
  made.run(path, returns, over=over)
  state = runs.State.FINISHED if over else runs.State.UNFINISHED
  return runs.Run(
      **{
          'task': _TASK,
          'setting': 'a',
          'seed': 0,
          'workdir': path,
          'state': state,
          'window': window,
          'threshold': threshold,
          **changes,
      }
  )


def test_a_run_by_hand(tmp_path):
  """The mean of the last two returns, when it was reached, and its end."""
  run = _run(tmp_path / 'a', [0, 1, 1, 3, 0], threshold=1.0)
  np.testing.assert_array_equal(run.curve.mean_returns, [0, 0.5, 1.0, 2.0, 1.5])
  assert run.reached == (30, 1.5)
  assert run.final_return == 1.5
  assert run.train_step_ms == 50.0
  assert run.parameters == 42


def test_a_window_that_is_not_full_reaches_nothing(tmp_path):
  """One lucky episode at the start is no mean of four."""
  run = _run(tmp_path / 'a', [9, 0, 0, 0, 0], window=4, threshold=2.0)
  assert run.reached == (40, 2.0)
  run = _run(tmp_path / 'b', [9, 0, 0], window=4, threshold=2.0)
  assert run.reached is None


def test_a_return_that_is_no_number_spoils_its_windows_only(tmp_path):
  """The record has null for it; later means are of later returns."""
  run = _run(tmp_path / 'a', [1, None, 1, 1, 3], threshold=2.0)
  np.testing.assert_array_equal(
      run.curve.mean_returns, [1, np.nan, np.nan, 1, 2]
  )
  assert run.reached == (50, 2.5)
  run = _run(tmp_path / 'b', [1, 1, None])
  (row,) = tables.rows(tables.group([run]))
  assert '| not finite |' in tables.markdown([row])


def test_thresholds_that_differ_are_not_mixed(tmp_path):
  """A heading has one; what was looked for otherwise has empty cells."""
  one = _run(tmp_path / 'a', [0, 1], 1, 1.0)
  half = _run(tmp_path / 'b', [0.5, 1], 1, 0.5, setting='b')
  found = tables.rows(tables.group([one, half]))
  first, second = tables.markdown(found).splitlines()[-2:]
  assert first.startswith('| a | 1 | 20 (1 of 1) | 1.0 |')
  assert second.startswith('| b | 1 |  |  |')
  none = _run(tmp_path / 'c', [0, 1], 1, None)
  for seeds in ([one, none], [none, one]):
    (row,) = tables.rows(tables.group(seeds))
    assert row.threshold is None


def test_the_median_seed_may_never_get_there(tmp_path):
  """Two of three seeds have a median; one of three has none."""
  found = [
      _run(tmp_path / str(seed), returns, 1, 1.0, seed=seed)
      for seed, returns in enumerate([[0, 1], [0, 0, 0, 1], [0, 0, 0, 0]])
  ]
  (row,) = tables.rows(tables.group(found))
  assert (row.reached, row.steps, row.minutes_to) == (2, 40, 2.0)
  (row,) = tables.rows(tables.group([found[0], found[2], found[2]]))
  assert (row.reached, row.steps) == (1, None)
  assert 'not reached (1 of 3)' in tables.markdown([row])


def test_a_band_by_hand(tmp_path):
  """A run that is over keeps its last return; one that is not ends the band."""
  short = _run(tmp_path / 'a', [1, 1], window=1)
  long = _run(tmp_path / 'b', [0, 0, 0, 1], window=1)
  band = curves.band([short, long], 'environment_steps')
  assert (band.x[0], band.x[-1]) == (10, 40)
  assert band.mean[0] == 0.5 and band.mean[-1] == 1.0
  assert band.mean[band.x < 40][-1] == 0.5
  assert band.low[0] == 0.0 and band.high[0] == 1.0
  going = _run(tmp_path / 'c', [0, 0, 0], window=1, over=False)
  assert curves.band([going, long], 'minutes').x[-1] == 1.5


def test_a_sweep_that_is_not_finished(tmp_path):
  """The page says which runs are not, and has the curves of the others."""
  setting = settings.Setting(
      'gru', _TASK, 'quickstart', seeds=(0, 1, 2), threshold=1.0, window=1
  )
  all_runs = sweep_runs.expand([setting], tmp_path)
  book = sweep_runs.Book(tmp_path)
  book.write([setting])
  for run, over in zip(all_runs[:2], (True, False)):
    made.run(run.workdir, [0, 1, 1], over=over)
    book.note(run)
  output = tmp_path / 'page'
  text = page.write(runs.collect([tmp_path]), output)
  assert f'**1 unfinished:** gru on {_TASK} (seed 1).' in text
  assert f'**1 not begun:** gru on {_TASK} (seed 2).' in text
  assert '| gru | 2 (2 not finished) | 20 (2 of 2) | 1.0 |' in text
  assert (output / 'bsuite-memory_len-0.png').stat().st_size > 1000
  with open(output / 'runs.csv', encoding='utf-8') as file:
    lines = list(csv.DictReader(file))
  assert [line['state'] for line in lines] == [
      'finished',
      'unfinished',
      'not begun',
  ]
  assert lines[0]['steps_to_threshold'] == '20'
  with open(output / 'curves.csv', encoding='utf-8') as file:
    assert len(list(csv.DictReader(file))) == 6


@pytest.mark.parametrize('own', [True, False])
def test_only_bsuites_own_settings_have_its_scores(own, tmp_path):
  """A task with arguments of one's own is none; there is no empty table."""
  task = 'bsuite/memory_len' + ('/0' if own else '?memory_length=300')
  setting = settings.Setting('a', task, 'quickstart', window=1)
  [run] = sweep_runs.expand([setting], tmp_path)
  book = sweep_runs.Book(tmp_path)
  book.write([setting])
  made.run(run.workdir, [0, 1, 1])
  book.note(run)
  text = page.write(runs.collect([tmp_path]), tmp_path / 'page')
  assert ("BSuite's scores" in text) == own


def test_runs_alone_are_grouped_by_their_differences():
  """Seeds, and how long a run may take, are none."""
  base = {'task': 't', 'seed': 0, 'agent': {'world_model': {'bins': 255}}}
  other = {'task': 't', 'seed': 1, 'agent': {'world_model': {'bins': 511}}}
  assert runs.label([base, other, {**other, 'max_minutes': 3}]) == [
      'bins=255',
      'bins=511',
      'bins=511',
  ]
  assert runs.label([base, {**base, 'seed': 1, 'steps': 7}]) == ['run', 'run']
  # Another environment of the same task is one.
  size = {'environment': {'gymnasium': {'kwargs': {'size': 9}}}}
  assert runs.label([base, {**base, **size}]) == ['run', 'size=9']
  # A field that came later has its default.
  assert runs.label([base, {'task': 't'}]) == ['run', 'run']


def test_what_differs_between_tasks_alone_is_no_name():
  """And fields that end alike are told apart."""
  base = {'task': 't', 'agent': {'world_model': {'bins': 255}}}
  other = {'task': 'u', 'agent': {'world_model': {'bins': 511}}}
  assert runs.label([base, other]) == ['run', 'run']
  rates = {
      f'{name}_optimizer': {'learning_rate': 1.0}
      for name in ('actor', 'critic')
  }
  assert runs.label([base, {**base, 'agent': rates}])[1] == (
      'actor_optimizer.learning_rate=1.0, critic_optimizer.learning_rate=1.0'
  )


def test_scores_between_random_and_human():
  """The numbers of the file, put into the formula by hand."""
  pong = reference.scale('atari/pong')
  assert pong.normalized(14.6) == 1 and pong.normalized(-20.7) == 0
  assert pong.normalized(18) == pytest.approx((18 + 20.7) / (14.6 + 20.7))
  assert reference.scale('memory_maze/9x9').normalized(34.8) == 34.8 / 26.4
  assert reference.scale('dmc/walker/walk').normalized(500) == 0.5
  assert reference.scale('popgym/AutoencodeEasy').normalized(0) == 0.5
  assert reference.scale('bsuite/catch/0') is None
  assert reference.scale('atari/adventure') is None


def test_settings_are_compared_on_the_tasks_that_they_share(tmp_path):
  """And a suite with one task is no aggregate."""
  found = []
  for setting, task, value in [
      ('a', 'dmc/walker/walk', 200),
      ('a', 'dmc/walker/run', 400),
      ('a', 'dmc/walker/stand', 1000),
      ('b', 'dmc/walker/walk', 600),
      ('b', 'dmc/walker/run', 800),
      ('a', 'popgym/AutoencodeEasy', 1),
  ]:
    path = tmp_path / f'{setting}{task.replace("/", "-")}'
    found.append(_run(path, [value] * 2, 1, task=task, setting=setting))
  a, b = reference.aggregates(found)
  assert (a.suite, a.setting, a.tasks) == ('dmc', 'a', 2)
  assert (a.value.value, b.value.value) == pytest.approx((0.3, 0.7))


def test_mistakes_are_sentences(tmp_path):
  """No run, a run without a task, no directory, a file in the way."""
  with pytest.raises(errors.UserError, match='neither a sweep.json nor'):
    runs.collect([tmp_path])
  with pytest.raises(errors.UserError, match='names its task'):
    runs.collect([made.run(tmp_path / 'a', [1.0])])
  with pytest.raises(errors.UserError, match='no directory is named'):
    report._report([], 'out', None, 200)
  config = {'task': _TASK, 'seed': 0}
  found = runs.collect([made.run(tmp_path / 'b', [1.0], config=config)])
  pathlib.Path(tmp_path / 'file').touch()
  with pytest.raises(errors.UserError, match='cannot be written'):
    page.write(found, tmp_path / 'file')
