"""HTML of a page: text that is escaped, tables, and pictures inside of it."""

import base64
from collections.abc import Iterable
from collections.abc import Sequence
import html
import pathlib
import re
from typing import NamedTuple, Optional

_CODE = re.compile(r'`([^`]*)`')
# With the brackets around it, in which our documents refer to one another.
_LINK = re.compile(r' \(\[[^\]]*\]\([^)]*\)\)')
_MEGABYTE = 1_000_000
# Of all pictures of a page, and of one of them.
_ALL_BYTES, _ONE_BYTES = 12 * _MEGABYTE, 4 * _MEGABYTE


def escape(text: object) -> str:
  """Returns text as HTML shows it, also inside of an attribute."""
  return html.escape(str(text), quote=True)


def inline(markdown: str) -> str:
  """Returns a line of Markdown as HTML, with its code and without its links.

  Args:
    markdown: From our own documents.
  """
  return _CODE.sub(r'<code>\1</code>', escape(_LINK.sub('', markdown)))


def table(
    names: Sequence[str], rows: Iterable[Sequence[str]], label: str
) -> str:
  """Returns a table that scrolls in itself where the screen is narrow.

  Args:
    names: The headings, in plain text.
    rows: Cells as HTML; the first of each is its heading.
    label: What the table is, in plain text.
  """
  head = ''.join(f'<th scope="col">{escape(name)}</th>' for name in names)
  body = ''.join(
      '<tr>'
      f'<th scope="row">{cells[0]}</th>'
      + ''.join(f'<td>{cell}</td>' for cell in cells[1:])
      + '</tr>'
      for cells in rows
  )
  return (
      '<div class="scroll" tabindex="0" role="region"'
      f' aria-label="{escape(label)}"><table><thead><tr>{head}</tr></thead>'
      f'<tbody>{body}</tbody></table></div>'
  )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
  """Returns a list of names and what belongs to them, as HTML.

  Args:
    pairs: Plain text and HTML; those without the second are left out.
  """
  items = ''.join(
      f'<div><dt>{escape(name)}</dt><dd>{value}</dd></div>'
      for name, value in pairs
      if value
  )
  return f'<dl class="facts">{items}</dl>'


class Pictures:
  """Puts pictures into a page, as long as there is room.

  Attributes:
    bytes: How many are in it.
  """

  def __init__(self, workdir: pathlib.Path):
    """Has none yet.

    Args:
      workdir: Outside of which no file is read.
    """
    self._workdir = workdir.resolve()
    self.bytes = 0

  def show(self, path: pathlib.Path, alt: str) -> str:
    """Returns a picture, or a sentence where it is not in the page.

    Args:
      path: A PNG or a GIF under the run's directory.
      alt: What it shows, in plain text.
    """
    name = escape(path.name)
    if self._workdir not in path.resolve().parents:
      return _missing(f'{name} lies outside of the run and is not shown.')
    try:
      data = path.read_bytes()
    except OSError:
      return _missing(f'{name} is not there any more.')
    kind = _kind(data)
    if kind is None:
      return _missing(f'{name} is no picture that this page can show.')
    place = escape(path.resolve().relative_to(self._workdir))
    if len(data) > _ONE_BYTES or self.bytes + len(data) > _ALL_BYTES:
      return _missing(
          f'Left out for its {len(data) / _MEGABYTE:.1f} MB:'
          f' <code>{place}</code> in the directory of the run.'
      )
    self.bytes += len(data)
    encoded = base64.b64encode(data).decode('ascii')
    return (
        '<div class="picture scroll" tabindex="0" role="region"'
        f' aria-label="{escape(alt)}"><img src="data:{kind.type};base64,'
        f'{encoded}" width="{kind.width}" height="{kind.height}"'
        f' alt="{escape(alt)}"></div>'
    )


class _Kind(NamedTuple):
  """The type of a picture and its size in pixels."""

  type: str
  width: int
  height: int


def _kind(data: bytes) -> Optional[_Kind]:
  """Returns what a PNG or a GIF says of itself, None if it is neither."""
  if data[:8] == b'\x89PNG\r\n\x1a\n' and data[12:16] == b'IHDR':
    sides = data[16:20], data[20:24]
    width, height = (int.from_bytes(side, 'big') for side in sides)
    return _Kind('image/png', width, height)
  if data[:6] in (b'GIF87a', b'GIF89a') and len(data) > 10:
    sides = data[6:8], data[8:10]
    width, height = (int.from_bytes(side, 'little') for side in sides)
    return _Kind('image/gif', width, height)
  return None


def _missing(sentence: str) -> str:
  return f'<p class="missing">{sentence}</p>'
