"""What an evaluation is told, and what a run says of its own."""

import pathlib

import pytest

from r2i_tf import errors
from r2i_tf.programs import closing
from r2i_tf.programs import evaluate
from r2i_tf.training import ending
from r2i_tf.training import evaluation
from r2i_tf.training import schedule


def test_seeds_are_whole_numbers():
  """Anything else is one sentence with an example."""
  assert evaluate._numbers(['0', '12']) == [0, 12]
  with pytest.raises(errors.RunError, match="--seeds is '0,x', but.*0,1,2"):
    evaluate._numbers(['0', 'x'])


def _lines(**changes):
  result = evaluation.Evaluation(
      task='countdown/5',
      trained_on='countdown/5',
      seeds=(evaluation.Score(0, 4.0, 1.0),),
      mean=4.0,
      standard_error=1.0,
      returns=(3.0, 5.0),
      **{'max_steps': 27_000, 'cut': 0, 'parallel': 1, **changes},
  )
  summary = ending.Summary(
      stopped=schedule.StopReason.STEPS,
      environment_steps=10,
      train_steps=2,
      episodes=0,
      mean_return=None,
      minutes=0.1,
      drawn=None,
      evaluation=result,
      policy=pathlib.Path('run/policies/greedy'),
      plot=None,
      workdir=pathlib.Path('run'),
  )
  return closing.report(summary, 'page.html').splitlines()


def test_a_run_says_how_many_episodes_were_cut():
  """And after how many steps; without any, nothing."""
  *_, cut, _, _, _, command = _lines(cut=1, max_steps=9)
  assert cut == (
      'greedy policy, 2 episodes: 4 +- 1 (standard error), 1 of them cut after'
      ' 9 steps'
  )
  assert command.endswith('--episodes=2 --max_steps=9')
  *_, whole, _, _, _, command = _lines()
  assert whole == 'greedy policy, 2 episodes: 4 +- 1 (standard error)'
  assert command.endswith('--episodes=2')
