"""The first episodes of an evaluation, as pictures."""

import json

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf
from tf_agents.environments import tf_py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf.pictures import episodes as pictures
from r2i_tf.training import drawing
from r2i_tf.training import evaluation
from r2i_tf.training import export
from r2i_tf.training import run
from r2i_tf.training import watching
from tests.agents import small
from tests.training import fakes

_OPTIONS = environments.SuiteOptions()
_KEYS = {'seed', 'return', 'steps', 'kind', 'file', 'still', 'cut'}


class _Drawn(fakes.Echo):
  """The same, with images."""

  def render(self):
    return np.full([20, 30, 3], self._left, np.uint8)


class _Camera(fakes.Countdown):
  """Shows the steps left as an image."""

  def observation_spec(self):
    return {'camera': array_spec.ArraySpec([8, 8, 1], np.uint8)}

  def _observation(self):
    return {'camera': np.full([8, 8, 1], self._left, np.uint8)}


def _load_echo(task, seed, options):
  del task, options
  return fakes.Echo(seed)


@pytest.fixture(name='policy', scope='module')
def _policy(tmp_path_factory):
  """A policy of R2I, which draws latents and has thoughts."""
  directory = tmp_path_factory.mktemp('policies')
  agent = small.agent(action_spec=small.DISCRETE)
  export.export(agent, fakes.Echo(), 'mine/echo', _OPTIONS, directory)
  return directory / 'greedy'


@pytest.fixture(name='other', scope='module')
def _other(tmp_path_factory):
  """Makes policies of another agent, which has no opinion of its steps."""

  def other(environment, name):
    tf_environment = tf_py_environment.TFPyEnvironment(environment)
    agent = fakes.CountingAgent(
        tf_environment.time_step_spec(),
        tf_environment.action_spec(),
        tf.Variable(0, dtype=tf.int64),
    )
    directory = tmp_path_factory.mktemp('other')
    export.export(agent, environment, name, _OPTIONS, directory)
    return directory / 'greedy'

  return other


def _index(policy):
  return json.loads((policy / 'episodes' / 'episodes.json').read_text())


def test_pictures_change_no_score(policy):
  """Returns, bit for bit, of a policy whose every step is drawn."""
  results = [
      evaluation.evaluate(
          policy,
          6,
          seeds=(3, 4),
          parallel=2,
          pictures=count,
          load=_load_echo,
      )
      for count in (0, 3)
  ]
  assert results[0] == results[1] and len(set(results[0].returns)) > 2
  assert [e['return'] for e in _index(policy)['episodes']] == list(
      results[0].returns[:6:2]
  )


def test_the_index_says_what_there_is(policy):
  """The keys that a page reads, and a picture for each."""
  evaluation.evaluate(policy, 2, pictures=5, max_steps=2, load=_load_echo)
  index = _index(policy)
  assert index['task'] == 'mine/echo' and len(index['episodes']) == 2
  for episode in index['episodes']:
    assert _KEYS <= set(episode)
    assert (episode['kind'], episode['seed']) == ('chart', 0)
    assert episode['steps'] == 2
    for picture in (episode['file'], episode['still']):
      Image.open(policy / 'episodes' / picture).verify()
  assert not list(policy.glob('.episodes*'))


def test_images_are_animated(other):
  """Observations that are images make a GIF, a frame for each."""
  policy = other(_Camera(5), 'mine/camera')
  lines = []
  evaluation.evaluate(
      policy,
      1,
      pictures=1,
      load=lambda *_: _Camera(5),
      note=lines.append,
  )
  (episode,) = _index(policy)['episodes']
  assert (episode['kind'], episode['frames'], episode['steps']) == (
      'animation',
      6,
      5,
  )
  assert Image.open(policy / 'episodes' / episode['file']).n_frames == 6
  assert Image.open(policy / 'episodes' / episode['still']).n_frames == 1
  assert not lines


def _thoughts(policy, load, monkeypatch, count=1):
  """Returns what an evaluation has kept."""
  seen = []
  monkeypatch.setattr(drawing, 'draw', lambda *a: seen.extend(a[2]))
  evaluation.evaluate(policy, count, pictures=count, load=load)
  return seen


def test_thoughts_are_those_of_the_steps(policy, monkeypatch):
  """One value and one entropy for each step, of the whole episode."""
  monkeypatch.setattr(watching, '_TOGETHER', 3)
  for seen in _thoughts(policy, _load_echo, monkeypatch, count=3):
    steps = len(seen.rewards)
    assert {k: v.shape for k, v in seen.thoughts.items()} == {
        'value': (steps,),
        'entropy': (steps,),
    }
    assert np.all(seen.thoughts['entropy'] > 0)
    assert np.all(seen.thoughts['entropy'] <= np.log(3) + 1e-5)
    np.testing.assert_array_equal(seen.actions, seen.rewards)


def test_a_policy_without_thoughts_is_drawn_all_the_same(other, monkeypatch):
  """An export of before, or of another agent, has no such signature."""
  policy = other(fakes.Countdown(5), 'countdown/5')
  result = evaluation.evaluate(policy, 2, pictures=1, load=fakes.load)
  assert result.returns == (5.0, 5.0)
  assert [e['kind'] for e in _index(policy)['episodes']] == ['chart']
  (seen,) = _thoughts(policy, fakes.load, monkeypatch)
  assert seen.thoughts == {}


def test_a_task_that_renders_is_played_again(policy, monkeypatch):
  """Another environment of the same seed gets the same actions."""
  monkeypatch.setattr(
      environments, 'load_drawn', lambda task, seed, options: _Drawn(seed)
  )
  lines = []
  evaluation.evaluate(
      policy, 3, seeds=(7,), pictures=2, load=_load_echo, note=lines.append
  )
  for episode in _index(policy)['episodes']:
    assert episode['kind'] == 'animation'
    assert episode['frames'] == episode['steps'] + 1
  assert not lines


def _refuse(*unused_arguments):
  raise environments.MissingSuiteError('there is nothing to render with.')


@pytest.mark.parametrize(
    'load_drawn,words',
    [
        (_refuse, 'a chart in place of images of mine/echo: there is nothing'),
        (lambda *_: _Drawn(0, shift=1.0), 'mine/echo does not repeat'),
        (lambda *_: fakes.Echo(0), 'No rendering support'),
    ],
)
def test_a_failure_to_render_is_one_line(
    policy, monkeypatch, load_drawn, words
):
  """And a chart, in place of the images."""
  monkeypatch.setattr(environments, 'load_drawn', load_drawn)
  lines = []
  result = evaluation.evaluate(
      policy, 2, pictures=2, load=_load_echo, note=lines.append
  )
  assert len(result.returns) == 2
  assert [e['kind'] for e in _index(policy)['episodes']] == ['chart'] * 2
  assert len(lines) == 1 and words in lines[0]


def test_a_failure_to_draw_ends_nothing(policy, monkeypatch):
  """The result is there, and so are the pictures of before, whole."""
  evaluation.evaluate(policy, 1, pictures=1, load=_load_echo)
  before = _index(policy)

  def fail(*unused_arguments):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(pictures, 'chart', fail)
  lines = []
  result = evaluation.evaluate(
      policy, 2, pictures=2, load=_load_echo, note=lines.append
  )
  assert len(result.returns) == 2
  assert lines == ['the episodes were not drawn: No space left on device']
  assert _index(policy) == before and not list(policy.glob('.episodes*'))


def test_a_failure_to_keep_ends_nothing(policy, monkeypatch):
  """What cannot be watched is evaluated all the same."""

  def fail(*unused_arguments):
    raise ValueError('no such number')

  monkeypatch.setattr(watching, '_numbers', fail)
  lines = []
  result = evaluation.evaluate(
      policy, 2, pictures=2, load=_load_echo, note=lines.append
  )
  assert len(result.returns) == 2
  assert lines == ['an episode was not kept to draw: no such number']


def test_of_a_long_episode_not_everything_is_kept():
  """A bounded number of images, the first and the last among them."""
  watch = watching.Watch(1, None, print)

  def observation(step):
    image = np.full([4, 4, 3], step % 256, np.uint8)
    return {'camera': image, 'many': np.full([500], step, np.float32)}

  watch.begin(ts.restart(observation(0)))
  steps = 2_345
  for step in range(1, steps + 1):
    watch.step(1, ts.transition(observation(step), 1.0), (), ())
  watch.end(cut=True)
  (seen,) = watch.episodes
  for times, values, most in (
      (seen.image_steps, seen.images[:, 0, 0, 0], watching.IMAGES),
      (seen.vector_steps, seen.vectors[:, 0], watching.VECTORS),
  ):
    assert most / 3 < len(times) == len(values) <= most
    assert times[0] == 0 and times[-1] == steps
    assert np.all(np.diff(times) > 0)
    np.testing.assert_array_equal(values.astype(int) % 256, times % 256)
  assert seen.vectors.shape[1] == len(seen.names) == watching.NUMBERS
  assert seen.names[1] == 'many[1]' and seen.cut
  assert len(seen.rewards) == steps


def test_a_stack_shows_its_newest_frame():
  """In colours where the channels are threes, else in gray."""
  gray = np.arange(4, dtype=np.uint8) * np.ones([2, 2, 1], np.uint8)
  colors = np.arange(6, dtype=np.uint8) * np.ones([3, 2, 1], np.uint8)
  np.testing.assert_array_equal(watching._image(gray), gray[..., 3:])
  both = watching._image({'a': gray, 'b': colors})
  assert both.shape == (3, 4, 3)
  np.testing.assert_array_equal(both[:2, :2], np.full([2, 2, 3], 3))
  np.testing.assert_array_equal(both[:, 2:], colors[..., 3:])


def test_fewer_than_none_are_refused(policy):
  """One sentence that names the flag."""
  with pytest.raises(errors.RunError, match='--pictures is -1.*at least 0'):
    evaluation.evaluate(policy, 1, pictures=-1, load=_load_echo)


def test_a_run_draws_as_many_as_it_is_told(tmp_path):
  """`evaluation_pictures` of them, beside the greedy policy."""
  config = fakes.config(steps=40, evaluation_episodes=3, evaluation_pictures=1)
  run.train(config, str(tmp_path), fakes.parts())
  policy = tmp_path / 'policies' / 'greedy'
  assert len(_index(policy)['episodes']) == 1
