"""The page of a run: what it shows, leaves out, and never does."""

import html.parser
import json
import re

import pytest

from r2i_tf.programs import closing
from r2i_tf.reports import history
from r2i_tf.reports import markup
from r2i_tf.reports import page
from r2i_tf.reports import run_page
from r2i_tf.reports import runs
from tests.reports import made
from tests.reports import made_look

_EVIL = '<script>alert(1)</script>"\'&'


class _Elements(html.parser.HTMLParser):
  """Collects the elements of a page with their attributes."""

  def __init__(self, text):
    super().__init__()
    self.found = []
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.found.append((tag, dict(attrs)))

  def of(self, tag):
    return [attributes for name, attributes in self.found if name == tag]


def _build(workdir):
  return run_page.build(history.read(workdir))


def test_a_whole_run_is_shown(tmp_path):
  """Every part of the directory has its section, and every picture is in it."""
  text = _build(made_look.write(tmp_path / 'a'))
  sections = [s['id'] for s in _Elements(text).of('section')]
  assert sections == [
      'health',
      'returns',
      'foresight',
      'episodes',
      'memory',
      'losses',
      'speed',
      'run',
  ]
  assert text.count('src="data:image/png;base64,') == 4
  assert text.count('src="data:image/gif;base64,') == 2
  for words in (
      'first observation: the bit',
      'Episode 1: return 1, 101 steps',
      'it has reached its mean return',
      '113,042',
      '--config=quickstart',
      'None of the 11 known failures',
  ):
    assert words in text


def test_nothing_is_said_of_another_agent_that_is_not_known(tmp_path):
  """A program of one's own has a record and its task, and no more."""
  config = {'task': 'bsuite/catch/0', 'seed': 4, 'rate': 0.25}
  made.run(tmp_path / 'a', [1.0] * 50, config=config)
  text = _build(tmp_path / 'a')
  assert '0.25' in text and '<h1>bsuite/catch/0</h1>' in text
  for words in ('r2i-train', 'S3M', 'Health'):
    assert words not in text


def test_what_is_missing_is_left_out(tmp_path):
  """A run that has only just begun has a page, too."""
  config = {'task': 'bsuite/catch/0', 'seed': 0}
  config['agent'] = {}
  made.run(tmp_path / 'a', [1.0, 0.0], over=False, config=config)
  text = _build(tmp_path / 'a')
  assert 'Not finished' in text and 'What it foresees' not in text
  (tmp_path / 'b').mkdir()
  assert 'There is no record yet' in _build(tmp_path / 'b')


def test_the_page_is_one_file_that_runs_and_loads_nothing(tmp_path):
  """No script, no address, no style from elsewhere, and a policy against it."""
  elements = _Elements(_build(made_look.write(tmp_path / 'a')))
  assert not elements.of('script') and not elements.of('link')
  for _, attributes in elements.found:
    assert not [name for name in attributes if name.startswith('on')]
    for name in ('src', 'href'):
      assert re.match('data:image/|#', attributes.get(name) or '#')
  (policy,) = [m for m in elements.of('meta') if 'http-equiv' in m]
  assert policy['content'].startswith("default-src 'none'")


def test_everything_from_files_is_escaped(tmp_path):
  """Names, titles, versions, reasons and fields."""
  workdir = made_look.write(tmp_path / 'a')
  for path in ('look/open_loop.json', 'look/probes.json', 'outcome.json'):
    found = json.loads((workdir / path).read_text())
    for each in found.get('pictures', []) + found.get('targets', []):
      each['title' if 'title' in each else 'name'] = _EVIL
    if 'stopped' in found:
      found['stopped'] = _EVIL
    (workdir / path).write_text(json.dumps(found))
  config = json.loads((workdir / 'config.json').read_text())
  config['config']['task'] = _EVIL
  config['versions'] = {_EVIL: _EVIL}
  (workdir / 'config.json').write_text(json.dumps(config))
  elements = _Elements(_build(workdir))
  assert not elements.of('script')
  assert {a['alt'] for a in elements.of('img')} >= {
      f'Open-loop prediction: {_EVIL}'
  }


@pytest.mark.parametrize(
    'path', ['look/open_loop.json', 'look/probes.json', 'look/timescales.json']
)
@pytest.mark.parametrize('content', ['{"layers": 3}', '[]', '{', '{"a": null}'])
def test_a_damaged_file_is_a_sentence(tmp_path, path, content):
  """And the rest of the page is there."""
  workdir = made_look.write(tmp_path / 'a')
  (workdir / path).write_text(content)
  text = _build(workdir)
  assert f'<code>{path}</code>' in text and 'Episode 2' in text


def test_pictures_beyond_the_bound_are_named(tmp_path, monkeypatch):
  """In place of what would make the page too large to open."""
  workdir = made_look.write(tmp_path / 'a')
  monkeypatch.setattr(markup, '_ALL_BYTES', 3_000)
  text = _build(workdir)
  left = text.count('Left out for its')
  shown = text.count('src="data:image/')
  assert left and shown and left + shown == 6
  assert '<code>look/outlook.png</code> in the directory of the run' in text


def test_no_file_outside_of_the_run_is_shown(tmp_path):
  """Whatever path a file names."""
  workdir = made_look.write(tmp_path / 'a')
  made_look.picture(tmp_path / 'other.png', 8, 8)
  (workdir / 'look' / 'link.png').symlink_to(tmp_path / 'other.png')
  file = workdir / 'look' / 'open_loop.json'
  found = json.loads(file.read_text())
  for picture, path in zip(found['pictures'], ('../../other.png', 'link.png')):
    picture.update(png=path, gif=None)
  file.write_text(json.dumps(found))
  assert _build(workdir).count('lies outside of the run') == 2


def test_a_file_that_is_no_picture_is_not_shown(tmp_path):
  """Whatever it is called."""
  workdir = made_look.write(tmp_path / 'a')
  (workdir / 'look' / 'camera.png').write_text('<svg onload="alert(1)">')
  (workdir / 'look' / 'outlook.png').unlink()
  text = _build(workdir)
  assert 'camera.png is no picture' in text
  assert 'outlook.png is not there any more' in text


def test_pictures_have_their_size(tmp_path):
  """So that nothing moves when they come."""
  images = _Elements(_build(made_look.write(tmp_path / 'a'))).of('img')
  sizes = [(image['width'], image['height']) for image in images]
  assert ('1200', '300') in sizes and ('192', '64') in sizes


def test_a_report_has_the_page(tmp_path):
  """Of one run its own, of several all of them beside each other."""
  paths = [
      made_look.write(tmp_path / str(i), seed=i, task='popgym/CountRecallEasy')
      for i in range(2)
  ]
  page.write(runs.collect(paths[:1]), tmp_path / 'one')
  assert 'What it remembers' in (tmp_path / 'one' / 'index.html').read_text()
  page.write(runs.collect(paths), tmp_path / 'two')
  text = (tmp_path / 'two' / 'index.html').read_text()
  assert 'Beside each other' in text
  assert text.count('class="line s0 d0"') == text.count('class="line s1 d1"')


def test_the_end_of_a_run_writes_its_page(tmp_path):
  """And one that cannot be written does not end it otherwise."""
  workdir = made_look.write(tmp_path / 'a')
  assert closing.write_page(workdir) == str(workdir / 'report' / 'index.html')
  (tmp_path / 'b').mkdir()
  (tmp_path / 'b' / 'report').touch()
  assert closing.write_page(tmp_path / 'b').startswith('not written (')
  assert closing.write_page(tmp_path / 'c').startswith('not written (')
