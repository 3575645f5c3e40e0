"""Tests of BSuite's boards as images."""

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import schema

_IMAGES = environments.SuiteOptions(bsuite=environments.BsuiteOptions(32))


@pytest.mark.parametrize('task', ['bsuite/catch/0', 'bsuite/deep_sea/0'])
def test_image_shows_the_board(task):
  """Nothing of the board is lost, and the image is of the wanted size."""
  board = environments.load(task, seed=3)
  rendered = environments.load(task, seed=3, options=_IMAGES)
  spec = rendered.observation_spec()
  assert (spec.shape, spec.dtype) == ((32, 32, 1), np.uint8)
  ways, seen = [board.reset(), rendered.reset()], set()
  for _ in range(25):  # Into a second episode.
    fields, image = (step.observation for step in ways)
    assert image.shape == spec.shape and image.dtype == spec.dtype
    rows, columns = fields.shape
    for row in range(rows):
      for column in range(columns):
        # The field's share of the image, pixels that it only touches left out.
        top, bottom = -(-32 * row // rows), 32 * (row + 1) // rows
        left, right = -(-32 * column // columns), 32 * (column + 1) // columns
        pixels = image[top:bottom, left:right]
        assert pixels.size and np.all(pixels == 255 * fields[row, column])
    seen.update(np.unique(image))
    ways = [board.step(1), rendered.step(1)]
    for key in ('reward', 'discount', 'step_type'):
      np.testing.assert_array_equal(*(getattr(step, key) for step in ways))
  assert seen == {0, 255}


@pytest.mark.parametrize(
    'task, words',
    [
        ('deep_sea_stochastic?sizes=3', "no argument 'sizes'"),
        ('deep_sea_stochastic?deterministic=True', "'deterministic'"),
        ('memory_len?', 'cannot be made with'),
    ],
)
def test_arguments_that_do_not_fit_are_refused(task, words):
  """In a sentence, whichever constructor of BSuite's they are for."""
  with pytest.raises(schema.ConfigError, match=words):
    environments.load(f'bsuite/{task}', 0)


def test_default_leaves_the_observation_alone():
  """The paper's BSuite has no images."""
  env = environments.load('bsuite/catch/0', 0, environments.SuiteOptions())
  assert env.observation_spec().shape == (10, 5)


@pytest.mark.parametrize(
    'task,size,words',
    [
        ('bsuite/memory_len/0', 32, r'shape \[1, 3\] and are no board'),
        ('bsuite/catch/0', 8, '10 x 5 fields'),
    ],
)
def test_observations_that_cannot_be_rendered_are_refused(task, size, words):
  """A vector is no board, and a board wants a pixel for each field."""
  with pytest.raises(schema.ConfigError, match=words):
    environments.load(task, 0, {'image_size': size})


def test_arguments_of_ones_own():
  """A memory of a length that BSuite's sweep does not have."""
  env = environments.load('bsuite/memory_len?memory_length=300', 0)
  step, length = env.reset(), 0
  while not step.is_last():
    step, length = env.step(np.array(0)), length + 1
  assert length == 301


@pytest.mark.parametrize(
    'task, words',
    [
        ('bsuite/memory_len?memory_lenght=3', 'did you mean .memory_length'),
        ('bsuite/memory_lane?memory_length=3', 'did you mean .memory_len'),
        ('bsuite/memory_len/3?memory_length=3', 'numbered 0 to 22'),
        ('bsuite/memory_len?3', '<keyword>=<value>'),
    ],
)
def test_arguments_that_are_none(task, words):
  """Each is answered with what is allowed."""
  with pytest.raises(errors.UserError, match=words):
    environments.load(task, 0)


def test_episodes_say_what_bsuite_counts():
  """Of each episode the differences; the first is not carried along."""
  env = environments.load('bsuite/catch/0', 3)
  assert env.get_info() == {}
  for _ in range(6):
    step = env.reset()
    while not step.is_last():
      step = env.step(np.array(1))
    assert env.get_info() == {'total_regret': 1 - float(step.reward)}


def test_numbers_have_names_where_they_are_known():
  """One for each number of the observation; of other tasks there are none."""
  assert environments.component_names('bsuite/memory_len/22', 3) == [
      'time left',
      'question',
      'bit',
  ]
  for task in (
      'memory_size/3',
      'umbrella_distract/4',
      'cartpole_noise/0',
      'cartpole_swingup/0',
      'mountain_car/0',
      'memory_len?memory_length=300',
  ):
    size = environments.load(f'bsuite/{task}', 0).observation_spec().shape[1]
    names = environments.component_names(f'bsuite/{task}', size)
    assert len(set(names)) == size
  for task in ('bsuite/catch/0', 'dmc/walker/walk', 'mine/own'):
    assert environments.component_names(task, 50) is None
