"""Charts and animations of episodes."""

import numpy as np
from PIL import Image
import pytest

from r2i_tf.pictures import animation
from r2i_tf.pictures import episodes


def _episode(steps, numbers=1, curves=('value',), cut=False):
  rng = np.random.default_rng(0)
  return episodes.Episode(
      'task, episode 1',
      rng.normal(size=steps),
      rng.integers(0, 3, (steps, numbers)),
      {name: rng.normal(size=steps) for name in curves},
      cut,
  )


def _images(count, channels=3, size=16):
  rng = np.random.default_rng(1)
  return animation.Images(
      np.arange(count),
      rng.integers(0, 256, (count, size, size, channels), np.uint8),
  )


@pytest.fixture(name='animate')
def _animate(tmp_path):
  def animate(episode, images):
    gif, still = tmp_path / 'a.gif', tmp_path / 'a.png'
    made = animation.animate(episode, images, gif, still)
    return made, Image.open(gif), Image.open(still)

  return animate


@pytest.mark.parametrize('steps,channels', [(1, 1), (9, 3)])
def test_an_animation_has_the_frames_it_says(animate, steps, channels):
  """One for each step and one for the end, of one size, and the still."""
  made, gif, still = animate(_episode(steps), _images(steps + 1, channels))
  assert (made.frames, made.every) == (steps + 1, 1)
  assert gif.n_frames == steps + 1
  assert gif.size == still.size == (made.width, made.height)
  assert made.bytes > 0 and made.colors <= 256


def test_a_long_episode_has_no_more_frames(animate):
  """Every n-th step is shown, with the first and the last."""
  steps = 3 * animation.FRAMES
  made, gif, _ = animate(_episode(steps), _images(steps + 1, size=4))
  assert gif.n_frames == made.frames <= animation.FRAMES
  assert made.every == 4 and steps // 4 + 1 == made.frames
  longest = max(
      -(-count // animation.stride(count)) + 1 for count in range(1, 2_000)
  )
  assert longest == animation.FRAMES


def test_a_file_is_no_larger_than_it_may_be(animate, monkeypatch):
  """Where images are noise, it has fewer frames."""
  whole, _, _ = animate(_episode(40), _images(41))
  monkeypatch.setattr(animation, 'BYTES', whole.bytes * 2 // 3)
  made, gif, _ = animate(_episode(40), _images(41))
  assert made.bytes <= whole.bytes * 2 // 3 and made.every == 2
  assert gif.n_frames == made.frames == 21


def test_a_frame_says_what_happens():
  """The return so far is that of the steps before it."""
  episode = episodes.Episode(
      'task', np.array([1.0, 0.5]), np.array([[2], [0]]), {}, True
  )
  assert animation._words(episode, 0) == (
      'step 0 of 2, action 2',
      'return so far 0 of 1.5',
  )
  assert animation._words(episode, 2) == (
      'step 2 of 2, cut here',
      'return so far 1.5 of 1.5',
  )
  assert episode.heading() == 'task: return 1.5 in 2 steps, cut there'


@pytest.mark.parametrize('steps,components', [(1, 0), (20, 3), (2_000, 100)])
def test_a_chart_is_drawn_of_any_size(tmp_path, steps, components):
  """Without numbers, with some, and with so many that they are a map."""
  every = max(1, steps // 500)
  times = np.unique([*range(0, steps, every), steps])
  observations = episodes.Observations(
      times,
      np.random.default_rng(0).normal(size=(len(times), components)),
      [f'o[{number}]' for number in range(components)],
  )
  path = tmp_path / 'chart.png'
  episodes.chart(_episode(steps, numbers=12), observations, path)
  width, height = Image.open(path).size
  assert width == 900 and 150 < height < 1_200
