"""The scalars that a page explains are those of docs/scalars.md."""

import math
import pathlib

from r2i_tf.reports import history
from r2i_tf.reports import scalars
from tests.reports import made_look

_DOCS = pathlib.Path(__file__).parents[2] / 'docs' / 'scalars.md'


def _documented():
  """Returns the rows of the tables that have three columns."""
  rows = {}
  for line in _DOCS.read_text(encoding='utf-8').splitlines():
    cells = [cell.strip() for cell in line.split('|')]
    if len(cells) == 5 and '/' in cells[1] + '/' and cells[1] != 'scalar':
      if set(cells[1]) - set('-'):
        rows[cells[1].strip('`')] = scalars.Scalar(cells[2], cells[3])
  return rows


def test_the_page_says_what_the_document_says():
  """The same scalars in the same order, word for word."""
  assert list(scalars.known().items()) == list(_documented().items())


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
