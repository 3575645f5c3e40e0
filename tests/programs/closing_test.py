"""The commands that a run prints at its end can be typed where it ended."""

import dataclasses
import pathlib
import shlex
import sys

import pytest

from r2i_tf import errors
from r2i_tf.programs import closing
from r2i_tf.training import ending
from r2i_tf.training import evaluation
from r2i_tf.training import schedule

_POLICY = pathlib.Path('runs/my run/policies/greedy')


def _summary(policy, failures=()):
  return ending.Summary(
      stopped=schedule.StopReason.STEPS,
      environment_steps=10,
      train_steps=2,
      episodes=0,
      mean_return=None,
      minutes=0.1,
      drawn=None,
      evaluation=None,
      policy=policy,
      plot=None,
      workdir=pathlib.Path('runs/my run'),
      failures=failures,
  )


def _lines(policy=_POLICY):
  report = closing.report(_summary(policy), 'page.html')
  return dict(line.split(':', 1) for line in report.split('\n'))


@pytest.fixture(name='scripts')
def _scripts(tmp_path, monkeypatch):
  """A folder of programs, not on the path of the shell."""
  folder = tmp_path / 'bin'
  folder.mkdir()
  for name in ('r2i-train', 'r2i-evaluate', 'python'):
    (folder / name).touch(mode=0o755)
  monkeypatch.setattr(sys, 'executable', str(folder / 'python'))
  argv = [str(folder / 'r2i-train'), '--config=bsuite', '--workdir=runs/my run']
  monkeypatch.setattr(sys, 'argv', argv)
  monkeypatch.setenv('PATH', '/usr/bin')
  return folder


def test_a_program_of_the_shell_is_named(scripts, monkeypatch):
  """Who activated the environment sees names only."""
  monkeypatch.setenv('PATH', f'{scripts}:/usr/bin')
  lines = _lines()
  assert shlex.split(lines['evaluate with'])[:2] == [
      'r2i-evaluate',
      f'--policy={_POLICY}',
  ]
  assert lines['TensorBoard'].split()[0] == 'python'
  assert shlex.split(_lines(None)['go on with']) == [
      'r2i-train',
      '--config=bsuite',
      '--workdir=runs/my run',
  ]


def test_others_are_named_with_their_path(scripts, monkeypatch):
  """From below the working directory a relative one, else the whole."""
  assert _lines()['evaluate with'].split()[0] == str(scripts / 'r2i-evaluate')
  monkeypatch.chdir(scripts.parent)
  assert _lines()['evaluate with'].split()[0] == 'bin/r2i-evaluate'
  assert _lines()['TensorBoard'].split()[0] == 'bin/python'


def test_a_file_of_a_checkout_is_started_as_it_was(scripts, monkeypatch):
  """By the same Python, beside the same file."""
  monkeypatch.setattr(sys, 'argv', ['launch/train.py', '--config=bsuite'])
  assert _lines()['evaluate with'].split()[:2] == [
      str(scripts / 'python'),
      'launch/evaluate.py',
  ]


def test_what_could_not_be_written_comes_after_the_report(capsys):
  """As an error, so that the program does not end as if all were well."""
  with pytest.raises(errors.RunError, match='^no room. no light.$'):
    closing.close(_summary(None, ('no room.', 'no light.')))
  assert capsys.readouterr().out.startswith('stopped because it has taken')
  closing.close(_summary(_POLICY))


def test_both_policies_are_reported_where_both_were_evaluated():
  """The one that draws has its figure, and the place where it lies."""

  def episodes(mean):
    return evaluation.Evaluation('t', 't', (), mean, 0.1, (mean,), 9, 0, 1)

  summary = dataclasses.replace(
      _summary(_POLICY), evaluation=episodes(0.25), drawn=episodes(0.75)
  )
  lines = closing.report(summary, 'page.html').split('\n')
  greedy, drawn = (line for line in lines if 'episodes: 0.' in line)
  assert greedy.startswith('greedy policy') and ': 0.25' in greedy
  assert ': 0.75' in drawn
  assert any(line.endswith(str(_POLICY.with_name('collect'))) for line in lines)
