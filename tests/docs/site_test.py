"""The documentation site: every page is reached, and every link leads on."""

import ast
import pathlib
import posixpath
import re

import pytest
import yaml

_ROOT = pathlib.Path(__file__).parents[2]
_DOCS = _ROOT / 'docs'
_PAGES = sorted(
    path.relative_to(_ROOT).as_posix()
    for path in [
        *_DOCS.rglob('*.md'),
        *_ROOT.glob('*.md'),
        *_ROOT.glob('launch/*/*.md'),
    ]
)


def _settings():
  return yaml.safe_load((_ROOT / 'mkdocs.yml').read_text(encoding='utf-8'))


def _named(nav):
  """Yields the pages of a part of `nav`, which nests lists and mappings."""
  if isinstance(nav, str):
    yield nav
    return
  for item in nav.values() if isinstance(nav, dict) else nav:
    yield from _named(item)


def test_the_site_names_each_page_once():
  """None is forgotten, and none is named that is not there."""
  named = sorted(_named(_settings()['nav']))
  pages = sorted(
      path.relative_to(_DOCS).as_posix() for path in _DOCS.rglob('*.md')
  )
  here = [page for page in named if not page.startswith('checkout/')]
  assert here == pages
  for page in set(named) - set(here):
    assert (_ROOT / page.removeprefix('checkout/')).is_file(), page


def test_the_site_asks_nothing_of_a_network():
  """No font, no script and no count of visitors from elsewhere."""
  settings = _settings()
  assert settings['theme']['font'] is False
  assert 'analytics' not in settings['extra']
  for file in settings['extra']['polyfills'] + settings['extra_css']:
    assert (_DOCS / file).is_file(), file


def _public(path):
  """The names of `__all__` of a module; none if it has none."""
  for node in ast.parse(path.read_text(encoding='utf-8')).body:
    if isinstance(node, ast.Assign) and node.targets[0].id == '__all__':
      return ast.literal_eval(node.value)
  return []


def test_the_reference_has_every_public_name():
  """Of each package that names some: the package, or each name by itself."""
  shown = {
      name
      for page in (_DOCS / 'reference').glob('*.md')
      for name in re.findall(r'^::: ([\w.]+)$', page.read_text(), re.M)
  }
  packages = [
      package
      for package in (_ROOT / 'r2i_tf').glob('*/__init__.py')
      if _public(package)
  ]
  assert packages
  for package in packages:
    name = f'r2i_tf.{package.parent.name}'
    parts = {f'{name}.{public}' for public in _public(package)}
    assert name in shown or parts <= shown, name
    # A module of a public name's own name hides it from the reader of the code.
    hidden = {
        p for p in parts if (_ROOT / f'{p.replace(".", "/")}.py').exists()
    }
    assert hidden <= shown, hidden


def _text(path):
  """A page without its code, where brackets are no links."""
  text = (_ROOT / path).read_text(encoding='utf-8')
  text = re.sub(r'^( *)```.*?^ *```$', r'\1()', text, flags=re.M | re.S)
  return re.sub(r'`[^`\n]*`', '()', text)


def _anchors(path):
  """The anchors of a page's headings, as code hosts make them."""
  text = (_ROOT / path).read_text(encoding='utf-8')
  text = re.sub(r'^```.*?^```$', '', text, flags=re.M | re.S)
  for heading in re.findall(r'^#+ (.*)$', text, re.M):
    words = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading).lower()
    yield re.sub(r'[^\w\- ]', '', words).replace(' ', '-')


@pytest.mark.parametrize('page', _PAGES)
def test_links_lead_somewhere(page):
  """To a file of the checkout, and to a heading that the page has."""
  for target in re.findall(r'\]\(([^)\s]+)\)', _text(page)):
    if re.match(r'[a-z]+:', target):
      continue
    file, _, anchor = target.partition('#')
    path = page
    if file:
      path = posixpath.normpath(posixpath.join(posixpath.dirname(page), file))
    assert (_ROOT / path).exists(), target
    if anchor and path.endswith('.md'):
      assert anchor in list(_anchors(path)), target


@pytest.mark.parametrize('page', _PAGES)
def test_lists_are_lists_everywhere(page):
  """What code hosts forgive: no blank line before, two spaces within."""
  before = ''
  for line in _text(page).splitlines():
    is_item = re.match(r'([-*]|\d+\.) ', line)
    is_after_text = before and not re.match(r'([-*]|\d+\.) |\s', before)
    assert not (is_item and is_after_text), line
    assert before or not re.match(' {1,3}[^ ]', line), line
    before = line
