"""Writes all drawings beside this file."""

import pathlib

from docs.drawings import data_flow
from docs.drawings import layer
from docs.drawings import resets

DRAWINGS = {
    'data_flow.svg': data_flow.drawing,
    's3m_layer.svg': layer.drawing,
    'resets.svg': resets.drawing,
}


def main() -> None:
  """Writes each drawing, in place of the one of before."""
  for name, drawing in DRAWINGS.items():
    path = pathlib.Path(__file__).parent / name
    path.write_text(drawing().text_of_file(), encoding='utf-8')
    print(path.name)


if __name__ == '__main__':
  main()
