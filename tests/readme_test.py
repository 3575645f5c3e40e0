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


def _run(program, directory, path='', *flags):
  environment = {**os.environ, 'PYTHONPATH': str(path)}
  file = directory / 'program.py'
  file.write_text(program, encoding='utf-8')
  process = subprocess.run(
      [sys.executable, file.name, *flags],
      cwd=directory,
      env=environment,
      capture_output=True,
      text=True,
      check=False,
  )
  assert process.returncode == 0, process.stderr
  return process.stdout


def test_the_lines_that_change():
  """What the README shows of a pipeline stands in one that works."""
  shown = _program('In a TF-Agents pipeline')
  example = (_ROOT / 'examples' / 'pipeline.py').read_text(encoding='utf-8')
  for call in (
      'r2i_tf.R2IAgent(',
      'r2i_tf.R2IConfig.preset(',
      'replay.as_dataset(sample_batch_size=',
      'agent.collect_policy.get_initial_state(',
      'time_step, state = ',
  ):
    assert call in shown and call in example, call


def test_exported_policy_acts_without_us(tmp_path):
  """The policy that the example saves needs TF-Agents and TensorFlow only."""
  example = (_ROOT / 'examples' / 'pipeline.py').read_text(encoding='utf-8')
  output = _run(example, tmp_path, _ROOT, '--iterations=2')
  assert re.search(r'iteration 2: loss \d+\.\d\d, mean return', output)
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
