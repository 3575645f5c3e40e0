"""Evaluating what was exported."""

import json
import shutil
import subprocess
import sys

import pytest
import tensorflow as tf
from tf_agents.environments import tf_py_environment

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf.training import evaluation
from r2i_tf.training import export
from tests.training import fakes

_OPTIONS = environments.SuiteOptions()


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
  """The policies of an agent that was trained on countdown/5."""
  directory = tmp_path_factory.mktemp('policies')
  environment = fakes.load('countdown/5', 0, _OPTIONS)
  tf_environment = tf_py_environment.TFPyEnvironment(environment)
  agent = fakes.CountingAgent(
      tf_environment.time_step_spec(),
      tf_environment.action_spec(),
      tf.Variable(0, dtype=tf.int64),
  )
  export.export(agent, environment, 'countdown/5', _OPTIONS, directory)
  return directory


def _evaluate(policy, **options):
  return evaluation.evaluate(policy, load=fakes.load, **options)


@pytest.mark.parametrize('name', ['greedy', 'collect'])
def test_an_export_acts_without_its_agent(exported, name):
  """Both policies can be loaded and run from their directories alone."""
  result = _evaluate(exported / name, episodes=3)
  assert result.returns == (5.0, 5.0, 5.0)
  assert (result.mean, result.standard_error) == (5.0, 0.0)
  written = json.loads((exported / name / 'evaluation.json').read_text())
  assert written['returns'] == [5.0, 5.0, 5.0]
  assert written['task'] == written['trained_on'] == 'countdown/5'


def test_an_export_gives_actions_only(exported):
  """No distributions, whose types TensorFlow alone does not know."""
  policy = tf.saved_model.load(str(exported / 'greedy'))
  environment = fakes.load('countdown/5', 0, _OPTIONS)
  time_step = tf_py_environment.TFPyEnvironment(environment).reset()
  state = policy.get_initial_state(batch_size=1)
  assert policy.action(time_step, state).action.shape == [1]
  with pytest.raises(tf.errors.InvalidArgumentError, match='actions only'):
    policy.distribution(time_step, state)


def test_a_task_the_policy_cannot_act_in_is_refused(exported):
  """Other observations are one sentence, not a shape error from inside."""
  with pytest.raises(errors.RunError) as caught:
    _evaluate(exported / 'greedy', episodes=1, task='countdown/5/2')
  message = str(caught.value)
  assert "trained on 'countdown/5' and cannot act in" in message
  assert len(message.splitlines()) == 1


def test_a_task_with_the_same_specs_is_evaluated_under_its_own_name(exported):
  """How far a policy generalises can be measured, and is labelled so."""
  result = _evaluate(exported / 'greedy', episodes=1, task='countdown/9')
  assert (result.task, result.trained_on) == ('countdown/9', 'countdown/5')
  assert result.returns == (9.0,)


def test_an_export_replaces_the_one_before_as_a_whole(exported):
  """Nothing of an earlier export, such as its evaluation, stays."""
  _evaluate(exported / 'greedy', episodes=1)
  environment = fakes.load('countdown/5', 0, _OPTIONS)
  tf_environment = tf_py_environment.TFPyEnvironment(environment)
  agent = fakes.CountingAgent(
      tf_environment.time_step_spec(),
      tf_environment.action_spec(),
      tf.Variable(8, dtype=tf.int64),
  )
  export.export(agent, environment, 'countdown/5', _OPTIONS, exported)
  assert sorted(path.name for path in exported.iterdir()) == [
      'collect',
      'greedy',
  ]
  assert not (exported / 'greedy' / 'evaluation.json').exists()
  task = json.loads((exported / 'greedy' / 'task.json').read_text())
  assert task['train_steps'] == 8


def test_what_is_no_policy_is_refused(exported, tmp_path):
  """A wrong path, a damaged export and no episodes are one sentence each."""
  with pytest.raises(errors.RunError, match='is no policy of this project'):
    _evaluate(tmp_path, episodes=1)
  shutil.copytree(exported / 'greedy', tmp_path / 'damaged')
  (tmp_path / 'damaged' / 'saved_model.pb').unlink()
  with pytest.raises(errors.RunError, match='cannot be loaded'):
    _evaluate(tmp_path / 'damaged', episodes=1)
  with pytest.raises(errors.RunError, match='at least 1'):
    _evaluate(exported / 'greedy', episodes=0)


def test_it_needs_none_of_the_code_that_trained():
  """Neither agent nor world model is loaded, until `train` is asked for."""
  program = (
      'import sys\n'
      'from r2i_tf import training\n'
      'from r2i_tf.training import evaluation\n'
      'assert not {"r2i_tf.agents", "r2i_tf.world_model"} & set(sys.modules)\n'
      'from r2i_tf.training import run\n'
      'assert training.train is run.train\n'
  )
  subprocess.run([sys.executable, '-c', program], check=True)
