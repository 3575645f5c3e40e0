"""Runs whose environments step while they train."""

import dataclasses
import functools
import os
import shutil
import signal

import numpy as np
import pytest
from tf_agents.trajectories import time_step as ts

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf.record import records
from r2i_tf.training import checkpoints
from r2i_tf.training import learner
from r2i_tf.training import run
from r2i_tf.training import schedule
from tests.environments import fakes as rooms
from tests.training import fakes


def _config(**changes):
  fields = {
      'parallel_environments': 2,
      'environment_processes': True,
      'collect_while_training': True,
      'steps': 100,
      'prefill': 30,
      'train_ratio': 12.0,  # 1.5 train steps for each step of both.
      'log_seconds': 1e6,
      'checkpoint_seconds': 1e6,
  }
  return fakes.config(**{**fields, **changes})


class _Watched(environments.EnvironmentPool):
  """Tells what is asked of it, and what comes of that."""

  def __init__(self, tell, *arguments):
    super().__init__(*arguments)
    self._tell = tell

  def send(self, action):
    self._tell('send', 0)
    super().send(action)

  def receive(self):
    time_step = super().receive()
    taken = np.count_nonzero(time_step.step_type != ts.StepType.FIRST)
    self._tell('receive', int(taken))
    return time_step


def _parts(tell, agents=None):
  return fakes.diaries(agents, functools.partial(_Watched, tell))


def test_all_train_steps_are_taken_while_a_step_is_in_flight(
    tmp_path, monkeypatch
):
  """And each round finds the ratio met, exactly, for those before it."""
  events, train = [], learner.Learner.train

  def watched(self):
    events.append(('train', 1))
    train(self)

  monkeypatch.setattr(learner.Learner, 'train', watched)
  config, agents = _config(), []
  parts = _parts(lambda *event: events.append(event), agents)
  summary = run.train(config, str(tmp_path), parts)
  in_flight, steps, trained, of_round = False, 0, 0, 0
  for name, count in events:
    if name == 'train':
      assert in_flight and not of_round
      trained += count
    elif name == 'send':
      in_flight = True
    else:
      assert in_flight
      if not of_round:
        assert trained == schedule.train_steps_after(steps, config)
      in_flight = False
      steps += count
      # A round of two environments goes on while an episode ends in it.
      of_round = 0 if of_round + count >= 2 else of_round + count
  assert in_flight  # One that nobody waits for at the end of a run.
  assert steps == summary.environment_steps
  assert config.steps <= steps < config.steps + 2
  assert summary.train_steps == trained == agents[0].weight.numpy()
  assert trained == schedule.train_steps_after(steps, config) > 40


def _check_replay(checkpoint, lives):
  """Checks that a checkpoint has each step of its run once, and in order.

  Args:
    checkpoint: Its directory.
    lives: How often the environments were started.

  Returns:
    The environment steps in it.
  """
  (file,) = checkpoint.glob('replay-*.npz')
  steps = dict(np.load(file).items())
  number, led_here = np.moveaxis(steps['observation'], 2, 0)
  # A life's time steps are numbered from 0; the run has recorded all of them.
  begins = np.flatnonzero(number[0] == 0)
  assert len(begins) == lives
  for begin, end in zip(begins, [*begins[1:], number.shape[1]]):
    np.testing.assert_array_equal(
        number[:, begin:end], [np.arange(end - begin)] * len(number)
    )
  kinds = steps['step_type']
  is_first = kinds[:, 1:] == ts.StepType.FIRST
  np.testing.assert_array_equal(
      led_here[:, 1:], np.where(is_first, -1, steps['action'][:, :-1])
  )
  assert is_first[:, begins[1:] - 1].all()
  taken = np.count_nonzero(kinds != ts.StepType.LAST)
  assert taken == checkpoints.step_of(checkpoint)
  return taken


def test_a_run_that_is_stopped_in_flight_goes_on_exactly(tmp_path):
  """What was recorded is saved, and nothing else; the ratio holds over both."""
  received = []

  def kill_after_20(name, count):
    if name == 'receive':
      received.append(count)
      if len(received) == 20:
        os.kill(os.getpid(), signal.SIGTERM)

  config = _config(steps=10**6)
  summary = run.train(config, str(tmp_path), _parts(kill_after_20))
  assert summary.stopped == schedule.StopReason.INTERRUPTED
  assert summary.environment_steps == sum(received)
  [checkpoint] = checkpoints.checkpoints_in(tmp_path / 'checkpoints')
  assert _check_replay(checkpoint, lives=1) == sum(received)

  agents = []
  again = dataclasses.replace(config, steps=summary.environment_steps + 40)
  summary = run.train(again, str(tmp_path), fakes.diaries(agents))
  assert again.steps <= summary.environment_steps < again.steps + 2
  due = schedule.train_steps_after(summary.environment_steps, config)
  assert summary.train_steps == agents[0].weight.numpy() == due > 0
  newest = checkpoints.checkpoints_in(tmp_path / 'checkpoints')[-1]
  assert _check_replay(newest, lives=2) == summary.environment_steps


def test_a_checkpoint_in_the_middle_is_one_to_go_on_from(tmp_path):
  """The step in flight is in the next one, of this run or of its next start."""
  config = _config(checkpoint_seconds=1e-6, steps=60)
  run.train(config, str(tmp_path), fakes.diaries())
  middle, last = checkpoints.checkpoints_in(tmp_path / 'checkpoints')
  before = _check_replay(middle, lives=1)
  assert 0 < before < _check_replay(last, lives=1)
  shutil.rmtree(last)  # As if it had been killed before it wrote that.
  # Without the option, as one who doubts it would.
  off = dataclasses.replace(config, collect_while_training=False, steps=90)
  summary = run.train(off, str(tmp_path), fakes.diaries())
  assert summary.train_steps == schedule.train_steps_after(
      summary.environment_steps, config
  )
  newest = checkpoints.checkpoints_in(tmp_path / 'checkpoints')[-1]
  assert _check_replay(newest, lives=2) == summary.environment_steps >= 90


def _faulty(at):
  """Returns the parts of a run in rooms, one of whose steps raises."""

  def load_batch(task, seed, count, options, pool):
    del task
    make = functools.partial(rooms.Room, 'raise', at)
    make.__name__ = 'Room'
    return environments.load_batch(make, seed, count, options, pool)

  return dataclasses.replace(fakes.parts(), load_batch=load_batch)


def test_a_fault_in_flight_ends_a_run_as_any_other(tmp_path):
  """With the same error at the same step, and the run can go on."""
  told = []
  for overlaps in (True, False):
    path = tmp_path / str(overlaps)
    config = _config(
        collect_while_training=overlaps,
        checkpoint_seconds=1e-6,
        pool=environments.PoolOptions(max_restarts=0),
    )
    with pytest.raises(environments.CrashedEnvironmentError) as caught:
      run.train(config, str(path), _faulty(at=40))
    told.append((str(caught.value), 'fakes.py' in str(caught.value.__cause__)))
    newest = checkpoints.checkpoints_in(path / 'checkpoints')[-1]
    assert checkpoints.step_of(newest) == 78  # Each has taken 39.
  assert told[0] == told[1]
  assert 'raised ZeroDivisionError: the floor is lava' in told[0][0]
  path, config = tmp_path / 'True', _config()
  summary = run.train(config, str(path), _faulty(at=-1))
  assert summary.environment_steps == config.steps
  assert summary.train_steps == schedule.train_steps_after(config.steps, config)


def test_it_pays_the_ratio_in_whole_calls(tmp_path):
  """With several train steps a call, in the round that owes all of one."""
  config = _config(train_steps_per_call=4)
  summary = run.train(config, str(tmp_path), fakes.diaries())
  due = schedule.train_steps_after(summary.environment_steps, config)
  assert summary.train_steps == due // 4 * 4 > 0


def test_the_same_seed_gives_the_same_run(tmp_path):
  """What a train step sees follows from counts, not from who is faster."""
  found = []
  for name in 'ab':
    path = tmp_path / name
    run.train(_config(seed=3), str(path), fakes.diaries())
    [newest] = checkpoints.checkpoints_in(path / 'checkpoints')
    (file,) = newest.glob('replay-*.npz')
    actions = np.load(file)['action'].tolist()
    [record] = records.read(path / 'metrics.jsonl')
    found.append((actions, record['loss'], record['train_steps']))
  assert found[0] == found[1]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'environment_processes': False}, 'environment_processes is False'),
        (
            {
                'replay': run_config.ReplayConfig(
                    1000,
                    batch_size=2,
                    sequence_length=8,
                    kind=run_config.ReplayKind.REVERB,
                )
            },
            "replay.kind is 'reverb'",
        ),
    ],
)
def test_where_nothing_can_be_in_flight_it_is_refused(changes, message):
  """By the configuration, before a run."""
  with pytest.raises(schema.ConfigError, match=message):
    _config(**changes)


def test_environments_of_other_parts_are_refused(tmp_path):
  """In one sentence, and nothing is written."""
  with pytest.raises(errors.RunError, match='takes an EnvironmentPool'):
    run.train(_config(), str(tmp_path / 'run'), fakes.parts())
  assert not (tmp_path / 'run').exists()
