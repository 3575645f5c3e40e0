"""Runs whose environments fail: what is said, what is kept, what goes on."""

import dataclasses
import functools
import pathlib
import subprocess
import sys

import pytest

from r2i_tf import environments
from r2i_tf.record import records
from r2i_tf.training import checkpoints
from r2i_tf.training import run
from tests.environments import fakes as rooms
from tests.training import fakes

_ROOT = pathlib.Path(__file__).parents[2]
_FAULTS = {
    'raise': r'step\(\) raised ZeroDivisionError: the floor is lava',
    'reset': r'reset\(\) raised ZeroDivisionError: no second life',
    'reward': 'the reward is nan',
    'observation': 'the observation holds nan',
    'shape': r'the observation is float32 \[1\], but its spec is float32 \[2\]',
    'dtype': r'the observation is float64 \[2\], but its spec is float32 \[2\]',
}


def _parts(fault=None, at=0):
  """Returns the parts of a run in rooms, from the task's name to a pool."""

  def load_batch(task, seed, count, options, pool):
    del task
    make = functools.partial(rooms.Room, fault, at)
    make.__name__ = 'Room'
    return environments.load_batch(make, seed, count, options, pool)

  return dataclasses.replace(fakes.parts(), load_batch=load_batch)


def _config(**changes):
  return fakes.config(
      parallel_environments=2, checkpoint_seconds=0.01, **changes
  )


def _last(path):
  return list(records.read(path / 'metrics.jsonl'))[-1]


@pytest.mark.parametrize('fault', _FAULTS)
def test_a_fault_ends_a_run_that_can_go_on(tmp_path, fault):
  """It is one sentence with the environment's name; the checkpoint is whole."""
  config = _config()
  with pytest.raises(
      environments.FaultyEnvironmentError, match=_FAULTS[fault]
  ) as caught:
    run.train(config, str(tmp_path), _parts(fault, at=90))
  message = str(caught.value)
  assert message.startswith('environment 0 of Room: ')
  assert len(message.splitlines()) == 1
  newest = checkpoints.checkpoints_in(tmp_path / 'checkpoints')[-1]
  # The 180th step is whole where it is the reset behind it that fails.
  assert 0 < checkpoints.step_of(newest) < (181 if fault == 'reset' else 180)
  summary = run.train(config, str(tmp_path), _parts())
  assert summary.environment_steps == config.steps
  steps = [
      r['environment_steps'] for r in records.read(tmp_path / 'metrics.jsonl')
  ]
  assert steps == sorted(set(steps))


def test_crashes_in_a_pool_are_counted_over_all_starts(tmp_path):
  """They cost an episode each, and a run that goes on counts on."""
  config = _config(steps=60, environment_processes=True)
  run.train(config, str(tmp_path), _parts('raise', at=20))
  first = _last(tmp_path)['environment_restarts']
  assert first >= 2
  longer = dataclasses.replace(config, steps=110)
  run.train(longer, str(tmp_path), _parts('raise', at=20))
  assert _last(tmp_path)['environment_restarts'] >= first + 2


def test_too_many_crashes_end_a_run_that_can_go_on(tmp_path):
  """The error has the traceback of the process; more restarts are allowed."""
  pool = environments.PoolOptions(max_restarts=3)
  config = _config(environment_processes=True, pool=pool)
  with pytest.raises(environments.CrashedEnvironmentError) as caught:
    run.train(config, str(tmp_path), _parts('raise', at=40))
  assert 'pool.max_restarts is 3' in str(caught.value)
  assert 'fakes.py' in str(caught.value.__cause__)
  more = dataclasses.replace(
      config, pool=environments.PoolOptions(max_restarts=30)
  )
  summary = run.train(more, str(tmp_path), _parts('raise', at=40))
  assert summary.environment_steps == config.steps


_PROGRAM = """
from r2i_tf.programs import command_line

def main(_):
  from tests.training import faults_test
  faults_test.run_to_the_end({workdir!r}, {pooled})

command_line.run(main)
"""


def run_to_the_end(workdir, pooled):
  """What the program below runs."""
  pool = environments.PoolOptions(max_restarts=0)
  config = _config(environment_processes=pooled, pool=pool)
  run.train(config, workdir, _parts('raise', at=90))


@pytest.mark.parametrize('pooled', [False, True])
def test_a_program_ends_with_one_sentence(tmp_path, pooled):
  """Exit status 2; of a pool's process, the traceback follows the sentence."""
  program = _PROGRAM.format(workdir=str(tmp_path / 'run'), pooled=pooled)
  ended = subprocess.run(
      [sys.executable, '-c', program],
      cwd=_ROOT,
      capture_output=True,
      text=True,
  )
  assert ended.returncode == 2, ended.stderr
  lines = ended.stderr.splitlines()
  errors = [i for i, line in enumerate(lines) if line.startswith('error: ')]
  assert len(errors) == 1
  sentence, after = lines[errors[0]], lines[errors[0] + 1 :]
  assert 'step() raised ZeroDivisionError: the floor is lava' in sentence
  if pooled:
    assert sentence.endswith('since pool.max_restarts is 0.')
    assert any('fakes.py' in line for line in after)
  else:
    assert sentence.startswith('error: environment 0 of Room: ')
    assert after == [] and 'Traceback' not in ended.stderr
