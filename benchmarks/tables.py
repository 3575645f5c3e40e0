"""Puts the table that a benchmark made into its place in a document."""

import pathlib


def insert(document: pathlib.Path, name: str, table: str) -> None:
  """Replaces what stands between two marks, `table:<name>` and `end`.

  Args:
    document: A Markdown file with the line `<!-- table:<name> -->` and, below
      it, the line `<!-- end -->`.
    name: The table's name.
    table: Markdown.

  Raises:
    ValueError: The document has no such place.
  """
  text = document.read_text()
  mark, end = f'<!-- table:{name} -->\n', '<!-- end -->'
  before, found, rest = text.partition(mark)
  _, closed, after = rest.partition(end)
  if not (found and closed):
    raise ValueError(f'{document} has no lines {mark.strip()} and {end}.')
  document.write_text(f'{before}{mark}\n{table.strip()}\n\n{end}{after}')
