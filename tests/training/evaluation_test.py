"""Evaluating what was exported."""

import json
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import tf_py_environment

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf.training import evaluation
from r2i_tf.training import export
from r2i_tf.training import run
from tests.agents import small
from tests.training import fakes

_ROOT = pathlib.Path(__file__).parents[2]
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


def test_the_page_on_policies_acts(exported):
  """Its program for TensorFlow alone, word for word but for the directory."""
  text = (_ROOT / 'docs' / 'policies.md').read_text(encoding='utf-8')
  program = re.findall(r'^```python\n(.*?)^```', text, re.M | re.S)[0]
  directory = 'runs/first/policies/greedy'
  assert directory in program
  names = {}
  exec(program.replace(directory, str(exported / 'greedy')), names)
  for is_first in (True, False):
    assert names['step'](np.zeros([1], np.float32), is_first) in (0, 1)


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
  """A wrong path and a damaged export are one sentence each."""
  with pytest.raises(errors.RunError, match='is no policy of this project'):
    _evaluate(tmp_path, episodes=1)
  shutil.copytree(exported / 'greedy', tmp_path / 'damaged')
  (tmp_path / 'damaged' / 'saved_model.pb').unlink()
  with pytest.raises(errors.RunError, match='cannot be loaded'):
    _evaluate(tmp_path / 'damaged', episodes=1)


def test_an_episode_without_an_end_is_cut(exported):
  """Its return is what it had until then; one that ends in time is whole."""
  result = _evaluate(
      exported / 'greedy', episodes=3, task='countdown/1000000', max_steps=7
  )
  assert result.returns == (7.0, 7.0, 7.0)
  assert (result.cut, result.max_steps) == (3, 7)
  written = json.loads((exported / 'greedy' / 'evaluation.json').read_text())
  assert (written['cut'], written['max_steps']) == (3, 7)
  result = _evaluate(exported / 'greedy', episodes=3, max_steps=5)
  assert (result.returns, result.cut) == ((5.0, 5.0, 5.0), 0)


def test_a_run_whose_environment_has_no_end_ends(tmp_path):
  """Its evaluation takes `evaluation_steps` an episode."""
  config = fakes.config(
      task='countdown/1000000',
      steps=40,
      evaluation_episodes=2,
      evaluation_steps=30,
  )
  summary = run.train(config, str(tmp_path), fakes.parts())
  assert summary.evaluation.returns == (30.0, 30.0)
  assert summary.evaluation.cut == 2


def test_seeds_have_scores_of_their_own_and_a_pooled_one(exported):
  """The mean of each seed, and mean and error over the episodes of all."""

  def load(task, seed, options):
    del task, options
    return fakes.Countdown(1 + seed)

  result = evaluation.evaluate(exported / 'greedy', 2, seeds=(0, 4), load=load)
  assert result.seeds == (
      evaluation.Score(0, 1.0, 0.0),
      evaluation.Score(4, 5.0, 0.0),
  )
  assert result.returns == (1.0, 1.0, 5.0, 5.0) and result.mean == 3.0
  assert result.standard_error == pytest.approx(np.std([1, 5]) / np.sqrt(3))


@pytest.mark.parametrize(
    'options,words',
    [
        ({'episodes': 0}, '--episodes is 0.*at least 1'),
        ({'max_steps': 0}, '--max_steps is 0.*at least 1'),
        ({'parallel': -1}, '--parallel is -1.*at least 1'),
        ({'seeds': (0, 2**31)}, '--seeds has 2147483648.*2\\*\\*31'),
        ({'seeds': (1, 2, 1)}, "--seeds is '1,2,1'.*none twice"),
        ({'seeds': ()}, "--seeds is ''.*at least one seed"),
    ],
)
def test_numbers_that_cannot_be_meant(exported, options, words):
  """One sentence that names the flag."""
  with pytest.raises(errors.RunError, match=words):
    _evaluate(exported / 'greedy', **{'episodes': 1, **options})


def test_together_is_as_one_after_the_other(tmp_path):
  """A batch changes no episode: neither its length nor any of its actions."""
  made = []

  def load(task, seed, options):
    del task, options
    made.append(fakes.Echo(seed))
    return made[-1]

  agent = small.agent(action_spec=small.DISCRETE)
  environment = fakes.Echo(0)
  export.export(agent, environment, 'echo', _OPTIONS, tmp_path, True)
  together = evaluation.evaluate(
      tmp_path / 'greedy', 6, seeds=(5,), parallel=2, load=load
  )
  alone = evaluation.evaluate(
      tmp_path / 'greedy', 3, seeds=evaluation._member_seeds(5, 2), load=load
  )
  assert together.parallel == 2 and len(set(together.returns)) > 2
  assert together.returns[0::2] + together.returns[1::2] == alone.returns
  assert all(environment.is_closed for environment in made)


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
