"""The last words of a training run: its outcome, its page, and commands."""

import os
import pathlib
import shlex
import shutil
import sys
import typing
from typing import Optional

from r2i_tf import errors
from r2i_tf import run_config

if typing.TYPE_CHECKING:
  from r2i_tf.training import ending
  from r2i_tf.training import evaluation


def close(summary: 'ending.Summary') -> None:
  """Writes the run's page and prints the report.

  Args:
    summary: The outcome of the run.

  Raises:
    errors.RunError: Something of the run could not be written.
  """
  page = write_page(summary.workdir)
  print(report(summary, page), flush=True)
  if summary.failures:
    raise errors.RunError(' '.join(summary.failures))


def write_page(workdir: pathlib.Path) -> str:
  """Writes the page of a run, and returns where it is or why it is nowhere.

  Args:
    workdir: The run's.
  """
  from r2i_tf.reports import run_page

  try:
    return str(run_page.write(workdir, workdir / run_page.FOLDER))
  except Exception as error:  # The run is over, and whole without a page.
    return f'not written ({type(error).__name__}: {errors.first_line(error)})'


def report(summary: 'ending.Summary', page: str) -> str:
  """Returns the lines, with commands that can be pasted into a shell.

  Args:
    summary: The outcome of the run.
    page: Where the run's page is, or why it is nowhere.
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
  for name, found in (
      ('greedy policy', result),
      ('policy that draws its actions', summary.drawn),
  ):
    if found is not None:
      lines.append(f'{name}, {_returns(found)}')
  if summary.policy is not None:
    lines.append(f'policy:         {summary.policy}')
    if summary.drawn is not None:
      collect = summary.policy.with_name('collect')
      lines.append(f'that draws:     {collect}')
  if summary.plot is not None:
    lines.append(f'learning curve: {summary.plot}')
  lines.append(f'page:           {page}')
  python = shlex.quote(_as_typed(pathlib.Path(sys.executable)))
  tensorboard = shlex.quote(str(summary.workdir / 'tensorboard'))
  lines.append(
      f'TensorBoard:    {python} -m tensorboard.main --logdir={tensorboard}'
  )
  program = pathlib.Path(sys.argv[0])
  if summary.policy is None:
    lines.append(
        f'go on with:     {shlex.join([*_command(program), *sys.argv[1:]])}'
    )
  else:
    evaluate = _command(
        program.with_name(program.name.replace('train', 'evaluate'))
    )
    policy = shlex.quote(str(summary.policy))
    lines.append(
        f'evaluate with:  {shlex.join(evaluate)} --policy={policy}'
        f' --episodes={len(result.returns) if result else 100}' + _limit(result)
    )
  return '\n'.join(lines)


def _returns(result: 'evaluation.Evaluation') -> str:
  error = result.standard_error
  return (
      f'{len(result.returns)} episodes: {result.mean:.4g}'
      + ('' if error is None else f' +- {error:.2g} (standard error)')
      + (
          f', {result.cut} of them cut after {result.max_steps:,} steps'
          if result.cut
          else ''
      )
  )


def _limit(result: Optional['evaluation.Evaluation']) -> str:
  """Returns the flag for the limit of an evaluation, if it is not the usual."""
  if result is None or result.max_steps == run_config.EVALUATION_STEPS:
    return ''
  return f' --max_steps={result.max_steps}'


def _command(program: pathlib.Path) -> list[str]:
  """Returns how a program is started: launch/train.py, or bin/r2i-train."""
  if program.suffix == '.py':
    return [_as_typed(pathlib.Path(sys.executable)), str(program)]
  return [_as_typed(program)]


def _as_typed(executable: pathlib.Path) -> str:
  """Returns an executable as one would type it here.

  Args:
    executable: Its path.

  Returns:
    Its name if the shell finds it by that, else its path, which is relative
    where it lies below the working directory.
  """
  path = os.path.abspath(executable)  # A link of a virtual environment stays.
  if shutil.which(executable.name) == path:
    return executable.name
  here = os.getcwd()
  inside = os.path.commonpath([here, path]) == here
  return os.path.relpath(path) if inside else path
