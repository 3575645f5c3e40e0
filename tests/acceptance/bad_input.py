"""Every kind of bad input, and what the programs say to it.

    python -m tests.acceptance.bad_input --docs=docs

Each case is a command line as a user types it, in a directory with the files
that the case is about. It has to end with exit code 2 and one sentence, without
a traceback, and to leave every file as it was. The sentences are printed, and
written to errors.md of --docs.

TensorFlow takes seconds to load, so it is loaded once, and each case is a fork
of this process from before TensorFlow is used.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import hashlib
import importlib
import importlib.util
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import traceback

from absl import app
from absl import flags

from r2i_tf import quiet
from r2i_tf.programs import runtime
from tests.acceptance import bad_input_cases as cases

_DOCS = flags.DEFINE_string('docs', None, 'Directory of errors.md.')

_ROOT = pathlib.Path(__file__).parents[2]
_INTRODUCTION = """# Errors

A mistake is answered with one sentence that says what was found, what is
allowed and what to change; the program ends with exit code 2 and has changed no
file. `python -m tests.acceptance.bad_input --docs=docs` tries all of these and
writes this page; a test holds it to that.
"""
# What differs from one machine to the next.
_DIFFERENT = (
    (re.compile(r'process \d+ on [^:\s]+'), 'process 4711 on host'),
    (re.compile(r'\d+\.\d [kMGT]B of memory available'), '23 GB of memory'),
    (
        re.compile(r'capacity to [\d,]+ or less'),
        'capacity to 400,000,000 or less',
    ),
)


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What came of a case.

  Attributes:
    sentence: The last line on standard error, without what differs from one
      machine to the next.
    faults: What is wrong with it; empty if it is as it should be.
  """

  sentence: str
  faults: tuple[str, ...]


def run(case: cases.Case) -> Outcome:
  """Runs a case in a directory of its own.

  Args:
    case: The case.
  """
  with contextlib.ExitStack() as stack:
    folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
    output = stack.enter_context(tempfile.TemporaryFile('w+'))
    error = stack.enter_context(tempfile.TemporaryFile('w+'))
    stack.enter_context(_working_in(folder))
    stack.enter_context(case.prepare())
    before = _snapshot(folder)
    start = _started if case.environment else _forked
    code = start(case, output.fileno(), error.fileno())
    after = _snapshot(folder)
    output.seek(0)
    error.seek(0)
    printed, lines = output.read(), error.read().splitlines()
  sentence = lines[-1] if lines else ''
  checks = {
      f'exit code {code}': code == 2,
      'a traceback': 'Traceback' not in '\n'.join(lines),
      f'no sentence: {lines[-3:]}': sentence.startswith('error: '),
      f'output: {printed!r}': not printed,
      f'files: {sorted(set(before.items()) ^ set(after.items()))}': before
      == after,
  }
  sentence = sentence.partition(': ')[2].replace(f'{folder}/', '')
  for pattern, replacement in _DIFFERENT:
    sentence = pattern.sub(replacement, sentence)
  return Outcome(
      sentence, tuple(text for text, holds in checks.items() if not holds)
  )


def can_run(case: cases.Case) -> bool:
  """Returns whether what a case needs is installed.

  Args:
    case: The case.
  """
  return all(importlib.util.find_spec(name) for name in case.needs)


def page(sentences: Sequence[tuple[cases.Case, str]]) -> str:
  """Returns the text of errors.md.

  Args:
    sentences: Cases, those of one kind together, and what was said to each.
  """
  parts, kind = [_INTRODUCTION], ''
  for case, sentence in sentences:
    if case.kind != kind:
      kind = case.kind
      parts.append(f'\n## {kind}\n')
    command = ' '.join((*case.settings(), case.command))
    parts.append(f'\n{case.what}:\n\n    $ {command}\n    {sentence}\n')
  return ''.join(parts)


def load_tensorflow() -> None:
  """Loads what the programs would, each of them, after the flags."""
  quiet.program()
  runtime.set_environment()
  quiet.load_tensorflow()
  for name in ('run', 'evaluation', 'strategies'):
    importlib.import_module(f'r2i_tf.training.{name}')


def _forked(case: cases.Case, output: int, error: int) -> int:
  """Runs a case in a fork; returns its exit code."""
  process = os.fork()
  if process:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
  code = 1
  try:
    os.dup2(output, 1)
    os.dup2(error, 2)
    sys.stdout, sys.stderr = (
        open(number, 'w', encoding='utf-8', closefd=False) for number in (1, 2)
    )
    program, *arguments = shlex.split(case.command)
    sys.argv = [program, *arguments]
    sys.path.insert(0, '.')
    flags.FLAGS.unparse_flags()
    delattr(flags.FLAGS, _DOCS.name)  # The only one of this program.
    _main(program)
  except SystemExit as end:
    code = end.code if isinstance(end.code, int) else 1
  except BaseException:
    traceback.print_exc()
  finally:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _started(case: cases.Case, output: int, error: int) -> int:
  """Runs a case in a process of its own; returns its exit code."""
  program, *arguments = shlex.split(case.command)
  module = f'r2i_tf.programs.{_module(program)}'
  code = f'from {module} import main; main()'
  return subprocess.run(
      [sys.executable, '-c', code, *map(os.fsencode, arguments)],
      env={**os.environ, 'PYTHONPATH': str(_ROOT), **case.environment},
      stdout=output,
      stderr=error,
      check=False,
  ).returncode


def _main(program: str) -> None:
  importlib.import_module(f'r2i_tf.programs.{_module(program)}').main()


def _module(program: str) -> str:
  """Returns the module of a program: replay_server for r2i-replay-server."""
  return program.removeprefix('r2i-').replace('-', '_')


@contextlib.contextmanager
def _working_in(folder: pathlib.Path) -> Iterator[None]:
  before = os.getcwd()
  os.chdir(folder)
  try:
    yield
  finally:
    os.chdir(before)


def _snapshot(folder: pathlib.Path) -> dict[str, str]:
  """Returns mode and content of all that is in a directory."""
  found = {}
  for path in sorted(folder.rglob('*')):
    content = b'' if path.is_dir() else path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    found[str(path)] = f'{path.stat().st_mode:o} {digest}'
  return found


def main(_: Sequence[str]) -> None:
  """Runs all cases, prints them, and writes the page."""
  load_tensorflow()
  sentences, failed = [], 0
  for case in cases.CASES:
    if not can_run(case):
      print(f'{case.what}: left out, since {case.needs} is not installed')
      continue
    outcome = run(case)
    sentences.append((case, outcome.sentence))
    print(f'$ {case.command}\n{outcome.sentence}', flush=True)
    for fault in outcome.faults:
      failed += 1
      print(f'FAILED: {fault}', flush=True)
  print(f'{len(sentences)} cases, {failed} faults')
  if _DOCS.value:
    path = pathlib.Path(_DOCS.value) / 'errors.md'
    path.write_text(page(sentences), encoding='utf-8')
  sys.exit(1 if failed else 0)


if __name__ == '__main__':
  app.run(main)
