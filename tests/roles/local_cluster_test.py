"""What a cluster does with roles that end; here they are a line of Python."""

import sys
import time

import psutil
import pytest

from r2i_tf import errors
from r2i_tf.roles import local_cluster


def _command(code):
  return [sys.executable, '-u', '-c', code]


_STAYS = _command('print("here"); import time; time.sleep(1000)')


def _children():
  return [
      child
      for child in psutil.Process().children(recursive=True)
      if 'time.sleep(1000)' in ' '.join(child.cmdline())
  ]


def test_it_is_over_when_the_learner_is_done(capsys):
  """The others are stopped; every line has its role's name."""
  others = [('learner', _command('print("done")')), ('collector 0', _STAYS)]
  assert local_cluster.run(_STAYS, others, 0) == 0
  assert not _children()
  assert 'learner | done' in capsys.readouterr().out.splitlines()


def test_a_role_that_dies_again_and_again_ends_it(capsys):
  """With a sentence that names it, and nobody left behind."""
  others = [('learner', _command('raise SystemExit(3)'))]
  with pytest.raises(
      errors.RunError, match='learner has ended 3 times.*code 3'
  ):
    local_cluster.run(_STAYS, others, 2)
  assert not _children()
  assert capsys.readouterr().out.count('started again') == 2


def test_a_mistake_of_the_user_is_not_tried_again(capsys):
  """The program has said what is wrong, and would say it again."""
  others = [('learner', _command('raise SystemExit(2)'))]
  start = time.monotonic()
  with pytest.raises(errors.RunError, match='cannot be started as it is'):
    local_cluster.run(_STAYS, others, 10)
  assert time.monotonic() - start < 20
  assert not _children()
  assert 'started again' not in capsys.readouterr().out
