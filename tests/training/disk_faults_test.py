"""Runs whose disk fails: what is said, what is kept, what goes on."""

import contextlib
import dataclasses
import resource
import shutil

import pytest

from r2i_tf import locks
from r2i_tf.record import outcome
from r2i_tf.record import records
from r2i_tf.training import checkpoints
from r2i_tf.training import run
from r2i_tf.training import schedule
from r2i_tf.training import workdir
from tests.training import fakes


def _parts(**actions):
  """Returns the parts of a run that calls functions at transitions."""
  at = {int(name.strip('_')): action for name, action in actions.items()}

  def load_batch(*arguments):
    environment = fakes.load_batch(*arguments)
    step, count = environment._step, [0]

    def act_and_step(action):
      time_step = step(action)
      if not time_step.is_first():
        count[0] += 1
        at.get(count[0], lambda: None)()
      return time_step

    environment._step = act_and_step
    return environment

  return dataclasses.replace(fakes.parts(), load_batch=load_batch)


def _config(**changes):
  return fakes.config(log_seconds=1e-6, checkpoint_seconds=1e-6, **changes)


@pytest.fixture(name='disk')
def _disk():
  """A disk that can be filled: no file can be written until it is freed."""
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

  class Disk:

    def fill(self):
      resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))

    def free(self):
      resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

  with contextlib.closing(contextlib.ExitStack()) as stack:
    stack.callback(Disk().free)
    yield Disk()


def _steps(path):
  return [
      record['environment_steps']
      for record in records.read(path / 'metrics.jsonl')
  ]


def _returns(path):
  return [
      value
      for record in records.read(path / 'metrics.jsonl')
      for value in record['episode_returns']
  ]


def test_a_disk_that_was_full_for_a_while_costs_nothing(tmp_path, disk, capsys):
  """Every record and every episode is there in the end; two lines tell it."""
  parts = _parts(_60=disk.fill, _63=disk.free)
  summary = run.train(_config(steps=80), str(tmp_path), parts)
  assert summary.failures == ()
  assert summary.policy.exists() and summary.plot.exists()
  assert _steps(tmp_path)[-30:] == list(range(51, 81))
  assert _returns(tmp_path) == [5.0] * 16
  lines = capsys.readouterr().err.splitlines()
  told = [line for line in lines if 'the run goes on, but the record' in line]
  assert len(told) == 1
  assert told[0].endswith('metrics.jsonl cannot be written: File too large.')
  assert any(
      'but the checkpoint at step 60 could not' in line for line in lines
  )


def test_a_disk_that_stays_full_costs_what_came_after(tmp_path, disk):
  """The run ends with sentences, and later goes on from its last checkpoint."""
  config = _config(steps=80)
  summary = run.train(config, str(tmp_path), _parts(_60=disk.fill))
  disk.free()
  assert summary.stopped == schedule.StopReason.STEPS
  assert summary.environment_steps == 80
  assert summary.policy is None and summary.plot is None
  checkpoint, record, policies, plot = summary.failures
  assert 'the checkpoint at step 80 could not be written' in checkpoint
  assert 'the earlier ones are intact' in checkpoint
  assert 'metrics.jsonl cannot be written: File too large' in record
  assert 'the policies could not be written to' in policies
  assert 'plots cannot be written: File too large' in plot
  assert all(len(text.splitlines()) == 1 for text in summary.failures)
  newest = checkpoints.checkpoints_in(tmp_path / 'checkpoints')[-1]
  assert checkpoints.step_of(newest) == 59
  assert not list((tmp_path / 'policies').glob('.*'))

  after = run.train(config, str(tmp_path), fakes.parts())
  assert after.failures == () and after.environment_steps == 80
  assert after.policy.exists() and _steps(tmp_path)[-1] == 80


def test_policies_that_cannot_be_written_leave_the_rest(tmp_path):
  """The same command exports them when that is mended."""
  config = _config(steps=40, evaluation_episodes=2)

  def block():
    (tmp_path / 'policies').write_text('')

  summary = run.train(config, str(tmp_path), _parts(_30=block))
  [failure] = summary.failures
  assert 'the policies could not be written to' in failure
  assert failure.endswith('the same command exports them.')
  assert summary.policy is None and summary.evaluation is None
  assert summary.plot.exists()
  assert outcome.read(tmp_path) is None  # It is not over yet.
  (tmp_path / 'policies').unlink()
  after = run.train(config, str(tmp_path), fakes.parts())
  assert after.environment_steps == 40 and after.failures == ()
  assert outcome.read(tmp_path).environment_steps == 40
  assert after.evaluation.returns == (5.0, 5.0)


def test_a_result_that_cannot_be_written_leaves_the_policy(tmp_path):
  """An evaluation is lost; that is told."""

  def load(task, seed, options):
    greedy = tmp_path / 'policies' / 'greedy'
    if greedy.exists():
      (greedy / 'evaluation.json').mkdir(exist_ok=True)
    return fakes.load(task, seed, options)

  parts = dataclasses.replace(fakes.parts(), load=load)
  config = _config(steps=40, evaluation_episodes=1)
  summary = run.train(config, str(tmp_path), parts)
  [failure] = summary.failures
  assert 'evaluation.json' in failure
  assert summary.policy.exists() and summary.plot.exists()


def test_a_directory_that_was_deleted_is_made_again(tmp_path, capsys):
  """With what the run has in its memory; it can go on from there."""
  path = tmp_path / 'run'
  parts = _parts(_60=lambda: shutil.rmtree(path))
  summary = run.train(_config(steps=80), str(path), parts)
  assert summary.failures == () and summary.policy.exists()
  lines = capsys.readouterr().err.splitlines()
  assert sum('was deleted while the run went on' in line for line in lines) == 1
  assert _steps(path) == list(range(60, 81))
  assert list((path / 'tensorboard').glob('events*'))
  after = run.train(_config(steps=100), str(path), fakes.parts())
  assert after.environment_steps == 100
  assert after.train_steps == schedule.train_steps_after(100, _config())


def test_another_run_in_its_place_is_left_alone(tmp_path):
  """A run whose directory was taken ends, and changes no file there."""
  path = tmp_path / 'run'
  other = workdir.Workdir(str(path))
  config = _config(steps=80)
  with contextlib.ExitStack() as stack:

    def take():
      shutil.rmtree(path)
      stack.enter_context(other.held(config))
      other.create(config)

    with pytest.raises(locks.LockedError, match='is that of a run in process'):
      run.train(config, str(path), _parts(_60=take))
    assert sorted(file.name for file in path.iterdir()) == [
        '.lock',
        'config.json',
    ]
