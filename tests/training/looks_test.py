"""Looks at a run: what they write, and that they never end it."""

import dataclasses
import json

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.trajectories import time_step as ts

from r2i_tf import locks
from r2i_tf import schema
from r2i_tf.agents import r2i_agent
from r2i_tf.pictures import open_loop
from r2i_tf.training import looks
from r2i_tf.training import parts as parts_lib
from r2i_tf.training import reporting
from r2i_tf.training import run
from r2i_tf.training import sequences
from tests.agents import small
from tests.training import fakes

_SPEC = {
    'camera/left': tf.TensorSpec([8, 8, 3], tf.uint8),
    'speed': tf.TensorSpec([2]),
}


@pytest.fixture(name='agent', scope='module')
def _agent():
  return small.agent(_SPEC)


def _batch(seed=1):
  return small.trajectories(_SPEC, seed=seed, batch=3, length=12)


def test_a_vector_without_numbers_is_not_drawn(tmp_path):
  """Some environments have an empty one beside their image."""
  spec = {**_SPEC, 'speed': tf.TensorSpec([0])}
  batch = small.trajectories(spec, seed=1, batch=3, length=12)
  written = looks.look_at(small.agent(spec), [batch], tmp_path, 0, 0, True)
  kinds = [picture['kind'] for picture in written['pictures']]
  assert kinds == ['image', 'outlook']


def test_a_look_names_its_pictures_and_its_errors(agent, tmp_path):
  """Everything that it promises, by paths relative to its own."""
  batches = [_batch(1), _batch(2)]
  look = looks.look_at(agent, batches, tmp_path / 'look', 90, 7, True)
  written = json.loads((tmp_path / 'look' / 'open_loop.json').read_text())
  assert written == look
  assert (written['environment_steps'], written['train_steps']) == (90, 7)
  assert written['held_out'] is True and written['sequences'] == 6
  assert written['shown'] == 1  # Of episodes of four steps.
  kinds = [picture['kind'] for picture in written['pictures']]
  assert kinds == ['image', 'vector', 'outlook']
  for picture in written['pictures']:
    for name in filter(None, (picture['png'], picture['gif'])):
      with Image.open(tmp_path / 'look' / name) as image:
        image.verify()
  assert [bool(picture['gif']) for picture in written['pictures']] == [
      True,
      False,
      False,
  ]
  assert written['horizons'] == [1, 5]
  for name in ('model', 'last', 'mean'):
    one, five = written['errors'][name]
    assert one > 0 and five is None  # No episode goes on for so long.


def test_errors_are_means_over_all_starts_of_all_batches(agent, tmp_path):
  """A batch in which more of them count weighs more."""
  batches = [_batch(1), _batch(2)]
  found = [agent.forecast(batch).errors for batch in batches]
  count = np.array([errors.count[0] for errors in found])
  each = np.array([errors.model[0] for errors in found])
  look = looks.look_at(agent, batches, tmp_path, 0, 0, False)
  np.testing.assert_allclose(
      look['errors']['model'][0], np.average(each, weights=count), rtol=1e-6
  )


def test_truth_and_prediction_are_of_the_same_steps(
    agent, tmp_path, monkeypatch
):
  """Of the longest stretch within an episode, each sequence once."""
  batch = _batch()
  types = np.full([3, 12], ts.StepType.MID, np.int32)
  types[:, 0] = types[0, 3] = types[1, 6] = ts.StepType.FIRST
  types[0, 2] = types[1, 5] = ts.StepType.LAST
  batch = batch._replace(step_type=tf.constant(types))
  # The third sequence is the first again.
  twice = tf.nest.map_structure(lambda x: tf.gather(x, [0, 1, 0]), batch)
  drawn = {}
  monkeypatch.setattr(
      open_loop,
      'draw_images',
      lambda truth, prediction, shown, *_: drawn.update(
          truth=truth, prediction=prediction, shown=shown
      ),
  )
  looks.look_at(agent, [twice], tmp_path, 0, 0, False)
  camera = np.asarray(batch.observation['camera/left'])
  # Nine steps of the first sequence, six of the second: six of both.
  assert drawn['shown'] == 2
  np.testing.assert_array_equal(
      drawn['truth'], [camera[0, 3:9], camera[1, 0:6]]
  )
  foreseen = agent.foresee(twice, [3, 0, 3], 2, 6)
  np.testing.assert_array_equal(
      drawn['prediction'],
      np.asarray(foreseen.observation['camera/left'])[:2],
  )


class _Writer:

  def __init__(self):
    self.shown = {}

  def show(self, step, pictures):
    self.shown[step] = pictures


def _reporting(
    agent, directory, writer, lines, prepare=lambda: None, seconds=1e6
):
  return reporting.Reporting(
      agent,
      lambda: sequences.Drawn(_batch(), True),
      directory,
      writer,
      prepare,
      lines.append,
      seconds,
      0,
  )


def test_a_look_is_taken_when_it_is_time(agent, tmp_path, monkeypatch):
  """By the clock, and not twice of one agent."""
  writer, lines, now = _Writer(), [], [100.0]
  monkeypatch.setattr(reporting.time, 'monotonic', lambda: now[0])
  report = _reporting(agent, tmp_path, writer, lines)
  now[0] += 1e6 - 1
  report.look_if_due(10, 1)
  assert not writer.shown
  now[0] += 1
  report.look_if_due(20, 2)
  assert list(writer.shown) == [20] and not lines
  assert list(writer.shown[20]) == [
      'look/camera/left',
      'look/vectors',
      'look/reward, continuation and value',
  ]
  report.look_if_due(30, 3)
  report.look(40, 2)
  assert list(writer.shown) == [20]
  report.look(50, 3)
  assert list(writer.shown) == [20, 50]


def test_a_look_that_fails_is_one_line(agent, tmp_path, monkeypatch):
  """Said once for as long as it fails so; the next one is tried."""
  writer, lines = _Writer(), []
  report = _reporting(agent, tmp_path, writer, lines)

  def full(*_):
    raise OSError(28, 'No space left on device')

  with monkeypatch.context() as patched:
    patched.setattr(open_loop, 'draw_vectors', full)
    report.look(10, 1)
    report.look(20, 2)
  assert lines == [
      'the run goes on, but a look at it failed (OSError: No space left on'
      ' device)'
  ]
  report.look(30, 3)
  assert list(writer.shown) == [30] and len(lines) == 1


def test_without_looks_there_are_none(agent, tmp_path):
  """Neither when it would be time, nor at the end."""
  writer = _Writer()
  report = _reporting(agent, tmp_path / 'look', writer, [], seconds=None)
  report.look_if_due(10, 1)
  report.look(20, 2)
  assert not writer.shown and not (tmp_path / 'look').exists()


def test_a_directory_of_another_run_is_not_written(agent, tmp_path):
  """That alone ends the run."""

  def lost():
    raise locks.LockedError('it is that of another run')

  report = _reporting(agent, tmp_path / 'look', _Writer(), [], lost)
  with pytest.raises(locks.LockedError):
    report.look(10, 1)
  assert not (tmp_path / 'look').exists()


class _Untrained(r2i_agent.R2IAgent):
  """Learns nothing, so that nothing is compiled."""

  def _train(self, experience, weights=None):
    self.train_step_counter.assign_add(1)
    return tf_agent.LossInfo(tf.reduce_mean(experience.reward), {})


def _run(path, **changes):
  """Conducts a short run of episodes of one step."""
  config = schema.replace(fakes.r2i_config(), {'steps': 160, **changes})

  def build_agent(time_step_spec, action_spec, config, train_step):
    return _Untrained(time_step_spec, action_spec, config.agent, 0, train_step)

  parts = dataclasses.replace(parts_lib.R2I_PARTS, build_agent=build_agent)
  run.train(config, str(path), parts)
  return path


def test_a_run_looks_at_its_end(tmp_path):
  """In files and in TensorBoard, held out where there is something."""
  path = _run(tmp_path)
  look = json.loads((path / 'look' / 'open_loop.json').read_text())
  assert look['environment_steps'] == 160 and look['held_out'] is True
  tags = set()
  for file in (path / 'tensorboard').glob('events*'):
    for event in tf.compat.v1.train.summary_iterator(str(file)):
      for value in event.summary.value:
        if value.metadata.plugin_data.plugin_name == 'images':
          tags.add(value.tag)
          encoded = tf.make_ndarray(value.tensor)
          assert encoded[2].startswith(b'\x89PNG')
  assert tags == {f'look/{picture["title"]}' for picture in look['pictures']}


def test_a_run_goes_on_where_looks_fail(tmp_path, monkeypatch, capsys):
  """It ends as any other."""

  def strange(*_):
    raise ValueError('a strange observation')

  monkeypatch.setattr(open_loop, 'draw_outlook', strange)
  _run(tmp_path)
  assert (tmp_path / 'outcome.json').exists()
  assert not (tmp_path / 'look' / 'open_loop.json').exists()
  lines = [x for x in capsys.readouterr().err.splitlines() if 'strange' in x]
  assert len(lines) == 1
