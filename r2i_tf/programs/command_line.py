"""What the programs in `launch/` share: flags, quiet, errors in one sentence.

TensorFlow is imported inside functions here, after `run` has silenced what it
and its friends say while they load.
"""

import os
import pathlib
import re
import shlex
import sys
from typing import Any, Callable, List, Optional, Sequence

from absl import app
from absl import flags
from ml_collections import config_flags

from r2i_tf import errors
from r2i_tf import quiet
from r2i_tf import schema

_CONFIG = 'config'
_EXIT_CODE = 2
_OVERRIDE = re.compile(rf'^--?(?:no)?{_CONFIG}\.([^=]+)')


def run(main: Callable[[Sequence[str]], None]) -> None:
  """Runs a program: flags, then `main`; what the user can mend is a sentence.

  Args:
    main: Gets the arguments that are no flags, the program's name first.
  """
  quiet.program()
  _hasten_compilation()
  _keep_memory()
  app.run(lambda argv: _guarded(main, argv), flags_parser=_guarded_parse)


def define_config(
    flag_values: flags.FlagValues = flags.FLAGS,
    argv: Optional[List[str]] = None,
) -> flags.FlagHolder:
  """Defines `--config`, a file, and `--config.<field>`, overrides of it.

  Args:
    flag_values: Where to define it.
    argv: The command line; by default that of the process.
  """
  return config_flags.DEFINE_config_file(
      _CONFIG,
      None,
      'The run: a file of configs/; --config.<field>=<value> changes a field.',
      flag_values,
      sys_argv=argv,
  )


def parse(
    argv: Sequence[str], flag_values: flags.FlagValues = flags.FLAGS
) -> List[str]:
  """Parses the command line.

  Args:
    argv: The command line, the program's name first.
    flag_values: The flags that are defined.

  Returns:
    The arguments that are no flags, the program's name first.

  Raises:
    errors.RunError: Something in it is wrong.
  """
  asks_for_help = any(re.match('--?help', argument) for argument in argv)
  if _CONFIG in flag_values and not asks_for_help:
    _check_config_flags(argv)
  try:
    rest = flag_values(argv)
  except Exception as error:
    # The config file is code, which may raise anything.
    raise _explain(error) from error
  if len(rest) > 1:
    raise errors.RunError(
        f'{rest[1]!r} is no flag; every argument has the form --name=value.'
    )
  return rest


def run_config(config: Any, task: Optional[str] = None):
  """Returns the `RunConfig` of what `--config` and `--task` say.

  Args:
    config: The value of `--config`.
    task: The value of `--task`, which comes before the config's.

  Raises:
    schema.ConfigError: A field is unknown, or its value cannot be used.
  """
  from r2i_tf import run_config as run_config_lib

  mapping = config.to_dict()
  if task is not None:
    mapping['task'] = task
  return schema.from_mapping(run_config_lib.RunConfig, mapping)


def report(summary: Any) -> str:
  """Returns what a run says at its end: what came of it and what to do now.

  Args:
    summary: A `run.Summary`.
  """
  mean = summary.mean_return
  lines = [
      f'stopped because {summary.stopped.value}:'
      f' {summary.environment_steps:,} environment steps,'
      f' {summary.train_steps:,} train steps, {summary.episodes:,} episodes,'
      f' {summary.minutes:.1f} minutes',
      'mean return of the last 200 episodes: '
      + ('none has finished' if mean is None else f'{mean:.4g}'),
  ]
  result = summary.evaluation
  if result is not None:
    error = result.standard_error
    lines.append(
        f'greedy policy, {len(result.returns)} episodes: {result.mean:.4g}'
        + ('' if error is None else f' +- {error:.2g} (standard error)')
    )
  if summary.policy is not None:
    lines.append(f'policy:         {summary.policy}')
  if summary.plot is not None:
    lines.append(f'learning curve: {summary.plot}')
  tensorboard = shlex.quote(str(summary.workdir / 'tensorboard'))
  lines.append(
      f'TensorBoard:    {_python()} -m tensorboard.main --logdir={tensorboard}'
  )
  if summary.policy is None:
    lines.append(f'go on with:     {_this_command()}')
  else:
    policy = shlex.quote(str(summary.policy))
    lines.append(
        f'evaluate with:  {_command("evaluate")} --policy={policy}'
        f' --episodes={len(result.returns) if result else 100}'
    )
  return '\n'.join(lines)


def _guarded_parse(argv: Sequence[str]) -> List[str]:
  return _guarded(parse, argv)


def _guarded(function: Callable[[Sequence[str]], Any], argv: Sequence[str]):
  """Calls `function`; a mistake of the user ends the program with a line."""
  try:
    return function(argv)
  except KeyboardInterrupt:
    sys.exit(130)
  except errors.UserError as error:
    print(f'error: {error.report()}', file=sys.stderr)
  sys.exit(_EXIT_CODE)


def _check_config_flags(argv: Sequence[str]) -> None:
  """Refuses what ml_collections would answer with a traceback."""
  path = None
  for index, argument in enumerate(argv):
    match = re.match(rf'^--?{_CONFIG}(?:=(.*))?$', argument)
    if match:
      path = match.group(1) or ''.join(argv[index + 1 : index + 2])
  if path is None:
    raise errors.RunError(
        '--config is missing; name a file of configs/, such as'
        ' --config=configs/quickstart.py.'
    )
  if not os.path.isfile(path.split(':')[0]):
    raise errors.RunError(f'--config {path} does not exist.')
  matches = [_OVERRIDE.match(argument) for argument in argv]
  names = [match.group(1) for match in matches if match]
  if not names:
    return
  from r2i_tf import run_config as run_config_lib

  for name in names:
    schema.check_name(run_config_lib.RunConfig, name)


def _explain(error: Exception) -> Exception:
  """Returns the error that tells the user what was wrong with the flags."""
  cause, root = error, None
  while cause is not None:
    if isinstance(cause, schema.ConfigError):
      root = cause  # What wraps it adds its traceback to the sentence.
    cause = cause.__cause__ or cause.__context__
  if root is not None:
    return root
  if isinstance(error, flags.Error):
    lines = str(error).strip().splitlines()
    # The last line of a traceback is the one that says what happened.
    return errors.RunError(lines[-1] if 'Traceback' in str(error) else lines[0])
  return errors.RunError(
      f'--config cannot be used: {type(error).__name__}: {error}'
  )


def _this_command() -> str:
  return shlex.join([*_command_words(), *sys.argv[1:]])


def _command(sibling: str) -> str:
  return shlex.join(_command_words(sibling))


def _command_words(sibling: Optional[str] = None) -> List[str]:
  """Returns how this program, or the one beside it, is started."""
  main = sys.modules['__main__']
  spec = getattr(main, '__spec__', None)
  if spec is not None:
    package, _, name = spec.name.rpartition('.')
    module = f'{package}.{sibling or name}' if package else sibling or name
    return [_python(), '-m', module]
  path = pathlib.Path(sys.argv[0])
  return [_python(), str(path.with_name(f'{sibling}.py') if sibling else path)]


def _python() -> str:
  """Returns this Python as one would type it, whether activated or not."""
  here, python = pathlib.Path.cwd(), pathlib.Path(sys.executable)
  return str(python.relative_to(here)) if here in python.parents else 'python'


def _hasten_compilation() -> None:
  """Spares LLVM its slowest passes, where it is LLVM that compiles for a CPU.

  They take two thirds of the time to the first train step, and the step is not
  faster for them. Does nothing where the user has set XLA_FLAGS, or where there
  is a GPU, on which they have not been measured.
  """
  if not os.path.exists('/dev/nvidiactl'):
    os.environ.setdefault(
        'XLA_FLAGS', '--xla_llvm_disable_expensive_passes=true'
    )


def _keep_memory() -> None:
  """Lets TensorFlow keep the memory on a CPU that an operation is done with.

  It would return it to the system, and each train step would be given
  hundreds of megabytes anew, page by page: a quarter of the step. The limit of
  what is kept is 64 GB by default, also for a replay that needs more. Does
  nothing where the user has set these.
  """
  os.environ.setdefault('TF_CPU_ALLOCATOR_USE_BFC', '1')
  megabytes = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 20
  os.environ.setdefault('TF_CPU_BFC_MEM_LIMIT_IN_MB', str(megabytes))
