"""A run from start to end, and from where it stopped."""

import dataclasses
import json
import os
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
from r2i_tf.training import evaluation
from r2i_tf.training import run
from r2i_tf.training import schedule
from tests.training import fakes


def _files(path):
  return sorted(file.name for file in path.iterdir())


@pytest.mark.parametrize('parallel', [1, 3])
def test_a_run_leaves_everything_that_it_promises(tmp_path, parallel):
  """Every file is there, and all counts agree with one another."""
  agents = []
  config = fakes.config(
      parallel_environments=parallel, prefill=30, evaluation_episodes=2
  )
  summary = run.train(config, str(tmp_path / 'run'), fakes.parts(agents))
  assert summary.stopped == schedule.StopReason.STEPS
  assert config.steps <= summary.environment_steps < config.steps + parallel
  assert summary.train_steps == schedule.train_steps_after(
      summary.environment_steps, config
  )
  assert agents[0].train_step_counter.numpy() == summary.train_steps
  assert summary.mean_return == 5.0
  assert summary.evaluation.returns == (5.0, 5.0)
  assert summary.plot.exists()
  assert _files(tmp_path / 'run') == [
      'checkpoints',
      'config.json',
      'metrics.jsonl',
      'outcome.json',
      'plots',
      'policies',
      'tensorboard',
  ]
  returns = [
      value
      for record in records.read(tmp_path / 'run' / 'metrics.jsonl')
      for value in record['episode_returns']
  ]
  assert returns == [5.0] * summary.episodes


@pytest.mark.parametrize(
    'mean, error, is_short',
    [(4.0, 0.2, True), (4.0, 0.3, False), (4.6, 0.0, False)],
)
def test_a_greedy_policy_that_falls_short_is_not_the_only_one_evaluated(
    tmp_path, monkeypatch, mean, error, is_short
):
  """Of training's 5.0, by four standard errors and by a tenth."""
  evaluate = evaluation.evaluate

  def greedy_at(policy, *arguments, **options):
    result = evaluate(policy, *arguments, **options)
    if policy.name != 'greedy':
      return result
    return dataclasses.replace(result, mean=mean, standard_error=error)

  monkeypatch.setattr(evaluation, 'evaluate', greedy_at)
  config = fakes.config(evaluation_episodes=2)
  summary = run.train(config, str(tmp_path), fakes.parts([]))
  assert summary.evaluation.mean == mean
  drawn = summary.drawn
  assert (drawn is not None and drawn.returns == (5.0, 5.0)) is is_short


def test_a_run_that_stopped_goes_on_with_all_of_its_counts(tmp_path):
  """Steps, train steps, weights, episodes and the train ratio continue."""
  agents = []
  config = fakes.config(train_ratio=4.3)
  first = run.train(config, str(tmp_path), fakes.parts(agents))
  longer = dataclasses.replace(config, steps=401)
  second = run.train(longer, str(tmp_path), fakes.parts(agents))
  assert second.environment_steps == 401
  assert second.train_steps == schedule.train_steps_after(401, config)
  assert agents[1].train_step_counter.numpy() == second.train_steps
  assert agents[1].weight.numpy() == second.train_steps > first.train_steps
  assert second.episodes >= first.episodes + 40
  assert second.minutes > first.minutes
  steps = [r['environment_steps'] for r in records.read(_metrics(tmp_path))]
  assert steps == sorted(steps) and steps[-1] == 401


def test_a_run_killed_between_checkpoints_loses_only_what_came_after(tmp_path):
  """What was recorded after the last checkpoint is lived and counted anew."""
  config = fakes.config(log_seconds=1e6)
  run.train(config, str(tmp_path), fakes.parts())
  with open(_metrics(tmp_path), 'a', encoding='utf-8') as file:
    record = {'environment_steps': 999, 'minutes': 1, 'episode_steps': [999]}
    file.write(json.dumps({**record, 'episode_returns': [7.0]}) + '\n{"env')
  longer = dataclasses.replace(config, steps=300)
  run.train(longer, str(tmp_path), fakes.parts())
  steps = [r['environment_steps'] for r in records.read(_metrics(tmp_path))]
  assert steps == [200, 300]


def test_a_sequence_across_the_gap_has_a_first_step_after_it(tmp_path):
  """Experience before and after a restart is never taken for one episode."""
  # 200 steps end an episode of 7 in its middle.
  config = fakes.config(task='countdown/7')
  run.train(config, str(tmp_path), fakes.parts())
  longer = dataclasses.replace(config, steps=250)
  run.train(longer, str(tmp_path), fakes.parts())
  newest = checkpoints.checkpoints_in(tmp_path / 'checkpoints')[-1]
  (file,) = newest.glob('replay-*.npz')
  steps = {key: values[0] for key, values in np.load(file).items()}
  kinds, left = steps['step_type'], steps['observation'][:, 0]
  # A countdown goes on by one or has a FIRST step, a full one, after it.
  is_first = kinds == ts.StepType.FIRST
  np.testing.assert_array_equal(is_first, left == 7)
  np.testing.assert_array_equal(left[1:] - left[:-1] == -1, ~is_first[1:])
  cut = (steps['next_step_type'] == ts.StepType.MID)[:-1]
  assert np.count_nonzero(cut & is_first[1:]) == 1  # The gap itself.
  assert np.count_nonzero(kinds != ts.StepType.LAST) == 250


def test_a_damaged_checkpoint_costs_the_run_only_that(tmp_path, capsys):
  """The run goes on from the checkpoint before, and says so in one line."""
  config = fakes.config()
  run.train(config, str(tmp_path), fakes.parts())
  run.train(
      dataclasses.replace(config, steps=300), str(tmp_path), fakes.parts()
  )
  newest = checkpoints.checkpoints_in(tmp_path / 'checkpoints')[-1]
  data = next(newest.glob('*.data*'))
  data.write_bytes(data.read_bytes()[:10])
  capsys.readouterr()
  summary = run.train(
      dataclasses.replace(config, steps=350), str(tmp_path), fakes.parts()
  )
  lines = capsys.readouterr().err.splitlines()
  assert 'cannot be read and is skipped' in lines[1]
  assert 'going on from step 200' in lines[2]
  assert summary.environment_steps == 350


def test_sigterm_saves_and_the_next_start_goes_on(tmp_path):
  """A scheduler that takes the machine back costs no experience."""
  config = fakes.config(steps=10**6, checkpoint_seconds=1e6)
  parts = fakes.parts()

  def load_batch(*arguments):
    environment = fakes.load_batch(*arguments)
    step, count = environment._step, [0]

    def kill_after_100(action):
      count[0] += 1
      if count[0] == 100:
        os.kill(os.getpid(), signal.SIGTERM)
      return step(action)

    environment._step = kill_after_100
    return environment

  killed = dataclasses.replace(parts, load_batch=load_batch)
  before = signal.getsignal(signal.SIGTERM)
  summary = run.train(config, str(tmp_path), killed)
  assert signal.getsignal(signal.SIGTERM) == before
  assert summary.stopped == schedule.StopReason.INTERRUPTED
  assert summary.policy is None
  stopped_at = summary.environment_steps
  again = dataclasses.replace(config, steps=stopped_at + 10)
  summary = run.train(again, str(tmp_path), fakes.parts())
  assert summary.environment_steps == stopped_at + 10
  assert summary.train_steps == schedule.train_steps_after(
      summary.environment_steps, config
  )


def test_enough_return_ends_the_run_early(tmp_path):
  """`stop_at_return` ends the run once 200 episodes have that mean."""
  config = fakes.config(task='countdown/1', steps=10**6, stop_at_return=1.0)
  summary = run.train(config, str(tmp_path), fakes.parts())
  assert summary.stopped == schedule.StopReason.RETURN
  assert summary.episodes == 200


def test_a_start_that_fails_writes_nothing(tmp_path):
  """An unknown task leaves no workdir behind."""
  path = tmp_path / 'run'
  with pytest.raises(ValueError, match='no_such_task'):
    run.train(fakes.config(task='bsuite/no_such_task'), str(path))
  assert not path.exists()


def test_environments_are_set_up_as_the_run_says(tmp_path):
  """Training, the evaluation at its end and one by hand have its options."""
  seen = []

  def load(task, seed, options):
    seen.append(options)
    return fakes.load(task, seed, options)

  def load_batch(task, seed, count, options, pool):
    seen.append((options, pool))
    return fakes.load_batch(task, seed, count, options, pool)

  config = fakes.config(
      environment=environments.SuiteOptions(
          dmc=environments.DmcOptions(action_repeat=4)
      ),
      evaluation_episodes=1,
  )
  parts = dataclasses.replace(fakes.parts(), load=load, load_batch=load_batch)
  run.train(config, str(tmp_path), parts)
  evaluation.evaluate(tmp_path / 'policies' / 'collect', 1, load=load)
  one = config.environment
  # One environment tells what the replay takes before the others start.
  assert seen == [one, (one, None), one, one]
  seen.clear()
  pool = environments.PoolOptions(max_restarts=3)
  pooled = dataclasses.replace(
      config, steps=210, environment_processes=True, pool=pool
  )
  run.train(pooled, str(tmp_path), parts)
  assert seen[:2] == [one, (one, pool)]


def test_a_sequence_longer_than_the_replay_is_refused():
  """The mistake is found before a step is taken, in one sentence."""
  replay = run_config.ReplayConfig(capacity=30, sequence_length=20)
  with pytest.raises(schema.ConfigError, match='keeps only 15 steps'):
    fakes.config(replay=replay, parallel_environments=2)


def test_the_same_seed_gives_the_same_experience(tmp_path):
  """Runs of one seed draw the same actions and the same batches."""
  replays = []
  for name, seed in (('a', 3), ('b', 3), ('c', 4)):
    # One record, however slow the machine is.
    config = fakes.config(seed=seed, log_seconds=1e6)
    run.train(config, str(tmp_path / name), fakes.parts())
    newest = checkpoints.checkpoints_in(tmp_path / name / 'checkpoints')[-1]
    (file,) = newest.glob('replay-*.npz')
    actions = np.load(file)['action'].tolist()
    losses = [r['loss'] for r in records.read(_metrics(tmp_path / name))]
    replays.append((actions, losses))
  assert replays[0] == replays[1]
  assert replays[0] != replays[2]


def test_a_full_disk_does_not_end_the_run_before_its_end(
    tmp_path, monkeypatch, capsys
):
  """A checkpoint that cannot be written in between is one line, no more."""
  save, failures = checkpoints.CheckpointStore.save, []

  def fail_twice(self, step, state):
    if len(failures) < 2:
      failures.append(step)
      raise errors.RunError('the disk is full.')
    save(self, step, state)

  monkeypatch.setattr(checkpoints.CheckpointStore, 'save', fail_twice)
  config = fakes.config(steps=30, checkpoint_seconds=1e-6)
  summary = run.train(config, str(tmp_path), fakes.parts())
  assert summary.environment_steps == 30 and len(failures) == 2
  assert 'the run goes on, but the disk is full.' in capsys.readouterr().err


def _metrics(path):
  return path / 'metrics.jsonl'


def test_a_replay_server_is_for_a_learner_of_its_own(tmp_path):
  """Whoever calls this function for one is told what to call."""
  config = fakes.config(
      replay=run_config.ReplayConfig(
          1000, 2, sequence_length=8, kind=run_config.ReplayKind.REVERB
      )
  )
  with pytest.raises(errors.RunError, match='roles.learner.train'):
    run.train(config, str(tmp_path / 'run'), fakes.parts())
  assert not (tmp_path / 'run').exists()


def test_a_run_that_only_trains_is_seen_saved_and_ended(tmp_path, capsys):
  """However many train steps belong to one environment step.

  What it has learned is in its checkpoint, though it has taken no step more.
  """
  agents = []
  config = fakes.config(
      train_ratio=1e9,
      log_seconds=0.2,
      checkpoint_seconds=0.5,
      max_minutes=3 / 60,
  )
  summary = run.train(config, str(tmp_path), fakes.parts(agents))
  assert summary.stopped == schedule.StopReason.MINUTES
  assert summary.environment_steps == config.prefill + 1
  assert summary.minutes < 0.5
  assert capsys.readouterr().err.count(' train/s') >= 3
  kept = checkpoints.checkpoints_in(tmp_path / 'checkpoints')
  assert [checkpoints.step_of(path) for path in kept] == [21, 21]
  first = [r['train_steps'] for r in records.read(_metrics(tmp_path))]
  assert len(first) >= 3

  longer = dataclasses.replace(config, max_minutes=summary.minutes + 1 / 60)
  after = run.train(longer, str(tmp_path), fakes.parts(agents))
  assert agents[1].weight.numpy() == after.train_steps > summary.train_steps
  found = [r['train_steps'] for r in records.read(_metrics(tmp_path))]
  assert found[: len(first)] == first and found == sorted(set(found))
