"""The programs, as a user starts them."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

_ROOT = pathlib.Path(__file__).parents[2]


def _start(program, *arguments):
  return subprocess.Popen(
      [sys.executable, f'launch/{program}.py', *arguments],
      cwd=_ROOT,
      env={**os.environ, 'PYTHONPATH': str(_ROOT)},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
  )


def _train(workdir, *arguments):
  return _start(
      'train',
      '--config=quickstart',
      f'--workdir={workdir}',
      '--config.log_seconds=0.2',
      '--config.evaluation_episodes=0',
      '--config.parallel_environments=1',
      '--config.prefill=1e6',  # No train step, so nothing is compiled.
      *arguments,
  )


def test_mistakes_are_one_line_and_leave_nothing(tmp_path):
  """Standard error holds our sentence alone; no workdir appears."""
  workdir = tmp_path / 'run'
  processes = [
      _train(workdir, '--config.replay.capcity=5'),
      _train(workdir, '--task=bsuite/memory_lane/2'),
  ]
  for process, expected in zip(processes, ['replay.capacity', 'memory_len']):
    output, error = process.communicate()
    assert process.returncode == 2
    assert output == ''
    assert error.startswith('error: ') and expected in error
    assert len(error.splitlines()) == 1
  assert not workdir.exists()


def test_a_run_is_stopped_gone_on_with_looked_at_and_evaluated(tmp_path):
  """From SIGTERM to the printed evaluate command, only plain lines appear."""
  workdir = tmp_path / 'run'
  process = _train(workdir, '--config.steps=1e6')
  metrics = workdir / 'metrics.jsonl'
  deadline = time.monotonic() + 180
  while not metrics.exists() or not metrics.read_text():
    assert process.poll() is None and time.monotonic() < deadline
    time.sleep(0.1)
  process.send_signal(signal.SIGTERM)
  output, error = process.communicate()
  assert process.returncode == 0
  assert 'python launch/train.py --config=quickstart ' in output
  assert '\r' not in error and '\x1b' not in error
  replay, *lines = error.splitlines()
  assert 'of memory available' in replay
  assert all(' steps | ' in line for line in lines)
  steps = json.loads(metrics.read_text().splitlines()[-1])['environment_steps']

  process = _train(workdir, f'--config.steps={steps + 50}')
  output, error = process.communicate()
  assert process.returncode == 0, error
  assert error.splitlines()[1].startswith(f'going on from step {steps:,} of ')
  assert f'{steps + 50:,} environment steps' in output
  page = (workdir / 'report' / 'index.html').read_text()
  assert '<h1>bsuite/memory_len/22</h1>' in page and 'Finished: ' in page
  command = output.splitlines()[-1]
  assert command.startswith('evaluate with: ')
  assert 'python launch/evaluate.py ' in command

  process = _start('look', f'--workdir={workdir}', '--make=timescales')
  output, error = process.communicate()
  assert (process.returncode, error) == (0, '')
  assert output.splitlines()[-1] == str(workdir / 'look')

  arguments = command.split()[4:]
  # The episodes of this task have a hundred steps.
  options = ('--episodes=4', '--seeds=0,1', '--parallel=2', '--max_steps=9')
  process = _start('evaluate', *arguments, *options)
  output, error = process.communicate()
  assert (process.returncode, error) == (0, '')
  result = json.loads(output)
  assert len(result['returns']) == result['cut'] == 8
  assert [score['seed'] for score in result['seeds']] == [0, 1]


def test_tasks_are_listed():
  """One name on each line, and nothing else, but what is not installed."""
  output, error = _start('list_tasks').communicate()
  names = output.splitlines()
  assert 'bsuite/memory_len/22' in names and len(names) >= 468
  assert all('/' in name and ' ' not in name for name in names)
  lines = error.splitlines()
  assert all('not installed' in line or 'draws' in line for line in lines)
