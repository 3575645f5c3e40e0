"""Tests of the model-free baseline: a run that sweeps and reports take."""

import pathlib
import subprocess
import sys

import pytest

from r2i_tf.record import outcome
from r2i_tf.reports import runs

_ROOT = pathlib.Path(__file__).parents[2]


def _train(workdir, memory, steps, task='bsuite/memory_len/0', check=True):
  return subprocess.run(
      [
          sys.executable,
          '-m',
          'experiments.ppo',
          f'--workdir={workdir}',
          f'--memory={memory}',
          f'--steps={steps}',
          f'--task={task}',
          '--environments=2',
          '--round=16',
          '--epochs=1',
          '--units=4',
      ],
      cwd=_ROOT,
      check=check,
      capture_output=True,
      text=True,
  )


@pytest.mark.parametrize('memory', ['lstm', 'none'])
def test_a_run_is_one_of_ours(memory, tmp_path):
  """It goes on with its counts, and a report finds its episodes."""
  workdir = tmp_path / 'run'
  _train(workdir, memory, 20)
  first = outcome.read(workdir)
  assert first.environment_steps >= 20 and first.parameters > 50
  _train(workdir, memory, 60)
  second = outcome.read(workdir)
  assert second.train_steps > first.train_steps
  assert 60 <= second.environment_steps < first.environment_steps + 60
  (run,) = runs.collect([workdir], window=1)
  assert run.task == 'bsuite/memory_len/0'
  assert run.state is runs.State.FINISHED
  # Episodes of two steps; those that a round cuts go on in the next.
  assert len(run.curve.mean_returns) == second.episodes
  assert abs(2 * second.episodes - second.environment_steps) <= 4


def test_another_run_is_refused(tmp_path):
  """In one sentence, and what was there stays as it was."""
  _train(tmp_path, 'none', 20)
  before = {path: path.stat().st_mtime for path in tmp_path.rglob('*')}
  ended = _train(tmp_path, 'lstm', 60, check=False)
  assert ended.returncode == 1
  assert ended.stderr.splitlines()[-1] == (
      f'--workdir {tmp_path} has a run with --memory=none, not lstm: use'
      ' another --workdir.'
  )
  assert {path: path.stat().st_mtime for path in tmp_path.rglob('*')} == before


def test_observations_of_bytes(tmp_path):
  """Which TF-Agents' networks do not take from every NumPy."""
  pytest.importorskip('popgym')
  _train(tmp_path, 'lstm', 20, 'popgym/RepeatPreviousEasy')
  assert outcome.read(tmp_path).environment_steps >= 20
