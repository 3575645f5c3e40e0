"""The programs of README.md, as they stand there."""

import os
import pathlib
import re
import subprocess
import sys

_ROOT = pathlib.Path(__file__).parents[1]


def _program(heading):
  """Returns the Python program of the section with this heading."""
  text = (_ROOT / 'README.md').read_text(encoding='utf-8')
  section = re.search(rf'^## {heading}\n(.*?)(?=^## |\Z)', text, re.M | re.S)
  (program,) = re.findall(r'^```python\n(.*?)^```', section[1], re.M | re.S)
  return program


def _replaced(program, old, new):
  assert program.count(old) == 1
  return program.replace(old, new)


def _run(program, directory, path=''):
  environment = {
      **os.environ,
      'PYTHONPATH': str(path),
      'TF_CPP_MIN_LOG_LEVEL': '3',
      'XLA_FLAGS': '--xla_llvm_disable_expensive_passes=true',
  }
  file = directory / 'program.py'
  file.write_text(program, encoding='utf-8')
  process = subprocess.run(
      [sys.executable, file.name],
      cwd=directory,
      env=environment,
      capture_output=True,
      text=True,
      check=False,
  )
  assert process.returncode == 0, process.stderr
  return process.stdout


def test_pipeline_and_its_export(tmp_path):
  """Our agent fits in a TF-Agents pipeline; its policy acts without us."""
  program = _program('In a pipeline of your own')
  short = _replaced(program, 'ITERATIONS = 2_000', 'ITERATIONS = 2')
  short = _replaced(short, 'LENGTH = 8, 64', 'LENGTH = 8, 8')
  _run(short, tmp_path, _ROOT)
  # Found before the installed package.
  (tmp_path / 'r2i_tf.py').write_text('raise ImportError("not needed")\n')
  output = _run(_program('The exported policy, without r2i_tf'), tmp_path)
  assert float(output.splitlines()[-1]) in (-1.0, 1.0)


def test_layers_alone(tmp_path):
  """The layers run as shown and give the shapes that the text names."""
  program = _program('The state-space layers alone')
  shapes = 'print(y.shape, x.shape, y_t.shape, x_t.shape)'
  output = _run(f'{program}{shapes}\n', tmp_path, _ROOT)
  assert output == '(4, 100, 64) (4, 100, 2, 2, 64) (4, 64) (4, 2, 2, 64)\n'
