"""Links from the pages of docs/ to files elsewhere in the checkout.

A page links `../configs/quickstart.py`, which a code host resolves. The site
has docs/ alone, and no address of a code host to send its readers to. So what
is linked becomes a page of it, below `checkout/`: Markdown as it is, a folder
as a list of its files, everything else as code. Their own links are followed,
too.

A hook of MkDocs (mkdocs.yml names it).
"""

from collections.abc import Iterable
import pathlib
import posixpath
import re

from mkdocs.config import defaults
from mkdocs.structure import files as mkdocs_files
from mkdocs.structure import pages

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_DOCS, _CHECKOUT = 'docs/', 'checkout/'
# ](target#anchor), not of an image, a web address or an anchor alone.
_LINK = re.compile(r'(?<=\]\()(?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))')
# Fenced blocks and code in a line, whose brackets are no links.
_CODE = re.compile(r'(^```.*?^```$|`[^`\n]+`)', re.M | re.S)
_LANGUAGES = {'.py': 'python', '.toml': 'toml', '.yaml': 'yaml', '.js': 'js'}


def on_files(
    files: mkdocs_files.Files, config: defaults.MkDocsConfig
) -> mkdocs_files.Files:
  """Adds a page for whatever is linked outside of docs/."""
  waiting = [
      target
      for file in files.documentation_pages()
      for target in _outside(_DOCS + file.src_uri, file.content_string)
  ]
  while waiting:
    path = waiting.pop()
    if files.get_file_from_path(_site_path(path)):
      continue
    text = _page(path)
    files.append(
        mkdocs_files.File.generated(config, _site_path(path), content=text)
    )
    waiting += _outside(path, text)
  return files


def on_page_markdown(
    markdown: str,
    page: pages.Page,
    config: defaults.MkDocsConfig,
    files: mkdocs_files.Files,
) -> str:
  """Returns the text with its links outside of docs/ led to their pages."""
  del config, files
  return _rewritten(markdown, _path(page.file.src_uri))


def _rewritten(markdown: str, path: str) -> str:
  """Returns the text of the file at `path`, its links those of the site."""
  start = posixpath.dirname(_site_path(path))

  def led(match: re.Match[str]) -> str:
    target = _target(path, match[1])
    if path.startswith(_DOCS) and target.startswith(_DOCS):
      return match[0]
    return posixpath.relpath(_site_path(target), start) + (match[2] or '')

  pieces = _CODE.split(markdown)
  pieces[::2] = [_LINK.sub(led, piece) for piece in pieces[::2]]
  return ''.join(pieces)


def _outside(path: str, text: str) -> Iterable[str]:
  """Yields what the file at `path` links to outside of docs/."""
  for piece in _CODE.split(text)[::2]:
    for match in _LINK.finditer(piece):
      target = _target(path, match[1])
      if not target.startswith(_DOCS):
        yield target


def _target(path: str, link: str) -> str:
  """Returns where a link leads to, from the root of the checkout."""
  return posixpath.normpath(posixpath.join(posixpath.dirname(path), link))


def _path(site_path: str) -> str:
  """Returns the path in the checkout of a page of the site."""
  if not site_path.startswith(_CHECKOUT):
    return _DOCS + site_path
  path = site_path[len(_CHECKOUT) :]
  return path if (_ROOT / path).is_file() else posixpath.splitext(path)[0]


def _site_path(path: str) -> str:
  """Returns the path in the site of a file of the checkout, for MkDocs."""
  if path.startswith(_DOCS):
    return path[len(_DOCS) :]
  return _CHECKOUT + (path if path.endswith('.md') else f'{path}.md')


def _page(path: str) -> str:
  """Returns the Markdown of a page that shows a file or a folder.

  Raises:
    FileNotFoundError: There is neither.
  """
  place = _ROOT / path
  if place.is_dir():
    names = sorted(item.name for item in place.glob('[!_.]*.*'))
    lines = [f'- [{name}]({posixpath.basename(path)}/{name})' for name in names]
    return '\n'.join([f'# {path}', '', *lines, ''])
  text = place.read_text(encoding='utf-8')
  if path.endswith('.md'):
    return text
  language = _LANGUAGES.get(place.suffix, 'text')
  return f'# {path}\n\n````{language}\n{text}````\n'
