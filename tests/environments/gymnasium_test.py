"""Tests of Gymnasium's environments and of its spaces as arrays."""

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf import specs
from r2i_tf.agents import spec_checks
from r2i_tf.environments.suites import registry as suites

gymnasium = pytest.importorskip('gymnasium')
spaces = gymnasium.spaces
convert = pytest.importorskip('r2i_tf.environments.spaces')


def test_every_listed_environment_steps():
  """Every task of the list can be made, seen and acted in."""
  names = [t for t in environments.list_tasks() if t.startswith('gymnasium/')]
  assert 'gymnasium/CartPole-v1' in names
  for name in names:
    env = environments.load(name, seed=0)
    spec_checks.check_specs(env.time_step_spec(), env.action_spec())
    env.reset()
    spec = env.action_spec()
    env.step(np.full(spec.shape, np.min(spec.minimum), spec.dtype))


def test_fall_is_terminal_and_a_time_limit_is_not():
  """The pole falls with discount 0; the pendulum's 200 steps end with 1."""
  cartpole = suites.make('gymnasium/CartPole-v1', 0)
  cartpole.reset()
  while not (end := cartpole.step(0)).last():
    pass
  assert end.discount == 0.0
  pendulum = suites.make('gymnasium/Pendulum-v1', 0)
  pendulum.reset()
  steps = [pendulum.step(np.zeros(1)) for _ in range(200)]
  assert not steps[198].last() and steps[199].last()
  assert steps[199].discount == 1.0
  assert pendulum.step(np.zeros(1)).first()


def test_only_the_first_episode_is_seeded():
  """A seed repeats the run, but not its first episode over and over."""
  starts = []
  for _ in range(2):
    env = suites.make('gymnasium/CartPole-v1', 3)
    starts.append([env.reset().observation for _ in range(3)])
  np.testing.assert_array_equal(*starts)
  assert np.any(starts[0][0] != starts[0][1])


def test_action_is_held():
  """An option of the suite reaches the environment."""
  env = suites.make('gymnasium/CartPole-v1', 0, {'action_repeat': 3})
  env.reset()
  assert env.step(0).reward == 3.0


@pytest.mark.parametrize(
    'name,error,words',
    [
        ('CartPole-v9', 'UnknownTaskError', 'gymnasium/CartPole-v1'),
        ('Cartpol', 'UnknownTaskError', 'gymnasium/CartPole-v'),
        ('Ant-v2', 'MissingSuiteError', 'gymnasium/Ant-v2'),
        ('nomodule:Ant-v2', 'MissingSuiteError', "named 'nomodule'"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(name, error, words):
  """An id that does not exist, and one that needs another package."""
  with pytest.raises(getattr(environments, error), match=words) as caught:
    environments.load(f'gymnasium/{name}', 0)
  assert '\n' not in str(caught.value)


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
  spec, observe = convert.observation(space, 64)
  if isinstance(element, list):
    element = np.array(element, space.dtype)
  array = observe(element)
  np.testing.assert_array_equal(array, np.array(expected, np.float32))
  assert (array.shape, array.dtype) == (spec.shape, spec.dtype)


def test_discrete_parts_take_a_byte():
  """A replay of ten million steps holds them; floats stay floats."""
  assert convert.observation(spaces.Discrete(3), 64)[0].dtype == np.uint8
  box = spaces.Box(-9, 9, (2,), np.float64)
  assert convert.observation(box, 64)[0].dtype == np.float32


def test_dict_keeps_its_parts_and_images_are_resized():
  """Parts go to the encoder by name; an image keeps its channels."""
  space = spaces.Dict(
      camera=IMAGE,
      depth=spaces.Box(0, 255, (64, 64, 1), np.uint8),
      stack=spaces.Box(0, 255, (32, 32, 4), np.uint8),
      inner=spaces.Dict(state=spaces.Discrete(4)),
  )
  spec, observe = convert.observation(space, 64)
  element = space.sample()
  element['camera'][:] = [10, 20, 30]
  found = observe(element)
  assert spec['camera'].shape == found['camera'].shape == (64, 64, 3)
  assert np.all(found['camera'] == [10, 20, 30])
  np.testing.assert_array_equal(found['depth'], element['depth'])
  assert spec['stack'].shape == found['stack'].shape == (64, 64, 4)
  np.testing.assert_array_equal(found['stack'][::2, ::2], element['stack'])
  assert found['inner']['state'].sum() == 1


def test_tuple_with_an_image_stays_a_tuple():
  """Parts that cannot stand in one vector are kept apart."""
  space = spaces.Tuple([IMAGE, spaces.Discrete(2)])
  (image, vector), observe = convert.observation(space, 64)
  assert (image.shape, vector.shape) == ((64, 64, 3), (2,))
  assert [x.shape for x in observe(space.sample())] == [(64, 64, 3), (2,)]


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
  spec, act = convert.action(space, joined)
  spec.validate(np.asarray(action, spec.dtype))
  taken = act(np.asarray(action, spec.dtype))
  assert space.contains(taken)
  np.testing.assert_array_equal(taken, expected)


@pytest.mark.parametrize(
    'convert_space,space',
    [
        (lambda s: convert.action(s, False), spaces.Dict(a=IMAGE)),
        (lambda s: convert.action(s, False), spaces.Text(3)),
        (lambda s: convert.observation(s, 64), spaces.Text(3)),
        (lambda s: convert.observation(s, 64), spaces.Sequence(IMAGE)),
    ],
)
def test_other_spaces_are_refused(convert_space, space):
  """A space whose elements have no one shape is named."""
  with pytest.raises(specs.UnsupportedSpecError, match='but R2I takes'):
    convert_space(space)
