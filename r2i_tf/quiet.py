"""The one place that silences what other packages say while they load or run.

What is silenced is of no use to the reader of a training log; errors are seen.
"""

from collections.abc import Iterator
import contextlib
import io
import os
import sys
import warnings


def program() -> None:
  """Leaves standard error of a program to this project's own lines.

  To be called before TensorFlow is imported. Whatever the user has set stays.
  """
  from absl import logging

  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('PYGAME_HIDE_SUPPORT_PROMPT', '1')
  if not sys.warnoptions:
    warnings.simplefilter('ignore')
  logging.set_verbosity(logging.ERROR)
  gym_notice()


def gym_notice() -> None:
  """Has Gym not advise to move on to another package.

  TF-Agents imports Gym 0.23 and needs that version.
  """
  try:
    from gym_notices import notices
  except ImportError:
    return  # Another Gym, which may say what it wants.
  notices.notices.clear()


@contextlib.contextmanager
def imports() -> Iterator[None]:
  """Silences the warnings and notices of what is imported inside.

  An import that fails still says so. The filters of warnings are put back:
  dm_control's import has Python show every DeprecationWarning from then on.
  """
  with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
    warnings.simplefilter('ignore', DeprecationWarning)
    yield


def first_compilation() -> None:
  """Has XLA compile something small, and nobody hear of it.

  XLA writes two lines about the first compilation of a process, straight to the
  file descriptor, at no log level that could be turned off. So a program of one
  addition is compiled first, with standard error closed; an error in a
  compilation that matters is seen.
  """
  import tensorflow as tf

  kept = os.dup(2)
  silent = os.open(os.devnull, os.O_WRONLY)
  try:
    os.dup2(silent, 2)
    tf.function(lambda x: x + 1, jit_compile=True)(tf.constant(0))
  finally:
    os.dup2(kept, 2)
    os.close(silent)
    os.close(kept)
