"""The learner: batches and an agent, without environments and replay."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf.training import learner as learner_lib
from tests.training import learner_program as program

_ROOT = pathlib.Path(__file__).parents[2]


def test_losses_are_means_over_train_steps():
  """Of any dataset, one batch a step; asked for once they are forgotten."""
  agent = program.agent()
  learner = learner_lib.Learner(agent, program.batches([1.0, 2.0, 6.0]))
  assert learner.take_losses() == {}
  for _ in range(3):
    learner.train()
  assert learner.take_losses() == {'loss': 3.0, 'weight': 2.0}
  assert learner.take_losses() == {}
  assert learner.train_steps == agent.train_step_counter.numpy() == 3
  with pytest.raises(tf.errors.OutOfRangeError):
    learner.train()


def test_several_train_steps_a_call():
  """They are counted, and their losses averaged, as single ones are."""
  agent = program.agent()
  learner = learner_lib.Learner(
      agent, program.batches([1.0, 2.0, 3.0, 6.0, 0.0]), steps_per_call=2
  )
  learner.train()
  learner.train()
  assert learner.take_losses() == {'loss': 3.0, 'weight': 2.5}
  assert learner.train_steps == agent.train_step_counter.numpy() == 4


def test_a_train_step_is_one_call(monkeypatch):
  """Neither batch nor losses pass through Python, which would wait for them."""
  learner = learner_lib.Learner(program.agent(), program.batches([1.0] * 9))
  learner.train()
  learner.train()

  def refuse(self):
    raise AssertionError('a train step has read a tensor')

  calls = []
  function = learner._train_function
  learner._train_function = lambda: calls.append(1) or function()
  with monkeypatch.context() as patch:
    patch.setattr(type(tf.constant(0)), 'numpy', refuse)
    patch.setattr(type(tf.constant(0)), '__array__', refuse)
    learner.train()
  assert calls == [1]


def test_the_count_goes_on(tmp_path):
  """Weights, the agent's counter and the learner's are of one checkpoint."""
  first = learner_lib.Learner(program.agent(), program.batches([1.0] * 3))
  first.train()
  first.train()
  path = tf.train.Checkpoint(**first.trackables()).write(str(tmp_path / 'c'))
  agent = program.agent()
  second = learner_lib.Learner(agent, program.batches([1.0] * 3))
  tf.train.Checkpoint(**second.trackables()).read(path).assert_consumed()
  second.restore(json.loads(json.dumps(first.state())))
  second.train()
  assert second.train_steps == agent.train_step_counter.numpy() == 3
  assert agent.weight.numpy() == 3.0


def test_two_replicas_report_the_sum_of_their_shares(tmp_path):
  """Each trains on a batch of its own in one step of the learner."""
  path = os.pathsep.join([str(_ROOT), *filter(None, sys.path)])
  done = subprocess.run(
      [sys.executable, '-m', 'tests.training.learner_program', str(tmp_path)],
      cwd=_ROOT,
      env={**os.environ, 'PYTHONPATH': path, 'CUDA_VISIBLE_DEVICES': ''},
      capture_output=True,
      text=True,
      check=False,
  )
  assert done.returncode == 0, done.stderr[-3000:]
  results = json.loads((tmp_path / 'results.json').read_text())
  # Batches of (1, 2) and (3, 6): an agent's share is half of its mean.
  np.testing.assert_allclose(results['losses'], [(1.5 + 4.5) / 2, 1.5])
  assert results['train_steps'] == results['counter'] == 2
  # The same where they are fetched first, and two steps are one call.
  np.testing.assert_allclose(results['fed'], [(1.5 + 4.5) / 2, 3.5])
  assert results['first_fed'] == 1.5
