"""Checkpoints survive what happens to files."""

import pytest
import tensorflow as tf

from r2i_tf import errors
from r2i_tf.training import checkpoints


def _store(directory, value=0.0):
  variable = tf.Variable([value] * 100)
  reports = []
  store = checkpoints.CheckpointStore(
      directory, {'variable': variable}, reports.append
  )
  return store, variable, reports


def _save(directory, *steps):
  store, variable, _ = _store(directory)
  for step in steps:
    variable.assign([float(step)] * 100)
    store.save([step], {'step': step})


def _data_file(directory, step):
  return next((directory / f'{step:012d}').glob('variables.data*'))


def _damage_length(path):
  path.write_bytes(path.read_bytes()[:-100])


def _damage_content(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 0xFF
  path.write_bytes(content)


def _damage_presence(path):
  path.unlink()


@pytest.mark.parametrize(
    'damage', [_damage_length, _damage_content, _damage_presence]
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, damage):
  """A cut, changed or lost file costs one checkpoint, and one line says so."""
  _save(tmp_path, 1, 2)
  damage(_data_file(tmp_path, 2))
  store, variable, reports = _store(tmp_path)
  assert store.restore() == {'step': 1}
  assert variable.numpy().tolist() == [1.0] * 100
  assert len(reports) == 1 and '000000000002' in reports[0]
  assert len(reports[0].splitlines()) == 1


@pytest.mark.parametrize(
    'text', ['null', '[]', '{"state": {}, "sizes": []}', '{"sizes": {}}', '']
)
def test_a_damaged_manifest_gives_way_to_the_one_before(tmp_path, text):
  """Whatever stands in it."""
  _save(tmp_path, 1, 2)
  (tmp_path / '000000000002' / 'manifest.json').write_text(text)
  store, _, reports = _store(tmp_path)
  assert store.restore() == {'step': 1}
  assert len(reports) == 1 and '000000000002' in reports[0]


def test_the_run_that_fell_back_keeps_a_good_checkpoint_at_any_time(tmp_path):
  """What is damaged does not count among the two that are kept."""
  _save(tmp_path, 1, 5)
  _damage_length(_data_file(tmp_path, 5))
  store, _, _ = _store(tmp_path)
  store.restore()
  store.save([3], {'step': 3})
  names = [path.name for path in checkpoints.checkpoints_in(tmp_path)]
  assert names == ['000000000001', '000000000003']
  assert _store(tmp_path)[0].restore() == {'step': 3}


def test_nothing_readable_is_an_error_that_deletes_nothing(tmp_path):
  """A run never starts anew over checkpoints that it could not read."""
  _save(tmp_path, 1, 2)
  for step in (1, 2):
    _damage_length(_data_file(tmp_path, step))
  store, _, _ = _store(tmp_path)
  with pytest.raises(errors.RunError, match='none of the 2 checkpoints'):
    store.restore()
  assert len(checkpoints.checkpoints_in(tmp_path)) == 2


def test_two_are_kept_and_an_unfinished_one_does_not_count(tmp_path):
  """A kill while writing leaves the checkpoints that were there."""
  _save(tmp_path, 1, 2, 3)
  (tmp_path / '.unfinished').mkdir()
  (tmp_path / '.unfinished' / 'variables.index').write_text('half')
  assert len(checkpoints.checkpoints_in(tmp_path)) == 2
  assert _store(tmp_path)[0].restore() == {'step': 3}


def test_a_checkpoint_that_cannot_be_written_leaves_the_earlier(
    tmp_path, monkeypatch
):
  """A full disk is one sentence, and the last checkpoint stays."""
  _save(tmp_path, 1)
  store, _, _ = _store(tmp_path)

  def full(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(checkpoints.files, 'write_json', full)
  with pytest.raises(errors.RunError, match='No space left'):
    store.save([2], {'step': 2})
  assert _store(tmp_path)[0].restore() == {'step': 1}


def test_peeking_changes_no_file(tmp_path):
  """Not even a damaged one's name; the newest that can be read is read."""
  _save(tmp_path, 1, 2)
  _damage_length(_data_file(tmp_path, 2))
  before = sorted(path.name for path in tmp_path.iterdir())
  store, variable, _ = _store(tmp_path)
  path, state = store.peek()
  assert (path.name, state) == ('000000000001', {'step': 1})
  assert variable.numpy().tolist() == [1.0] * 100
  assert sorted(path.name for path in tmp_path.iterdir()) == before
  _damage_presence(_data_file(tmp_path, 1))
  with pytest.raises(errors.RunError, match='none of the 2 checkpoints'):
    _store(tmp_path)[0].peek()
  assert _store(tmp_path / 'none')[0].peek() is None


def test_peeking_finds_what_a_run_has_written_meanwhile(tmp_path, monkeypatch):
  """One that is gone when it is read has given way to a newer one."""
  _save(tmp_path, 1, 2)
  store, _, _ = _store(tmp_path)
  read = store._read

  def read_late(path, with_parts):
    monkeypatch.setattr(store, '_read', read)
    _save(tmp_path, 3, 4)  # Which removes those before.
    return read(path, with_parts)

  monkeypatch.setattr(store, '_read', read_late)
  assert store.peek()[1] == {'step': 4}
