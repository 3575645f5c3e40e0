"""The scalars that a page explains are those of docs/scalars.md.

The document is written by hand, and the page's copy of its tables by

python -m tests.reports.scalars_test
"""

import json
import math
import pathlib

from r2i_tf.reports import history
from r2i_tf.reports import scalars
from tests.reports import made_look

_DOCS = pathlib.Path(__file__).parents[2] / 'docs' / 'scalars.md'


def _documented():
  """Returns the rows of the tables that say what is healthy."""
  rows, columns = [], []
  for line in _DOCS.read_text(encoding='utf-8').splitlines():
    cells = [cell.strip() for cell in line.strip('|').split('|')]
    if not line.startswith('|'):
      columns = []
    elif not columns:
      columns = cells
    elif columns == ['scalar', 'meaning', 'healthy'] and set(line) - set('|-'):
      rows.append(dict(zip(columns, cells)))
  return rows


def test_the_page_says_what_the_document_says():
  """The same scalars in the same order, word for word."""
  assert json.loads(scalars.PATH.read_text(encoding='utf-8')) == _documented()


def test_every_scalar_of_a_train_step_is_known():
  """The first of the table, the last, and those of a look."""
  assert {'loss', 'train/refused', 'forecast/error'} <= set(scalars.known())
  assert len(scalars.known()) >= 27


def test_a_row_may_be_of_several_scalars():
  """Each of which the page finds by its name."""
  assert list(scalars._names('`a/b`')) == ['a/b']
  assert list(scalars._names('a/b, `a/c`')) == ['a/b', 'a/c']
  assert list(scalars._names('a/b_1, _5, ...')) == ['a/b_1', 'a/b_5']


def test_ranges_follow_the_configuration():
  """Marks at ln(bins) and at the entropy of an even choice."""
  config = made_look.config()
  action = {'dtype': 'int32', 'shape': [], 'minimum': '0', 'maximum': '2'}
  run = history.History(config, made_look.lines(), action=action)
  marks = scalars.healthy('world_model/reward_loss', run).marks
  assert marks == {'ln(bins)': math.log(255)}
  entropy = scalars.healthy('actor/entropy', run)
  assert entropy.marks == {'even': math.log(3)}
  assert entropy.holds(0.5) and not entropy.holds(math.log(3))
  assert scalars.healthy('critic/error', run).high == 0.5
  assert scalars.healthy('ssm/gradient_norm', run).high == 1000.0
  assert not scalars.healthy('actor/loss', run).is_bounded


def test_control_wants_most_steps_above_the_free_nats():
  """Elsewhere no share is known to be wrong."""
  discrete = history.History(made_look.config())
  control = history.History(made_look.config(task='dmc/walker/walk'))
  assert not scalars.healthy('world_model/free_share', discrete).is_bounded
  assert not scalars.healthy('world_model/free_share', control).holds(0.9)


if __name__ == '__main__':
  scalars.PATH.write_text(
      json.dumps(_documented(), indent=2) + '\n', encoding='utf-8'
  )
