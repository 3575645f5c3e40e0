"""Tests of spaces of Gymnasium as arrays."""

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf import specs

spaces = pytest.importorskip('gymnasium.spaces')
act = pytest.importorskip('r2i_tf.environments.action_spaces')
observe = pytest.importorskip('r2i_tf.environments.observation_spaces')

DEFAULTS = environments.GymnasiumOptions()
IMAGE = spaces.Box(0, 255, (96, 80, 3), np.uint8)


@pytest.mark.parametrize(
    'space,element,expected',
    [
        (spaces.Discrete(3), 2, [0, 0, 1]),
        (spaces.Discrete(3, start=-1), -1, [1, 0, 0]),
        (spaces.MultiDiscrete([2, 3]), [1, 0], [0, 1, 1, 0, 0]),
        (spaces.MultiBinary(3), [1, 0, 1], [1, 0, 1]),
        (
            spaces.Tuple([spaces.Discrete(2), spaces.Box(-9, 9, (2,))]),
            (1, np.array([0.5, -3.0], np.float32)),
            [0, 1, 0.5, -3.0],
        ),
        (spaces.Box(-9, 9, (2, 2)), np.eye(2), [1, 0, 0, 1]),
        (spaces.Box(0, 9, (2,), np.int16), [3, 4], [3, 4]),
    ],
)
def test_vectors(space, element, expected):
  """Each space becomes the vector that the table of `spaces` says."""
  spec, convert = observe.observation(space, DEFAULTS)
  if isinstance(element, list):
    element = np.array(element, space.dtype)
  array = convert(element)
  np.testing.assert_array_equal(array, np.array(expected, np.float32))
  assert (array.shape, array.dtype) == (spec.shape, spec.dtype)


def test_discrete_parts_take_a_byte():
  """A replay of ten million steps holds them; floats stay floats."""
  assert observe.observation(spaces.Discrete(3), DEFAULTS)[0].dtype == np.uint8
  box = spaces.Box(-9, 9, (2,), np.float64)
  assert observe.observation(box, DEFAULTS)[0].dtype == np.float32


def test_dict_keeps_its_parts_and_images_are_resized():
  """Parts go to the encoder by name; an image keeps its channels."""
  space = spaces.Dict(
      camera=IMAGE,
      depth=spaces.Box(0, 255, (64, 64, 1), np.uint8),
      stack=spaces.Box(0, 255, (32, 32, 4), np.uint8),
      inner=spaces.Dict(state=spaces.Discrete(4)),
  )
  spec, convert = observe.observation(space, DEFAULTS)
  element = space.sample()
  element['camera'][:] = [10, 20, 30]
  found = convert(element)
  assert spec['camera'].shape == found['camera'].shape == (64, 64, 3)
  assert np.all(found['camera'] == [10, 20, 30])
  np.testing.assert_array_equal(found['depth'], element['depth'])
  assert spec['stack'].shape == found['stack'].shape == (64, 64, 4)
  np.testing.assert_array_equal(found['stack'][::2, ::2], element['stack'])
  assert found['inner']['state'].sum() == 1


def test_tuple_with_an_image_stays_a_tuple():
  """Parts that cannot stand in one vector are kept apart."""
  space = spaces.Tuple([IMAGE, spaces.Discrete(2)])
  (image, vector), convert = observe.observation(space, DEFAULTS)
  assert (image.shape, vector.shape) == ((64, 64, 3), (2,))
  assert [x.shape for x in convert(space.sample())] == [(64, 64, 3), (2,)]


@pytest.mark.parametrize(
    'space,joined,action,expected',
    [
        (spaces.Discrete(3, start=2), False, 4, 4),
        (spaces.MultiDiscrete([2, 3]), False, [1, 2], [1, 2]),
        (spaces.MultiDiscrete([2, 3]), True, 5, [1, 2]),
        (spaces.MultiDiscrete([2, 3], start=[1, 4]), True, 1, [1, 5]),
        (spaces.MultiBinary(2), False, [0, 1], [0, 1]),
        (spaces.Box(-2, 2, (1,)), False, [1.5], [1.5]),
    ],
)
def test_actions(space, joined, action, expected):
  """An action lies in its spec, and becomes the element that it stands for."""
  spec, convert = act.action(space, joined)
  spec.validate(np.asarray(action, spec.dtype))
  taken = convert(np.asarray(action, spec.dtype))
  assert space.contains(taken)
  np.testing.assert_array_equal(taken, expected)


@pytest.mark.parametrize(
    'convert_space,space',
    [
        (lambda s: act.action(s, False), spaces.Dict(a=IMAGE)),
        (lambda s: act.action(s, False), spaces.Text(3)),
        (lambda s: observe.observation(s, DEFAULTS), spaces.Text(3)),
        (lambda s: observe.observation(s, DEFAULTS), spaces.Sequence(IMAGE)),
    ],
)
def test_other_spaces_are_refused(convert_space, space):
  """A space whose elements have no one shape is named."""
  with pytest.raises(specs.UnsupportedSpecError, match='but R2I takes'):
    convert_space(space)
