"""The page of several runs: what a line is, and what is said of each run."""

import re

from r2i_tf.reports import comparison
from r2i_tf.reports import runs as runs_lib
from r2i_tf.reports import tables
from tests.reports import made
from tests.reports import made_look

_TASK = 'dmc/cartpole/balance'


def _run(path, setting, seed=0, state=runs_lib.State.FINISHED):
  return runs_lib.Run(_TASK, setting, seed, path, state, window=2)


def _build(runs):
  return comparison.build(runs, tables.rows(tables.group(runs)), [])


def test_a_line_is_a_run(tmp_path):
  """Named by its setting, and by its seed where there are several."""
  path = made.run(tmp_path / 'a', [0.0, 1.0, 1.0])
  text = _build([_run(path, 'r2i'), _run(path, 'gru')])
  legend = re.findall(r'<li>.*?</svg>(.*?)</li>', text)
  assert legend == ['r2i', 'gru'] and 'class="band' not in text
  text = _build([_run(path, 'r2i', seed) for seed in range(2)])
  assert re.findall(r'<li>.*?</svg>(.*?)</li>', text) == [
      'r2i, seed 0',
      'r2i, seed 1',
  ]


def test_of_many_runs_a_line_is_a_setting(tmp_path):
  """With the interval of the mean over its seeds."""
  paths = [made.run(tmp_path / str(i), [0.0, i, i]) for i in range(7)]
  found = [
      _run(path, setting, seed)
      for setting in ('r2i', 'gru')
      for seed, path in enumerate(paths)
  ]
  text = _build(found)
  assert re.findall(r'<li>.*?</svg>(.*?)</li>', text) == ['r2i', 'gru']
  assert text.count('class="band') == 4  # By steps and by the clock.


def test_runs_that_have_not_begun_are_counted(tmp_path):
  """And have no line."""
  found = [
      _run(made.run(tmp_path / 'a', [0.0, 1.0, 1.0]), 'r2i'),
      _run(tmp_path / 'b', 'gru', state=runs_lib.State.NOT_BEGUN),
  ]
  text = _build(found)
  assert '1 not begun' in text
  assert _build(found[1:]).count('<figure') == 0


def test_what_is_wrong_is_said_of_the_run_that_has_it(tmp_path):
  """Under the name of that run alone."""
  well = made_look.write(tmp_path / 'a', task=_TASK)
  ill = made_look.write(tmp_path / 'b', task=_TASK, critic__value=1e9)
  text = _build([_run(well, 'well'), _run(ill, 'ill', seed=3)])
  health = text[text.index('id="health"') :]
  assert f'<h3>ill on {_TASK}, seed 3</h3>' in health
  assert 'Values explode' in health and 'well on' not in health
