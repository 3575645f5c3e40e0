"""Equations in docstrings, as code.

A docstring of this project has its equations and examples in a block of their
own, two spaces further in. Markdown wants four.

An extension of Griffe, which reads the docstrings for mkdocstrings (mkdocs.yml
names it).
"""

import re
from typing import Any

import griffe

# A section of Google's style, which is left as it is.
_SECTION = re.compile(r'[A-Z][a-z]+:$')


class Equations(griffe.Extension):
  """Moves the indented blocks of every docstring in by two spaces more."""

  def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
    """See `griffe.Extension.on_object`."""
    del kwargs
    if obj.docstring:
      obj.docstring.value = _moved(obj.docstring.value)


def _moved(text: str) -> str:
  """Returns the docstring with its indented blocks four spaces in."""
  lines: list[str] = []
  in_section = False
  for line in text.splitlines():
    if line and not line.startswith(' '):
      in_section = bool(_SECTION.match(line))
    is_indented = line.startswith('  ') and not in_section
    lines.append(f'  {line}' if is_indented else line)
  return '\n'.join(lines)
