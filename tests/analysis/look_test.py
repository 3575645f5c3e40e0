"""A look into a run, from its directory to the files."""

import dataclasses
import itertools
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf import training
from r2i_tf.analysis import episodes
from r2i_tf.analysis import look
from r2i_tf.analysis import opened
from r2i_tf.analysis import sensitivity
from r2i_tf.analysis import states
from r2i_tf.environments import dm_env_adapter
from r2i_tf.training import workdir as workdir_lib
from tests.training import fakes

_KINDS = (run_config.ReplayKind.MEMORY, run_config.ReplayKind.DISK)


def _config(kind):
  config = fakes.r2i_config()
  return dataclasses.replace(
      config,
      steps=140,
      prefill=1_000,  # No train step, so nothing is compiled.
      replay=dataclasses.replace(config.replay, kind=kind),
  )


def _files(directory):
  return {
      path: (path.stat().st_mtime_ns, path.read_bytes())
      for path in directory.rglob('*')
      if path.is_file()
  }


def _values(agent):
  return [variable.numpy() for variable in agent.variables]


@pytest.fixture(scope='module', params=_KINDS, ids=lambda kind: kind.value)
def run(request, tmp_path_factory):
  """A run that is over: its directory, its agent, and that at its start."""
  agents, at_start = [], []

  def build(*arguments):
    agents.append(training.R2I_PARTS.build_agent(*arguments))
    moduli = agents[-1].world_model.moduli()
    at_start.append([layer.numpy() for layer in moduli])
    for variable in agents[-1].trainable_variables:
      variable.assign_sub(0.1 * tf.ones_like(variable))  # It has learned.
    return agents[-1]

  workdir = tmp_path_factory.mktemp('run')
  parts = dataclasses.replace(training.R2I_PARTS, build_agent=build)
  training.train(_config(request.param), str(workdir), parts)
  return workdir, agents[0], at_start[0]


def test_the_opened_agent_is_the_one_that_was_saved(run):
  """All of its variables; the counts are those of the run's end."""
  workdir, agent, at_start = run
  found = opened.open_run(str(workdir))
  assert (found.environment_steps, found.train_steps) == (140, 0)
  for one, other in zip(_values(found.agent), _values(agent)):
    np.testing.assert_array_equal(one, other)
  for one, other in zip(found.moduli_at_start, at_start):
    np.testing.assert_array_equal(one, other)
  now = found.agent.world_model.moduli()[0].numpy()
  assert np.any(now != found.moduli_at_start[0])


def test_episodes_of_the_replay_are_whole_and_different(run):
  """From a first step to a last one, and none comes twice."""
  found = opened.open_run(str(run[0]))
  drawn = episodes.of_replay(found, 1000, seed=0)
  steps = drawn.trajectory.step_type
  assert len(steps) > 10 and np.all(steps[:, 0] == 0)
  assert np.all(steps[np.arange(len(steps)), drawn.lengths - 1] == 2)
  # 140 transitions of two streams, three in each episode.
  assert len(steps) == 2 * (70 // 3)
  few = episodes.of_replay(found, 3, seed=1)
  assert len(few.lengths) == 3


def test_a_look_writes_its_files_and_touches_no_other(run):
  """Each JSON names its picture, and all are in `look`."""
  workdir, _, _ = run
  before = _files(workdir)
  lines = []
  directory = look.look(str(workdir), episodes=30, note=lines.append)
  assert directory == workdir / 'look'
  after = _files(workdir)
  assert {path: after[path] for path in before} == before
  new = {path.relative_to(workdir) for path in after} - {
      path.relative_to(workdir) for path in before
  }
  assert {path.parts[0] for path in new} == {'look'}
  found = {
      part: json.loads((directory / f'{part.value}.json').read_text())
      for part in look.Part
  }
  for part, values in found.items():
    assert values['environment_steps'] == 140
    if part is look.Part.REWARDS:
      continue  # Numbers alone.
    pictures = values.get('pictures') or [{'png': values['picture']}]
    for picture in pictures:
      assert (directory / picture['png']).stat().st_size > 1000, part
  (layer,) = found[look.Part.TIMESCALES]['layers']
  assert len(layer['at_start']) == len(layer['now']) == 4
  assert found[look.Part.SENSITIVITY]['lags'][0] == 0
  names = [each['name'] for each in found[look.Part.REWARDS]['sets']]
  assert names == ['of the replay', 'of the replay, their ends', 'new']
  probes = found[look.Part.PROBES]
  assert not probes['held_out'] and probes['episodes'] == 30
  first = probes['targets'][-1]
  assert (first['name'], first['chance']) == ('first observation[2]', 0.5)
  # The policy sees z, which is made of the observation of the step.
  assert set(first['curves']) == {'x', 'h', 'z', 'policy', 'present'}
  assert first['curves']['present'][0] == 1.0
  assert all(line.count('\n') == 0 for line in lines)


def test_too_few_episodes_to_probe_are_said_before_they_are_acted(run):
  """And what is written says it, too, with how many it takes."""
  workdir, *_ = run
  lines = []
  directory = look.look(
      str(workdir),
      [look.Part.PROBES],
      look.Source.NEW,
      episodes=2,
      note=lines.append,
      max_steps=3,
  )
  assert lines[0] == (
      'no probes: 2 episodes are too few; 25 are the fewest that a probe can be'
      ' fitted to and scored on'
  )
  written = json.loads((directory / 'probes.json').read_text())
  assert written['episodes'] == 2 and not written['targets']
  assert '25 are the fewest' in written['left_out']['probes']


def test_new_episodes_are_cut_and_told_of(run, monkeypatch):
  """After so many steps; a line now and then says how far it is."""
  workdir, *_ = run
  monkeypatch.setattr(episodes, '_QUIET_SECONDS', 0.0)
  lines = []
  found = opened.open_run(str(workdir))
  acted = episodes.new(found, 3, 0, max_steps=3, note=lines.append)
  assert acted.lengths.tolist() == [3, 3, 3]
  assert lines and 'of 3 episodes acted, ' in lines[0]


def test_new_episodes_take_no_more_memory_than_they_may(run, monkeypatch):
  """Those that fit; if none is over by then, one that is cut."""
  found = opened.open_run(str(run[0]))
  one = episodes.new(found, 1, 0, max_steps=3).trajectory
  size = sum(x.nbytes for x in tf.nest.flatten(one))
  monkeypatch.setattr(episodes, '_BYTES', 70 * size)
  acted = episodes.new(found, 100, 0, max_steps=3)
  # So many are acted at once; the next ones do not get to their ends.
  assert len(acted.lengths) == 64 and set(acted.lengths) == {3}
  monkeypatch.setattr(episodes, '_BYTES', 1)
  assert episodes.new(found, 20, 0, max_steps=3).lengths.tolist() == [1]


def test_states_that_take_too_much_memory_are_said(run, monkeypatch):
  """What is written counts those episodes whose states were looked at."""
  workdir, *_ = run
  monkeypatch.setattr(states, '_NUMBERS', 1_500)
  lines = []
  directory = look.look(str(workdir), [look.Part.PROBES], note=lines.append)
  written = json.loads((directory / 'probes.json').read_text())
  assert 0 < written['episodes'] < 25
  assert 'take too much memory' in written['left_out']['probes']
  assert any('take too much memory' in line for line in lines)


def test_what_depends_on_nothing_has_no_picture(run, monkeypatch, tmp_path):
  """Before the first train step, a reward head predicts zero."""
  found = sensitivity.Sensitivity(np.arange(4), np.zeros(4), np.zeros(4), 3)
  monkeypatch.setattr(sensitivity, 'of_rewards', lambda *_: found)
  directory = look.look(str(run[0]), [look.Part.SENSITIVITY], episodes=8)
  written = json.loads((directory / 'sensitivity.json').read_text())
  assert written['gradient'] == [0, 0, 0, 0] and not written.get('picture')


def test_what_environments_say_of_each_step_is_a_truth(run, monkeypatch):
  """What they say only at times is none."""
  clock = itertools.count()

  def truths(_):
    now = next(clock)
    seldom = {'info/seldom': np.array(1.0)} if now % 3 == 0 else {}
    return {'info/clock': np.array([now, -now]), **seldom}

  monkeypatch.setattr(dm_env_adapter.DmEnvAdapter, 'truths', truths)
  workdir, *_ = run
  acted = episodes.new(opened.open_run(str(workdir)), 1, 0)
  (length,) = acted.lengths
  assert list(acted.truths) == ['info/clock']
  np.testing.assert_array_equal(
      acted.truths['info/clock'][0, :, 0], np.arange(length)
  )


def test_new_episodes_are_none_of_the_replay(run):
  """They are acted, as many as asked for, and are whole."""
  found = opened.open_run(str(run[0]))
  acted = episodes.new(found, 5, seed=0)
  assert acted.is_new and len(acted.lengths) == 5
  steps = acted.trajectory.step_type
  assert np.all(steps[:, 0] == 0)
  assert np.all(steps[np.arange(5), acted.lengths - 1] == 2)
  again = episodes.new(found, 5, seed=0)
  np.testing.assert_array_equal(
      acted.trajectory.observation, again.trajectory.observation
  )


def test_a_task_of_one_s_own_has_its_replay_looked_at(tmp_path):
  """Nobody here can make its environment anew, so there are no new episodes."""
  config = dataclasses.replace(
      _config(run_config.ReplayKind.MEMORY), task='mine'
  )
  named = fakes.r2i_config().task
  own = training.R2I_PARTS
  parts = dataclasses.replace(
      own,
      load=lambda _, *rest: own.load(named, *rest),
      load_batch=lambda _, *rest: own.load_batch(named, *rest),
  )
  training.train(config, str(tmp_path), parts)
  directory = look.look(
      str(tmp_path), [look.Part.REWARDS], episodes=8, parts=parts
  )
  found = json.loads((directory / 'rewards.json').read_text())
  names = [each['name'] for each in found['sets']]
  assert names == ['of the replay', 'of the replay, their ends']


def test_a_directory_without_a_run_is_one_sentence(tmp_path):
  """Also that of a run that has written no checkpoint yet."""
  with pytest.raises(errors.RunError, match='no run in .*config.json'):
    look.look(str(tmp_path / 'nothing'))
  config = _config(run_config.ReplayKind.MEMORY)
  workdir_lib.Workdir(str(tmp_path / 'young')).create(config)
  with pytest.raises(errors.RunError, match='no checkpoint yet.*300 seconds'):
    look.look(str(tmp_path / 'young'))
  assert [path.name for path in pathlib.Path(tmp_path).rglob('*')] == [
      'young',
      'config.json',
  ]


def test_a_replay_in_a_server_is_one_sentence(run):
  """It is not restored, and new episodes are there all the same."""
  found = dataclasses.replace(opened.open_run(str(run[0])), replay=None)
  with pytest.raises(errors.RunError, match='in a server.*--source=new'):
    episodes.of_replay(found, 1, seed=0)
  assert len(episodes.new(found, 1, seed=0).lengths) == 1
