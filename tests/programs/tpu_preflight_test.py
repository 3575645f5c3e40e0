"""launch/tpu_preflight.py, as a user starts it."""

import json
import os
import pathlib
import subprocess
import sys

from r2i_tf.tpu import installation

_ROOT = pathlib.Path(__file__).parents[2]


def _start(workdir, *arguments):
  return subprocess.Popen(
      [
          sys.executable,
          'launch/tpu_preflight.py',
          '--config=quickstart',
          f'--workdir={workdir}',
          *arguments,
      ],
      cwd=_ROOT,
      env={**os.environ, 'PYTHONPATH': str(_ROOT)},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
  )


def test_mistakes_are_one_line_and_leave_nothing(tmp_path):
  """Standard error holds our sentence alone; no workdir appears."""
  workdir = tmp_path / 'run'
  mistakes = [
      (['--topology=v5e:2x3'], 'v5e: with 1x1, 2x2'),
      (['--topology=v5e:2x2', '--task=bsuite/memory_lane/2'], 'memory_len'),
  ]
  processes = [_start(workdir, *arguments) for arguments, _ in mistakes]
  for process, (_, expected) in zip(processes, mistakes):
    output, error = process.communicate()
    assert (process.returncode, output) == (2, '')
    assert error.startswith('error: ') and expected in error
    assert len(error.splitlines()) == 1
  assert not workdir.exists()


def test_a_step_is_traced_and_handed_to_the_compiler(tmp_path):
  """The compiler is one that only measures what it gets; it finds too much."""
  made = tmp_path / 'run' / 'cache' / 'tpu_compiler'
  (made / 'bin').mkdir(parents=True)
  (made / 'requirements.txt').write_text('\n'.join(installation.REQUIREMENTS))
  answer = json.dumps(
      {
          'argument_bytes': 2**40,
          'output_bytes': 8,
          'alias_bytes': 8,
          'temporary_bytes': 0,
          'code_bytes': 0,
          'flops': 1.0,
          'repeated_flops': None,
          'bytes_accessed': 1.0,
          'repeated_bytes': None,
          'exchanges': 0,
          'compile_seconds': 1.0,
      }
  )
  python = made / 'bin' / 'python'
  python.write_text(
      f'#!/bin/sh\ncat > "{tmp_path}/step.hlo"\necho noise >&2\n'
      f"echo '{answer}'\n"
  )
  python.chmod(0o755)
  process = _start(
      tmp_path / 'run',
      '--topology=v5e:2x2',
      '--config.replay.batch_size=3',
      '--config.agent.precision=mixed_bfloat16',
      '--config.agent.world_model.sequence_model.s3m.layers=1',
  )
  output, error = process.communicate()
  assert process.returncode == 1, error
  assert len(error.splitlines()) == 2 and 'batches of 3 x 256' in error
  over = 2**40 - round(15.75 * 2**30)
  assert 'does not fit: it needs 1,024.00 GiB of 15.75 GiB' in output
  assert f'{over:,} bytes' in output
  assert 'replay.batch_size' in output and 'precision' not in output
  assert (tmp_path / 'step.hlo').stat().st_size > 1e6
  assert (tmp_path / 'run' / 'preflight.json').exists()
