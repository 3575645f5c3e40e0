"""Tests of the DeepMind Control Suite."""

from concurrent import futures
import contextlib
import subprocess
import sys

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf import schema
from r2i_tf.agents import spec_checks
from r2i_tf.environments import rendering
from r2i_tf.environments.suites import registry as suites
from tests.environments.images import apart
from tests.environments.images import needs_images

pytest.importorskip('dm_control')
rendering.load_mujoco()
suite = pytest.importorskip('dm_control.suite')


def actions(env, count, seed=0):
  spec = env.action_spec()
  random = np.random.default_rng(seed)
  return random.uniform(-1, 1, [count, *spec.shape]).astype(spec.dtype)


def test_every_task_of_the_benchmark_steps():
  """All 28 tasks have vectors within their specs and actions in [-1, 1]."""
  assert len(suite.BENCHMARKING) == 28
  for domain, task in suite.BENCHMARKING:
    env = environments.load(f'dmc/{domain}/{task}', seed=1)
    spec_checks.check_specs(env.time_step_spec(), env.action_spec())
    spec = env.action_spec()
    assert np.all(spec.minimum == -1) and np.all(spec.maximum == 1)
    env.reset()
    for action in actions(env, 3):
      time_step = env.step(action)
      assert time_step.discount == 1.0
      assert 0.0 <= time_step.reward <= 2.0  # Each of two steps gives up to 1.


def test_step_is_two_control_steps():
  """An action is held; rewards add up; the seed is the suite's own."""
  env = suites.make('dmc/cheetah/run', 5)
  raw = suite.load('cheetah', 'run', task_kwargs={'random': 5})
  first, expected = env.reset(), raw.reset()
  np.testing.assert_array_equal(
      first.observation['position'], expected.observation['position']
  )
  for action in actions(env, 20):
    time_step = env.step(action)
    reward = raw.step(action).reward
    expected = raw.step(action)
    reward += expected.reward
    assert time_step.reward == pytest.approx(reward, abs=1e-9)
    np.testing.assert_allclose(
        time_step.observation['velocity'], expected.observation['velocity']
    )


def test_time_limit_is_no_termination():
  """1,000 control steps are 500 steps, and the last has discount 1."""
  env = suites.make('dmc/pendulum/swingup', 0)
  env.reset()
  for index, action in enumerate(actions(env, 500)):
    time_step = env.step(action)
    assert time_step.last() == (index == 499)
  assert time_step.discount == 1.0
  assert env.step(action).first()


def test_termination_is_passed_on(monkeypatch):
  """Where a task ends by itself, the discount is 0."""
  env = suites.make('dmc/pendulum/swingup', 0)
  env.reset()
  monkeypatch.setattr(env.task, 'get_termination', lambda physics: 0.0)
  time_step = env.step(np.zeros(1))
  assert time_step.last() and time_step.discount == 0.0


def test_bounds_other_than_one_are_scaled():
  """The quadruped's joints go from -1 to 1.1 and more; its actions do not."""
  env = suites.make('dmc/quadruped/walk', 0)
  env.reset()
  env.step(np.ones(12))
  raw = suite.load('quadruped', 'walk').action_spec()
  assert np.any(raw.maximum != 1)
  np.testing.assert_allclose(env.physics.control(), raw.maximum)


@needs_images
def test_any_thread_may_take_a_step_that_renders():
  """TensorFlow steps an environment from threads of its own."""
  env = environments.load(
      'dmc/cartpole/balance', 0, {'observations': 'vision', 'image_size': 8}
  )
  env.reset()
  with futures.ThreadPoolExecutor(1) as other:
    time_step = other.submit(env.step, np.zeros([1], np.float32)).result()
  assert time_step.observation['pixels'].shape == (8, 8, 3)
  env.close()


@needs_images
@pytest.mark.parametrize('end', ['', 'env.close()', 'del env'])
def test_a_program_ends_in_silence(end):
  """Whether it closes a renderer or not: EGL minds the thread that frees."""
  ended = subprocess.run(
      [
          sys.executable,
          '-c',
          'from r2i_tf.environments.suites import registry as suites\n'
          "env = suites.make('dmc/cartpole/balance', 0,"
          " {'observations': 'vision', 'image_size': 8})\n"
          f'env.reset()\n{end}',
      ],
      capture_output=True,
      text=True,
  )
  assert ended.returncode == 0, ended.stderr
  assert 'Exception' not in ended.stderr, ended.stderr


@needs_images
def test_vision_sees_the_camera_and_nothing_else():
  """The observation is one image, of the last of the two steps."""
  options = {'observations': 'vision'}
  env = environments.load('dmc/walker/walk', 0, options)
  spec_checks.check_specs(env.time_step_spec(), env.action_spec())
  taken = actions(env, 3)
  env.reset()
  for action in taken:
    time_step = env.step(action)
  assert list(time_step.observation) == ['pixels']
  image = time_step.observation['pixels']
  assert (image.shape, image.dtype) == ((64, 64, 3), np.uint8)
  assert image.std() > 10

  def rendered(taken):
    env = suites.make('dmc/walker/walk', 0, options)
    env.reset()
    for action in taken:
      env.step(action)
    return env.physics.render(64, 64, camera_id=0)

  np.testing.assert_array_equal(image, apart(rendered, taken))


@needs_images
def test_camera_that_a_task_lacks_is_named():
  """The sentence says how many there are."""
  options = {'observations': 'vision', 'camera': 2}
  with pytest.raises(schema.ConfigError, match='are numbered 0 to 1'):
    environments.load('dmc/walker/walk', 0, options)


@needs_images
@pytest.mark.parametrize(
    'task,given,used',
    [('quadruped/walk', None, 2), ('walker/walk', 1, 1)],
)
def test_camera_follows_the_domain_or_the_option(task, given, used):
  """The quadruped runs out of the sight of its first camera."""

  def seen_and_rendered():
    options = {'observations': 'vision', 'camera': given, 'image_size': 32}
    env = suites.make(f'dmc/{task}', 0, options)
    image = env.reset().observation['pixels']
    return image, env.physics.render(32, 32, camera_id=used)

  image, expected = apart(seen_and_rendered)
  assert image.shape == (32, 32, 3)
  np.testing.assert_array_equal(image, expected)


@needs_images
def test_vectors_can_be_looked_at():
  """An image of the same episode, whose steps are as without."""
  task = 'dmc/cartpole/balance'
  plain = environments.load(task, 4)
  drawn = environments.load_drawn(task, 4)
  with contextlib.closing(drawn):
    ways, images = [plain.reset(), drawn.reset()], []
    for action in actions(plain, 8):
      for key, value in ways[0].observation.items():
        np.testing.assert_array_equal(value, ways[1].observation[key])
      images.append(drawn.render())
      ways = [plain.step(action), drawn.step(action)]
      assert ways[0].reward == np.float32(ways[1].reward)
  assert images[0].shape == (192, 256, 3) and images[0].dtype == np.uint8
  assert np.any(images[0] != images[-1])


def test_without_a_renderer_one_is_told(monkeypatch):
  """One sentence, and no process that stays."""
  monkeypatch.setenv('MUJOCO_GL', 'off')
  with pytest.raises(environments.MissingSuiteError, match='^a picture of dmc'):
    environments.load_drawn('dmc/cartpole/balance', 0)
