"""The files of a look: a picture first, then the numbers, which name it."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import pathlib
from typing import Any, Optional

from r2i_tf import errors
from r2i_tf import files
from r2i_tf.analysis import opened


class Writer:
  """Writes the files of a look.

  Attributes:
    directory: Where they go.
  """

  def __init__(self, run: opened.OpenedRun):
    """Touches no file.

    Args:
      run: What is looked at; each file says how far it was.
    """
    self.directory = run.paths.look
    self._counts = {
        'environment_steps': run.environment_steps,
        'train_steps': run.train_steps,
    }

  def write(
      self,
      name: str,
      values: Mapping[str, Any],
      draw: Optional[Callable[[pathlib.Path], None]],
  ) -> None:
    """Writes the picture, then the numbers.

    Args:
      name: Of both, without an ending.
      values: As JSON can hold them.
      draw: Draws the picture to a path; None if there is none.

    Raises:
      errors.RunError: It cannot be written.
    """
    picture = self.directory / f'{name}.png'
    with self.writing():
      if draw is not None:
        draw(picture)
      files.write_json(
          self.directory / f'{name}.json',
          {
              **self._counts,
              **values,
              'picture': picture.name if draw is not None else None,
          },
      )
      if draw is None:
        picture.unlink(missing_ok=True)

  @contextlib.contextmanager
  def writing(self) -> Iterator[None]:
    """Makes the directory; within it, what cannot be written is a sentence.

    Raises:
      errors.RunError: It is so.
    """
    try:
      self.directory.mkdir(exist_ok=True)
      yield
    except OSError as error:
      raise errors.RunError(
          f'{self.directory} cannot be written: {errors.first_line(error)}.'
      ) from error
