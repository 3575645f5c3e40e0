"""Tests of r2i_tf.programs.compilation_cache: what is kept, what is removed."""

import json
import os

import pytest

from r2i_tf import stack
from r2i_tf.programs import compilation_cache
from r2i_tf.programs import runtime


def _entry(size: int = 10) -> bytes:
  """A protocol buffer of a key and an executable, as TensorFlow writes one."""
  key, length = b'\x0a\x03abc', size | 128
  return key + bytes([0x1A, length & 255, size >> 7]) + b'x' * size


def _write(directory, name, content, age=0):
  path = directory / f'{name}.pb'
  path.write_bytes(content)
  os.utime(path, (1e9 - age, 1e9 - age))
  return path


def test_whole_entries_stay(tmp_path):
  """What was whole when it was first seen is there at each start."""
  path = _write(tmp_path, 'a', _entry())
  for _ in range(2):
    compilation_cache.clean(tmp_path)
    assert path.read_bytes() == _entry()
  assert list(json.loads((tmp_path / 'sha256.json').read_text())) == ['a.pb']


@pytest.mark.parametrize(
    'content',
    [b'', _entry()[:-1], _entry()[:5], b'\xff' * 30, _entry() + b'\x1a'],
)
def test_what_was_never_whole_goes(tmp_path, content):
  """Cut, empty, no protocol buffer, or something behind it."""
  path = _write(tmp_path, 'a', content)
  compilation_cache.clean(tmp_path)
  assert not path.exists()


def test_what_has_changed_goes(tmp_path):
  """One bit in the machine code of an entry that was whole."""
  path, other = (_write(tmp_path, name, _entry()) for name in 'ab')
  compilation_cache.clean(tmp_path)
  path.write_bytes(_entry()[:-1] + b'y')
  compilation_cache.clean(tmp_path)
  assert not path.exists() and other.exists()


def test_the_oldest_goes_when_there_is_too_much(tmp_path, monkeypatch):
  """The newest stay, as many as there is room for."""
  monkeypatch.setattr(compilation_cache, '_LARGEST', 250)
  paths = [_write(tmp_path, f'{age}', _entry(100), age) for age in range(3)]
  compilation_cache.clean(tmp_path)
  assert [path.exists() for path in paths] == [True, True, False]


def _used(monkeypatch, tmp_path, version='2.21.0'):
  monkeypatch.delenv('TF_XLA_FLAGS', raising=False)
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  monkeypatch.setattr(runtime, 'has_gpu', lambda: False)
  monkeypatch.setattr(stack, 'tensorflow_that_keeps_programs', lambda: version)
  compilation_cache.use()
  return os.environ.pop('TF_XLA_FLAGS', None)


def test_each_setting_has_a_directory(monkeypatch, tmp_path):
  """A program compiled by other flags, or another TensorFlow, is not taken."""
  first = _used(monkeypatch, tmp_path)
  assert first is not None
  assert first == _used(monkeypatch, tmp_path)
  assert first != _used(monkeypatch, tmp_path, '2.22.0')
  monkeypatch.setenv('XLA_FLAGS', '--another')
  assert first != _used(monkeypatch, tmp_path)


def test_nothing_is_kept_where_it_could_fail(monkeypatch, tmp_path):
  """No room, no directory, or a TensorFlow that cannot load what it keeps."""
  assert _used(monkeypatch, tmp_path, None) is None
  blocked = _write(tmp_path, 'file', b'')
  assert _used(monkeypatch, blocked) is None
  assert _used(monkeypatch, '~nobody/cache') is None
  monkeypatch.setattr(compilation_cache, '_LEAST_FREE', 1 << 60)
  assert _used(monkeypatch, tmp_path) is None


def test_what_the_user_has_set_stays(monkeypatch, tmp_path):
  """Also where it is empty, which is how to turn the cache off."""
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  monkeypatch.setenv('TF_XLA_FLAGS', '')
  compilation_cache.use()
  assert os.environ['TF_XLA_FLAGS'] == ''
  assert not list(tmp_path.iterdir())
