"""Does the package work by itself? Its wheel, in an environment of its own.

  python -m tests.acceptance.wheel

Builds the wheel, installs it into a new virtual environment, as docs/install.md
says for the stack that this Python has, and there, in an empty directory and
with nothing of this checkout on any path, lists the tasks, trains, and
evaluates by the command that the training prints.
"""

from collections.abc import Mapping
import contextlib
import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_SOURCES = ('r2i_tf', 'LICENSE', 'README.md', 'pyproject.toml', 'setup.py')
_CURRENT = importlib.metadata.version('keras').startswith('3.')
_EXTRAS = 'current-cpu,bsuite' if _CURRENT else 'cpu,bsuite'
_CONSTRAINTS = (
    'constraints/current.txt' if _CURRENT else 'constraints/classic.txt'
)
_TF_AGENTS = 'tf-agents==0.19.0'
# What is compiled is small; what is run, short.
_SHORT = {
    'steps': 80,
    'parallel_environments': 2,
    'prefill': 36,
    'train_ratio': 4.0,
    'replay.batch_size': 2,
    'replay.sequence_length': 8,
    'evaluation_episodes': 2,
    'agent.behavior.horizon': 2,
    'agent.world_model.sequence_model.s3m.layers': 1,
    'agent.world_model.encoder.layers': 1,
    'agent.world_model.decoder.layers': 1,
    'agent.behavior.actor.layers': 1,
    'agent.behavior.critic.layers': 1,
}
_RECIPES = """
from r2i_tf import presets, run_config
for name, variants in presets.RUNS.items():
  for variant in variants:
    run_config.RunConfig.preset(name, variant)
"""
_WHERE = """
import pathlib, sys, r2i_tf
print(r2i_tf.__version__, pathlib.Path(r2i_tf.__file__).parent)
assert 'tensorflow' not in sys.modules
"""


def main() -> None:
  """Builds, installs and runs; an error ends it."""
  with tempfile.TemporaryDirectory() as directory:
    folder = pathlib.Path(directory)
    with _timed('built'):
      wheel = _build(folder)
    with _timed('installed'):
      _install(wheel, folder / 'venv')
    with _timed('ran'):
      _use(folder / 'venv', folder / 'empty')


def _build(folder: pathlib.Path) -> pathlib.Path:
  """Returns the wheel, made from a copy: the checkout may hold an old build."""
  source = folder / 'source'
  source.mkdir()
  for name in _SOURCES:
    path = _ROOT / name
    if path.is_dir():
      hidden = shutil.ignore_patterns('__pycache__')
      shutil.copytree(path, source / name, ignore=hidden)
    else:
      shutil.copy(path, source / name)
  pip = [sys.executable, '-m', 'pip']
  _run([*pip, 'wheel', '--no-deps', '-w', folder, source], folder)
  (wheel,) = folder.glob('*.whl')
  return wheel


def _install(wheel: pathlib.Path, environment: pathlib.Path) -> None:
  _run([sys.executable, '-m', 'venv', environment], wheel.parent)
  pip = [environment / 'bin' / 'python', '-m', 'pip']
  constraints = ['-c', _ROOT / _CONSTRAINTS]
  _run([*pip, 'install', *constraints, f'{wheel}[{_EXTRAS}]'], wheel.parent)
  if not _CURRENT:
    _run([*pip, 'check'], wheel.parent)
    return
  # Without the second line of the installation a program names it.
  train = environment / 'bin' / 'r2i-train'
  command = [train, '--config=quickstart', '--workdir=run']
  refusal = _run(command, wheel.parent, code=2).stderr
  line = f'pip install --no-deps {_TF_AGENTS}'
  assert f'run `{line}`' in refusal, refusal
  _run([*pip, *line.split()[1:]], wheel.parent)
  # Of what is missing or contradicts, all is of TF-Agents.
  missing = _run([*pip, 'check'], wheel.parent, code=1).stdout.splitlines()
  assert all(each.startswith('tf-agents ') for each in missing), missing


def _use(environment: pathlib.Path, empty: pathlib.Path) -> None:
  """Runs the programs, as a shell finds them, in an empty directory."""
  empty.mkdir()
  path = f'{environment / "bin"}{os.pathsep}{os.environ["PATH"]}'

  def run(*command: str, code: int = 0) -> subprocess.CompletedProcess:
    return _run(command, empty, {'PATH': path}, code)

  version, package = run('python', '-c', _WHERE).stdout.split()
  assert version and pathlib.Path(package).is_relative_to(environment), package
  assert (pathlib.Path(package) / 'py.typed').exists()
  run('python', '-c', _RECIPES)
  tasks = run('r2i-tasks').stdout.splitlines()
  assert 'bsuite/memory_len/22' in tasks, tasks
  refusal = run(
      'r2i-tpu-preflight', '--config=bsuite', '--topology=v5e:2x3', code=2
  )
  assert 'v5e: with 1x1' in refusal.stderr, refusal.stderr
  fields = [f'--config.{name}={value}' for name, value in _SHORT.items()]
  trained = run('r2i-train', '--config=quickstart', '--workdir=run', *fields)
  label, command = trained.stdout.splitlines()[-1].split(':', 1)
  assert label == 'evaluate with', trained.stdout
  evaluated = run('sh', '-c', command)
  assert command.split()[0] == 'r2i-evaluate', command
  assert len(json.loads(evaluated.stdout)['returns']) == 2, evaluated.stdout


def _run(
    command: list,
    directory: pathlib.Path,
    variables: Mapping[str, str] = {},
    code: int = 0,
) -> subprocess.CompletedProcess:
  """Runs a command that knows nothing of this Python's environment."""
  kept = {
      name: value
      for name, value in os.environ.items()
      if not name.startswith('PYTHON') and name != 'VIRTUAL_ENV'
  }
  process = subprocess.run(
      [str(word) for word in command],
      cwd=directory,
      env={**kept, **variables},
      capture_output=True,
      text=True,
      check=False,
  )
  assert process.returncode == code, process.stdout + process.stderr
  return process


@contextlib.contextmanager
def _timed(what: str):
  start = time.monotonic()
  yield
  print(f'wheel {what} in {time.monotonic() - start:.0f} s', flush=True)


if __name__ == '__main__':
  main()
