"""The one place that silences what other packages say while they load or run.

Silenced lines are of no use to the reader of a training log; errors are seen.
"""

from collections.abc import Iterator
import contextlib
import functools
import importlib
import logging
import os
import shutil
import subprocess
import sys
import warnings

_UNREAD_LEVEL = '^(I[0-9]{4} |WARNING: All log messages before absl::Init)'


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


@contextlib.contextmanager
def log_messages(logger: str, beginning: str) -> Iterator[None]:
  """Has a logger leave out the messages of what is done inside.

  Args:
    logger: The logger's name.
    beginning: The beginning of the messages, before their arguments are put in.
  """

  def heard(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(beginning)

  logging.getLogger(logger).addFilter(heard)
  try:
    yield
  finally:
    logging.getLogger(logger).removeFilter(heard)


def load_tensorflow() -> None:
  """Imports TensorFlow, and leaves out what it says of no consequence.

  From 2.20 on it logs while it loads, before it has read at which level it
  should: that it knows no CUDA here, and that logging has not begun. The lines
  are at the level of information; a warning or an error gets through, also
  where it is the last that this process says.
  """
  grep = shutil.which('grep')
  if grep is None or 'tensorflow' in sys.modules:
    return
  kept = os.dup(2)
  # A process of its own, since what precedes an abort has to get through.
  with subprocess.Popen(
      [grep, '--line-buffered', '-Ev', _UNREAD_LEVEL],
      stdin=subprocess.PIPE,
      stdout=kept,
  ) as through:
    assert through.stdin is not None
    try:
      os.dup2(through.stdin.fileno(), 2)
      importlib.import_module('tensorflow')
    finally:
      os.dup2(kept, 2)
      os.close(kept)


def first_compilation() -> None:
  """Has XLA compile something small, and nobody hear of it.

  XLA writes two lines about the first compilation of a process, straight to the
  file descriptor, at no log level that could be turned off. So a program of one
  addition is compiled first, with standard error closed; an error in a
  compilation that matters is seen.
  """
  load_tensorflow()
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
