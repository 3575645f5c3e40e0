"""The one place that silences what other packages say while they load or run.

Silenced lines are of no use to the reader of a training log; errors are seen.
"""

from collections.abc import Iterator
import contextlib
import functools
import logging
import os
import sys
import warnings


def program() -> None:
  """Leaves standard error of a program to this project's own lines.

  To be called before TensorFlow is imported. Whatever the user has set stays.
  """
  from absl import logging as absl_logging

  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('PYGAME_HIDE_SUPPORT_PROMPT', '1')
  if not sys.warnoptions:
    warnings.simplefilter('ignore')
  absl_logging.set_verbosity(absl_logging.ERROR)
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
def deprecations() -> Iterator[None]:
  """Silences the DeprecationWarnings of what is done inside.

  The filters of warnings are put back: Gymnasium, ale-py and SciPy, at their
  imports, have Python show more warnings from then on.
  """
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', DeprecationWarning)
    yield


@functools.cache
def log_message(logger: str, message: str) -> None:
  """Has a logger leave out one message, from now on.

  Args:
    logger: The logger's name.
    message: The message, before its arguments are put in.
  """
  logging.getLogger(logger).addFilter(lambda record: record.msg != message)


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
