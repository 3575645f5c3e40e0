"""Writing a figure so that a file is the old picture or the new one, whole."""

import io
import pathlib

from matplotlib import figure

from r2i_tf import files

_DPI = 120


def save(picture: figure.Figure, path: pathlib.Path) -> None:
  """Replaces the PNG at `path` by a figure.

  Args:
    picture: The figure.
    path: The file; its directory exists.

  Raises:
    OSError: It cannot be written.
  """
  content = io.BytesIO()
  picture.savefig(content, format='png', dpi=_DPI)
  files.write_bytes(path, content.getvalue())
