"""A program: flags in, quiet, mistakes of the user in one sentence."""

from collections.abc import Callable
from collections.abc import Sequence
import os
import pathlib
import re
import sys
from typing import Any, NoReturn, Optional

from absl import app
from absl import flags

from r2i_tf import errors
from r2i_tf import quiet
from r2i_tf import stack
from r2i_tf.programs import compilation_cache
from r2i_tf.programs import config_flag
from r2i_tf.programs import runtime

_EXIT_CODE = 2
# What absl says of a flag, and what this package says.
_REWORDED = (
    (r'^Flag (--\w+) must have a value other than None\.$', r'\1 is missing.'),
    (
        r'^flag (--\w+)=(.*): invalid literal .*',
        r'\1 is \2, but it takes an int.',
    ),
    (
        r'^flag (--\w+)=(.*): could not convert .*',
        r'\1 is \2, but it takes a float.',
    ),
    (r'^flag (--\w+=.*: .*[^.])$', r'\1.'),
)


def run(
    main: Callable[[Sequence[str]], None], takes_arguments: bool = False
) -> None:
  """Runs a program: flags, then `main`; a mistake of the user is a sentence.

  TensorFlow is to be imported inside of `main`, by `load_tensorflow`: after the
  flags, whose mistakes are then answered at once, and after `quiet` and
  `runtime` have set what it reads while it loads.

  Args:
    main: Gets the arguments that are no flags, the program's name first.
    takes_arguments: Whether there may be any.
  """
  quiet.program()
  runtime.set_environment()
  _show_in_help(main)
  app.run(
      lambda argv: _guarded(main, argv),
      flags_parser=lambda argv: _guarded(
          lambda argv: parse(argv, takes_arguments=takes_arguments), argv
      ),
  )


def load_tensorflow() -> None:
  """Imports TensorFlow for a program, if it is installed with all it needs.

  Raises:
    stack.StackError: It is not; the sentence says what to install.
  """
  stack.require_tf_agents()
  compilation_cache.use()
  quiet.load_tensorflow()


def use_cpu() -> None:
  """Leaves accelerators to the other programs on the machine.

  TensorFlow would take all memory of a GPU for itself.
  """
  import tensorflow as tf

  tf.config.set_visible_devices([], 'GPU')


def program(name: str) -> list[str]:
  """Returns the command of another program, beside this one.

  Args:
    name: The name of its file in `launch`, such as 'replay_server'.
  """
  this = pathlib.Path(sys.argv[0])
  if this.suffix == '.py':
    other = this.with_name(f'{name}.py')
  else:
    other = this.with_name(f'r2i-{name.replace("_", "-")}')
  return [sys.executable, str(other)]


def end() -> NoReturn:
  """Ends a program that has done its work, and saved it, with exit code 0.

  At once: a thread may wait in Reverb for a server that is gone, and Python
  would wait for it.
  """
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(0)


def parse(
    argv: Sequence[str],
    flag_values: flags.FlagValues = flags.FLAGS,
    takes_arguments: bool = False,
) -> list[str]:
  """Parses the command line.

  Args:
    argv: The command line, the program's name first.
    flag_values: The flags that are defined.
    takes_arguments: Whether there may be arguments that are no flags.

  Returns:
    The arguments that are no flags, the program's name first.

  Raises:
    errors.UserError: Something in it is wrong.
  """
  _check_text(argv)
  asks_for_help = any(re.match('--?help', argument) for argument in argv)
  if config_flag.NAME in flag_values and not asks_for_help:
    config_flag.check(argv)
    argv = config_flag.last_of_each(argv)
    # ml_collections reads it there.
    sys.argv = config_flag.last_of_each(sys.argv)
  try:
    rest = flag_values(argv)
  except Exception as error:
    # The config file is code, which may raise anything.
    raise _explain(error) from error
  if len(rest) > 1 and not takes_arguments:
    raise errors.RunError(
        f'{rest[1]!r} is no flag; every argument has the form --name=value.'
    )
  return rest


def _check_text(argv: Sequence[str]) -> None:
  """Refuses what Python could not decode, and TensorFlow would not take."""
  for argument in argv:
    try:
      argument.encode()
    except UnicodeEncodeError:
      raise errors.RunError(
          f'{ascii(argument)} is no text in {sys.getfilesystemencoding()}, the'
          ' encoding of this process: set PYTHONUTF8=1, or name files and'
          ' directories in letters of ASCII.'
      ) from None


def _guarded(function: Callable[[Sequence[str]], Any], argv: Any) -> Any:
  """Calls `function`; a mistake of the user ends the program with a line."""
  try:
    return function(argv)
  except KeyboardInterrupt:
    sys.exit(130)
  except errors.UserError as error:
    print(f'error: {error.report()}', file=sys.stderr)
  sys.exit(_EXIT_CODE)


def _explain(error: Exception) -> errors.UserError:
  """Returns the error that tells the user what was wrong with the flags."""
  cause: Optional[BaseException] = error
  root: Optional[errors.UserError] = None
  while cause is not None:
    if isinstance(cause, errors.UserError):
      root = cause  # What wraps it adds its traceback to the sentence.
    cause = cause.__cause__ or cause.__context__
  if root is not None:
    return root
  if isinstance(error, flags.Error):
    lines = str(error).strip().splitlines()
    # The last line of a traceback is the one that says what happened.
    line = lines[-1] if 'Traceback' in str(error) else lines[0]
    line = re.sub(r'^flag --\w+=None: ', '', line)
    for pattern, replacement in _REWORDED:
      line = re.sub(pattern, replacement, line)
    return errors.RunError(line)
  return errors.RunError(
      f'--config cannot be used: {type(error).__name__}: {error}'
  )


def _show_in_help(main: Callable[[Sequence[str]], None]) -> None:
  """Has --help show the program's text and all flags of this package.

  Absl shows those of the module that was started, which for a console script
  holds neither.
  """
  script, module = sys.modules['__main__'], sys.modules[main.__module__]
  script.__doc__ = script.__doc__ or module.__doc__
  for name, defined in list(flags.FLAGS.flags_by_module_dict().items()):
    if name.startswith('r2i_tf.'):
      for flag in defined:
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
