"""Imports go one way, as docs/architecture.md says, and loads are light."""

import ast
from collections.abc import Iterator
import pathlib
import re
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).parents[1]
_PACKAGE = _ROOT / 'r2i_tf'
_FRONT = 'r2i_tf'  # r2i_tf/__init__.py itself.
_NOTHING = 'nothing'


def _table() -> dict[str, list[str]]:
  """Returns {package: what it may import} in the document's order.

  A row is names, two spaces or more, and names; one that begins with a space
  goes on with the row above.
  """
  text = (_ROOT / 'docs' / 'architecture.md').read_text(encoding='utf-8')
  block = re.search(r'^Imports go one way.*?^```\n(.*?)^```', text, re.M | re.S)
  rows: dict[str, list[str]] = {}
  importers: list[str] = []
  for line in block[1].splitlines():
    left, right = '', line.strip()
    if not line.startswith(' '):
      left, right = re.split(' {2,}', line)
      importers = _names(left)
    allowed = [] if right == _NOTHING else _names(right)
    for importer in importers:
      rows.setdefault(importer, []).extend(allowed)
  return rows


def _names(text: str) -> list[str]:
  names = [name for name in re.split(r',\s*', text) if name]
  assert all(re.fullmatch(r'\w+', name) for name in names), text
  return names


def _package(path: pathlib.Path) -> str:
  """Returns the name that the table has for a module: its folder, or itself."""
  first = path.relative_to(_PACKAGE).parts[0].removesuffix('.py')
  return _FRONT if first == '__init__' else first


def _imports(path: pathlib.Path) -> Iterator[str]:
  """Yields what a module imports of r2i_tf, inside of functions, too."""
  for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
    if isinstance(node, ast.ImportFrom):
      assert node.level == 0, f'{path}: a relative import'
      modules = [f'{node.module}.{alias.name}' for alias in node.names]
    elif isinstance(node, ast.Import):
      modules = [alias.name for alias in node.names]
    else:
      continue
    for module in modules:
      top, _, rest = module.partition('.')
      if top == 'r2i_tf':
        name = rest.partition('.')[0]
        known = (_PACKAGE / name).is_dir() or (_PACKAGE / f'{name}.py').exists()
        yield name if rest and known else _FRONT


def _modules() -> list[pathlib.Path]:
  return sorted(_PACKAGE.rglob('*.py'))


def test_the_table_has_every_package():
  """None is missing, and none is there that is gone."""
  assert set(_table()) == {_package(path) for path in _modules()}


def test_the_table_goes_one_way():
  """A package imports those of rows below its own, so there is no circle."""
  table = _table()
  order = list(table)
  for importer, allowed in table.items():
    for imported in allowed:
      assert order.index(importer) < order.index(imported), (importer, imported)


def test_bazel_has_the_table():
  """The targets of BUILD depend on each other as its rows say."""
  text = (_ROOT / 'BUILD').read_text(encoding='utf-8')
  targets = ast.literal_eval(
      re.search(r'^PACKAGES = ({.*?^})', text, re.M | re.S)[1]
  )
  table = _table()
  del table[_FRONT]  # A target of its own, with everything.
  assert targets == {
      package: sorted(f':{name}' for name in allowed)
      for package, allowed in table.items()
  }


@pytest.mark.parametrize('package', sorted({_package(p) for p in _modules()}))
def test_a_package_imports_only_what_its_row_names(package):
  """And nothing else of r2i_tf."""
  found = {
      name
      for path in _modules()
      if _package(path) == package
      for name in _imports(path)
  }
  assert found <= {package, *_table()[package]}


def test_no_package_holds_more_than_about_a_fifth():
  """A room that fills up is to be split."""
  lines: dict[str, int] = {}
  for path in _modules():
    text = path.read_text(encoding='utf-8')
    lines[_package(path)] = lines.get(_package(path), 0) + text.count('\n')
  largest = max(lines, key=lines.__getitem__)
  assert lines[largest] <= 0.22 * sum(lines.values()), (largest, lines)


@pytest.mark.parametrize(
    'module',
    [
        'r2i_tf',
        'r2i_tf.config',
        'r2i_tf.environments.options',
        'r2i_tf.programs.collect',
        'r2i_tf.programs.evaluate',
        'r2i_tf.programs.local_cluster',
        'r2i_tf.programs.look',
        'r2i_tf.programs.replay_server',
        'r2i_tf.programs.report',
        'r2i_tf.programs.sweep',
        'r2i_tf.programs.tasks',
        'r2i_tf.programs.tpu_preflight',
        'r2i_tf.programs.train',
        'r2i_tf.reports.page',
        'r2i_tf.run_config',
        'r2i_tf.specs',
        'r2i_tf.sweeps.sweep',
    ],
)
def test_tensorflow_is_not_loaded_by(module):
  """A configuration and its flags are there at once."""
  process = subprocess.run(
      [sys.executable, '-X', 'importtime', '-c', f'import {module}'],
      cwd=_ROOT,
      capture_output=True,
      text=True,
      check=True,
  )
  loaded = re.findall(r'\| +([\w.]+)$', process.stderr, re.M)
  assert module in loaded
  assert [name for name in loaded if name.startswith('tensorflow')] == []
