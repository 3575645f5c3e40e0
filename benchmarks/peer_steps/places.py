"""Environments of Python for the peers, each with the packages of one."""

import pathlib
import subprocess

from r2i_tf import errors

_HERE = pathlib.Path(__file__).resolve().parent


def python(peer: str, directory: pathlib.Path, base: str) -> str:
  """Returns a peer's interpreter, whose environment is made where it lacks.

  Args:
    peer: Its requirements are in files of this name, beside this one.
    directory: For the environments, which are kept.
    base: The interpreter to make them with.

  Raises:
    errors.RunError: It cannot be made.
  """
  # Without what they ask for themselves, where that cannot be had.
  alone = _HERE / f'{peer}_no_deps.txt'
  requirements = {_HERE / f'{peer}.txt': []}
  if alone.exists():
    requirements[alone] = ['--no-deps']
  wanted = ''.join(file.read_text() for file in requirements)
  place = directory / peer
  found = str(place / 'bin' / 'python')
  # Written last, so that an install which was interrupted is taken up again.
  installed = place / 'installed.txt'
  if installed.exists() and installed.read_text() == wanted:
    return found
  print(f'{place}: installing what {peer} needs', flush=True)
  directory.mkdir(parents=True, exist_ok=True)
  _run([base, '-m', 'venv', '--clear', str(place)], peer)
  pip = [found, '-m', 'pip', 'install', '--quiet']
  for file, options in requirements.items():
    _run([*pip, *options, '-r', str(file)], peer)
  installed.write_text(wanted)
  return found


def _run(command: list[str], peer: str) -> None:
  try:
    ended = subprocess.run(command, capture_output=True, text=True)
  except OSError as error:
    raise errors.RunError(
        f'--python is {command[0]!r}, which cannot be run ({error.strerror}).'
    ) from error
  if ended.returncode:
    said = (ended.stderr or ended.stdout).strip().splitlines()
    raise errors.RunError(
        f'what {peer} needs cannot be installed with {command[0]}:'
        f' {said[-1] if said else "pip said nothing"}; --python has to name'
        ' another Python, or the network to be there.'
    )
