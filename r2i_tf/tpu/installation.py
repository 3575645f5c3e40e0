"""The environment of the TPU compiler: JAX and libtpu, apart from TensorFlow.

It is built beside its place and renamed when whole, so that all that stands
there can be used, and an interrupted installation leaves nothing.
"""

from collections.abc import Callable
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from r2i_tf import errors

# Tried together. The program that runs there uses inner parts of JAX.
REQUIREMENTS = ('jax==0.10.2', 'jaxlib==0.10.2', 'libtpu==0.0.51')

_STAMP = 'requirements.txt'
_PYTHONS = (sys.executable, 'python3.11', 'python3.12', 'python3.13')
_SUITABLE = (
    'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] < (3, 11))'
)


def ensure(
    directory: pathlib.Path, note: Callable[[str], None]
) -> pathlib.Path:
  """Returns the environment's Python; builds the environment if need be.

  Args:
    directory: Where it is or comes to stand.
    note: Gets a line about a step that takes long.

  Raises:
    errors.RunError: No Python is new enough, or pip fails.
  """
  python = directory / 'bin' / 'python'
  directory.parent.mkdir(parents=True, exist_ok=True)
  with open(directory.with_suffix('.lock'), 'w', encoding='utf-8') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)  # Given back when the process ends.
    if not _is_whole(directory):
      note(
          f'installing the TPU compiler ({", ".join(REQUIREMENTS)}) into'
          f' {directory}; it is there from then on'
      )
      _install(directory)
  return python


def _is_whole(directory: pathlib.Path) -> bool:
  try:
    text = (directory / _STAMP).read_text(encoding='utf-8')
  except OSError:
    return False
  return text.split() == list(REQUIREMENTS) and os.access(
      directory / 'bin' / 'python', os.X_OK
  )


def _install(directory: pathlib.Path) -> None:
  prefix = f'.{directory.name}.'
  for left in directory.parent.glob(f'{prefix}*'):
    shutil.rmtree(left)  # Of an installation that was killed.
  base = _find_python()
  # Removed whatever happens; after the renaming there is nothing to remove.
  with tempfile.TemporaryDirectory(prefix=prefix, dir=directory.parent) as made:
    new = pathlib.Path(made) / directory.name
    _run([base, '-I', '-m', 'venv', str(new)], directory)
    pip = [str(new / 'bin' / 'python'), '-I', '-m', 'pip', 'install']
    pip += ['--quiet', '--disable-pip-version-check', '--no-input']
    # Built from source, SciPy would take an hour and then fail.
    _run([*pip, '--only-binary=:all:', *REQUIREMENTS], directory)
    (new / _STAMP).write_text('\n'.join(REQUIREMENTS), encoding='utf-8')
    if directory.exists():
      shutil.rmtree(directory)
    os.rename(new, directory)


def _find_python() -> str:
  for python in _PYTHONS:
    try:
      tried = subprocess.run(
          [python, '-I', '-c', _SUITABLE], capture_output=True, check=False
      )
    except OSError:
      continue
    if tried.returncode == 0:
      return python
  names = ', '.join(_PYTHONS[1:])
  raise errors.RunError(
      f'the TPU compiler needs {REQUIREMENTS[0]}, which needs Python 3.11 or'
      ' newer with its venv module, but none was found under the names'
      f' {names}; install one of them.'
  )


def _run(command: list[str], directory: pathlib.Path) -> None:
  process = subprocess.run(
      command,
      stdin=subprocess.DEVNULL,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
      check=False,
  )
  if process.returncode == 0:
    return
  lines = [line for line in process.stdout.splitlines() if line.strip()]
  lines = [line for line in lines if line.startswith('ERROR')] or lines
  reason = lines[-1].removeprefix('ERROR: ') if lines else 'no reason'
  raise errors.RunError(
      f'the TPU compiler ({", ".join(REQUIREMENTS)}) could not be installed'
      f' into {directory}: {reason.rstrip(".")}; this needs the network, once,'
      ' and Linux on x86-64.'
  )
