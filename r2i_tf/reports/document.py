"""The frame of a page: one HTML file without a script that loads nothing."""

from collections.abc import Sequence
import functools
import pathlib
from typing import NamedTuple

from r2i_tf.reports import markup

FILE = 'index.html'
_STYLE = pathlib.Path(__file__).with_name('page.css')
# Nothing runs and nothing is loaded, whatever a file of the run may hold.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Section(NamedTuple):
  """A part of a page.

  Attributes:
    key: Its anchor, a word.
    title: Its heading, in plain text.
    body: HTML; a section without is left out.
  """

  key: str
  title: str
  body: str


def build(title: str, head: str, sections: Sequence[Section]) -> str:
  """Returns a page.

  Args:
    title: In plain text.
    head: HTML above the first section.
    sections: In order.
  """
  shown = [section for section in sections if section.body]
  links = ''.join(
      f'<li><a href="#{section.key}">{markup.escape(section.title)}</a></li>'
      for section in shown
  )
  body = '\n'.join(
      f'<section id="{section.key}" aria-labelledby="{section.key}-title">\n'
      f'<h2 id="{section.key}-title">{markup.escape(section.title)}</h2>\n'
      f'{section.body}\n</section>'
      for section in shown
  )
  return (
      '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
      f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
      '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
      '<meta name="color-scheme" content="light dark">\n'
      f'<title>{markup.escape(title)}</title>\n'
      f'<style>\n{_style()}</style>\n</head>\n<body>\n'
      f'<header>\n{head}\n<nav aria-label="Sections"><ul>{links}</ul></nav>\n'
      f'</header>\n<main>\n{body}\n</main>\n</body>\n</html>\n'
  )


@functools.cache
def _style() -> str:
  return _STYLE.read_text(encoding='utf-8')
