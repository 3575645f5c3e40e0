"""Tests of spaces of Gymnasium as arrays."""

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf import schema
from r2i_tf import specs
from r2i_tf.environments import errors

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


def image(*shape):
  return spaces.Box(0, 255, shape, np.uint8)


@pytest.mark.parametrize(
    'space,options,shape,axes',
    [
        (image(64, 64, 3), {}, (64, 64, 3), (0, 1, 2)),
        (image(3, 64, 64), {}, (64, 64, 3), (1, 2, 0)),
        (image(1, 84, 84), {}, (84, 84, 1), (1, 2, 0)),
        (image(4, 84, 84), {}, (84, 84, 4), (1, 2, 0)),
        (image(84, 84, 12), {}, (84, 84, 12), (0, 1, 2)),
        (image(12, 210, 160), {}, (210, 160, 12), (1, 2, 0)),
        (image(9, 12, 12), {'channels': 'last'}, (9, 12, 12), (0, 1, 2)),
        (image(12, 12, 9), {'channels': 'first'}, (12, 9, 12), (1, 2, 0)),
        (image(8, 8, 8), {'channels': 'first'}, (8, 8, 8), (1, 2, 0)),
    ],
)
def test_channels_are_the_last_axis_of_an_image(space, options, shape, axes):
  """Those of PyTorch and of stacked frames are moved, unless said otherwise."""
  options = schema.from_mapping(
      environments.GymnasiumOptions, {'image_size': None, **options}
  )
  spec, convert = observe.observation(space, options)
  element = space.sample()
  found = convert(element)
  assert found.shape == spec.shape == shape and found.dtype == np.uint8
  np.testing.assert_array_equal(found, element.transpose(axes))
  # Otherwise the replay would hold on to memory in another order.
  assert found.flags.c_contiguous


def test_gray_images_have_one_channel():
  """A matrix of bytes is an image; resized, as any image is."""
  element = np.full((84, 96), 7, np.uint8)
  spec, convert = observe.observation(image(84, 96), DEFAULTS)
  assert spec.shape == convert(element).shape == (64, 64, 1)
  assert np.all(convert(element) == 7)


@pytest.mark.parametrize(
    'space',
    [
        spaces.Dict({}),
        spaces.Tuple([]),
        spaces.Dict(a=spaces.Dict({})),
    ],
)
def test_an_observation_without_parts_is_refused(space):
  """It is none of an option's fault."""
  with pytest.raises(specs.UnsupportedSpecError, match='which has no part'):
    observe.observation(space, DEFAULTS)


def test_an_image_whose_channels_may_be_anywhere_is_refused():
  """Nothing tells which of two equal axes has them."""
  with pytest.raises(specs.UnsupportedSpecError) as caught:
    observe.observation(image(64, 64, 64), DEFAULTS)
  assert str(caught.value) == (
      'the observation of the environment is Box(0, 255, (64, 64, 64), uint8),'
      ' an image whose channels may be the first axis or the last, both of 64:'
      ' say which by gymnasium.channels, first or last.'
  )


@pytest.mark.parametrize(
    'space',
    [
        image(7, 7, 3),
        image(5, 84),
        image(84, 2, 3),
        spaces.Box(0, 10, (9, 9, 3), np.uint8),
        spaces.Box(0, 255, (9, 9, 3), np.int32),
        spaces.Box(0, 1, (9, 9, 3), np.float32),
        image(2, 9, 9, 3),
    ],
)
def test_what_is_no_image_is_a_vector(space):
  """Small grids, other bounds, other dtypes: of any rank, numbers in a row."""
  spec, convert = observe.observation(space, DEFAULTS)
  element = space.sample()
  found = convert(element)
  assert spec.shape == found.shape == (element.size,)
  assert spec.dtype == found.dtype == space.dtype
  np.testing.assert_array_equal(found, element.reshape(-1))


@pytest.mark.parametrize(
    'space,size',
    [
        (spaces.Box(0, 1, (64, 64, 3), np.float32), '12,288'),
        (image(4, 64, 64, 3), '49,152'),
        (spaces.Box(0, 1, (84, 84), np.uint8), '7,056'),
        (spaces.Discrete(100_000), '100,000'),
        (spaces.MultiDiscrete([1000] * 5), '5,000'),
        (spaces.MultiBinary([100, 100]), '10,000'),
        (spaces.Tuple([spaces.Discrete(4000)] * 2), '8,000'),
    ],
)
def test_a_vector_of_too_many_numbers_is_refused(space, size):
  """With what to do, and is taken where an option says that it is meant."""
  for name, part in (('', space), (" 'a'", spaces.Dict(a=space))):
    with pytest.raises(specs.UnsupportedSpecError) as caught:
      observe.observation(part, DEFAULTS)
    words = str(caught.value)
    assert words.startswith(f'the observation{name} of the environment is ')
    assert f'is {size} numbers, but R2I takes vectors of at most 4,096' in words
    assert 'gymnasium.vector_keys' in words and '\n' not in words
  meant = environments.GymnasiumOptions(vector_keys='observation')
  spec, convert = observe.observation(space, meant)
  assert f'{convert(space.sample()).size:,}' == f'{spec.shape[0]:,}' == size
  limit = spaces.Box(-1, 1, (64, 64), np.float32)
  assert observe.observation(limit, DEFAULTS)[0].shape == (4096,)


MINIGRID = spaces.Dict(
    image=image(9, 9, 3),
    mission=spaces.Text(40),
    bag=spaces.Dict(
        items=spaces.Sequence(image(8, 8, 3)), size=spaces.Discrete(3)
    ),
)


def test_what_cannot_be_taken_is_left_out_if_named():
  """A text, or a whole group; the sentence names the option."""
  with pytest.raises(specs.UnsupportedSpecError) as caught:
    observe.observation(MINIGRID, DEFAULTS)
  assert 'name it in gymnasium.ignored_keys to leave it out.' in str(
      caught.value
  )
  options = environments.GymnasiumOptions(ignored_keys='mission|bag/items')
  spec, convert = observe.observation(MINIGRID, options)
  assert {key: list(part) for key, part in spec.items() if key != 'image'} == {
      'bag': ['size']
  }
  found = convert({'image': np.zeros((9, 9, 3), np.uint8), 'bag': {'size': 2}})
  np.testing.assert_array_equal(found['bag']['size'], [0, 0, 1])
  options = environments.GymnasiumOptions(ignored_keys='mission|bag')
  assert set(observe.observation(MINIGRID, options)[0]) == {'image'}


def test_a_grid_of_ids_is_what_the_options_say():
  """Numbers, one of so many each, or else an image."""
  grid = np.zeros((9, 9, 3), np.uint8)
  grid[0, 0] = [0, 10, 2]
  element = {'image': grid}

  def of(**fields):
    options = environments.GymnasiumOptions(
        ignored_keys='mission|bag', **fields
    )
    spec, convert = observe.observation(MINIGRID, options)
    found = convert(element)['image']
    assert found.shape == spec['image'].shape
    return found

  assert of().shape == (64, 64, 3)
  np.testing.assert_array_equal(of(vector_keys='image'), grid.reshape(-1))
  classes = of(one_hot_keys='image', one_hot_classes=11).reshape(9, 9, 3, 11)
  np.testing.assert_array_equal(np.argmax(classes, -1), grid)
  np.testing.assert_array_equal(classes.sum(-1), 1)
  with pytest.raises(errors.StepFault, match='holds 10, but its space is from'):
    of(one_hot_keys='image', one_hot_classes=10)


def test_one_hot_starts_at_the_lower_bound():
  """Each number has as many values as its own bounds allow."""
  space = spaces.Box(np.array([-1, 3]), np.array([1, 4]), dtype=np.int64)
  options = environments.GymnasiumOptions(one_hot_keys='observation')
  spec, convert = observe.observation(space, options)
  assert spec.shape == (5,)
  np.testing.assert_array_equal(convert(np.array([1, 3])), [0, 0, 1, 1, 0])


@pytest.mark.parametrize(
    'options,words',
    [
        (
            {'one_hot_keys': 'missing'},
            'matches no whole key of the observation',
        ),
        (
            {'vector_keys': 'imag'},
            "whose keys are 'image', 'mission', 'bag', 'b",
        ),
        ({'ignored_keys': '.*'}, 'but one must be left'),
        ({'ignored_keys': 'mission|bag', 'one_hot_keys': 'image'}, '62,208'),
    ],
)
def test_options_that_do_not_fit_the_space(options, words):
  """A pattern without a match is a slip, and nothing to see no observation."""
  given = {'ignored_keys': 'mission|bag/items', **options}
  with pytest.raises(schema.ConfigError, match=words):
    observe.observation(MINIGRID, environments.GymnasiumOptions(**given))


def test_only_integers_are_one_of_many():
  """A float has no number of values."""
  options = environments.GymnasiumOptions(one_hot_keys='observation')
  with pytest.raises(schema.ConfigError, match='only integers can be one-hot'):
    observe.observation(spaces.Box(0, 1, (2,)), options)


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
