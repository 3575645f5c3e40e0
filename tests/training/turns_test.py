"""Evaluations and followers of a policy, one at a time."""

import json
import os
import socket

import pytest

from r2i_tf import errors
from r2i_tf import locks
from r2i_tf.training import evaluation
from r2i_tf.training import following
from r2i_tf.training import run
from r2i_tf.training import turns
from tests.training import fakes


@pytest.fixture(name='trained', scope='module')
def _trained(tmp_path_factory):
  """The directory of a run."""
  path = tmp_path_factory.mktemp('run')
  run.train(fakes.config(steps=30), str(path), fakes.parts())
  return path


def test_a_second_evaluation_is_refused(trained):
  """It names the process of the first, and leaves nothing behind."""
  policy = trained / 'policies' / 'greedy'
  seen = []

  def load(task, seed, options):
    with pytest.raises(locks.LockedError) as caught:
      evaluation.evaluate(policy, 1, load=fakes.load)
    seen.append(str(caught.value))
    return fakes.load(task, seed, options)

  assert evaluation.evaluate(policy, 1, load=load).returns == (5.0,)
  assert seen == [
      f'the policy in {policy} is being evaluated in process {os.getpid()} on'
      f' {socket.gethostname()}: wait for that, or stop it.'
  ]
  assert '.evaluation.lock' not in os.listdir(policy)


def test_a_run_leaves_its_evaluation_to_another(tmp_path, monkeypatch, capsys):
  """What follows its policies may be faster; that is no failure."""

  def refuse(*_, **__):
    raise locks.LockedError('it is being evaluated.')

  monkeypatch.setattr(evaluation, 'evaluate', refuse)
  config = fakes.config(steps=30, evaluation_episodes=2)
  summary = run.train(config, str(tmp_path), fakes.parts())
  assert summary.policy.exists() and summary.evaluation is None
  assert summary.failures == ()
  assert 'not evaluated here, since it is being' in capsys.readouterr().err


def test_a_second_follower_is_refused(tmp_path):
  """Before there is any policy, and not one of another place."""
  policy = tmp_path / 'policies' / 'greedy'
  with turns.follower(policy):
    with pytest.raises(errors.RunError, match='are followed in process'):
      next(following.follow(policy, 1))
    with turns.follower(policy.with_name('collect')):
      pass
  assert not (tmp_path / 'policies').exists()


def test_a_follower_waits_for_an_evaluation(trained, monkeypatch):
  """Such as that of the run, at its end; then it has its own turn."""
  policy, refused = trained / 'policies' / 'greedy', []

  def evaluate(*_, **__):
    if len(refused) < 5:
      refused.append(1)
      raise locks.LockedError('it is being evaluated.')
    return 'a score'

  monkeypatch.setattr(evaluation, 'evaluate', evaluate)
  monkeypatch.setattr(following, '_PAUSE', 0.0)
  steps = json.loads((policy / 'task.json').read_text())['train_steps']
  scores = following.follow(policy, 1)
  assert next(scores) == (steps, 'a score')
  scores.close()
