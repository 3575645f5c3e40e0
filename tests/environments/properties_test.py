"""Properties of spaces of Gymnasium, over hundreds of random ones.

What is expected is written from the space's side: an array is read back as the
table of `observation_spaces` says, and an action is asked of the space itself.
"""

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf.environments import casts
from r2i_tf.environments import errors
from r2i_tf.environments import wrappers

spaces = pytest.importorskip('gymnasium.spaces')
adapter = pytest.importorskip('r2i_tf.environments.gymnasium_adapter')
fakes = pytest.importorskip('tests.environments.gymnasium_fakes')

OPTIONS = environments.GymnasiumOptions(image_size=None)
INTEGERS = [np.uint8, np.int8, np.int16, np.uint32, np.int32, np.int64]
FLOATS = [np.float16, np.float32, np.float64]


def examples(count):
  """Returns a decorator: so many examples, the same in every run."""
  return hypothesis.settings(
      max_examples=count, derandomize=True, database=None, deadline=None
  )


@st.composite
def boxes(draw, shapes, dtypes=(*INTEGERS, *FLOATS)):
  """Draws boxes with bounds of their own for each component."""
  shape = draw(shapes)
  dtype = np.dtype(draw(st.sampled_from(dtypes)))
  if dtype.kind == 'f':
    limit = float(min(np.finfo(dtype).max, np.finfo(np.float32).max)) / 4
    numbers = st.floats(-limit, limit, width=16 if limit < 1e5 else 32)
  else:
    numbers = st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
  bounds = st.lists(
      numbers,
      min_size=2 * int(np.prod(shape)),
      max_size=2 * int(np.prod(shape)),
  )
  pairs = np.array(draw(bounds), dtype).reshape(2, *shape)
  return spaces.Box(pairs.min(0), pairs.max(0), dtype=dtype)


def discrete():
  return st.builds(
      lambda n, start: spaces.Discrete(n, start=start),
      st.integers(1, 40),
      st.integers(-50, 50),
  )


def multi_discrete(shapes):
  return shapes.flatmap(
      lambda shape: st.builds(
          lambda counts, start: spaces.MultiDiscrete(
              np.reshape(counts, shape), start=np.full(shape, start)
          ),
          st.lists(
              st.integers(1, 9),
              min_size=int(np.prod(shape)),
              max_size=int(np.prod(shape)),
          ),
          st.integers(-5, 5),
      )
  )


SHAPES = st.lists(st.integers(1, 4), max_size=3).map(tuple)
VECTOR_SHAPES = st.tuples(st.integers(1, 4))
IMAGE_SHAPES = st.one_of(
    st.tuples(st.integers(8, 20), st.integers(8, 20)),
    st.tuples(st.integers(8, 20), st.integers(8, 20), st.integers(1, 7)),
    st.tuples(st.integers(1, 7), st.integers(8, 20), st.integers(8, 20)),
)
LEAVES = st.one_of(
    boxes(SHAPES),
    IMAGE_SHAPES.map(lambda shape: spaces.Box(0, 255, shape, np.uint8)),
    discrete(),
    multi_discrete(SHAPES),
    SHAPES.filter(bool).map(spaces.MultiBinary),
)
OBSERVATIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple),
        st.dictionaries(
            st.text('abc/ ü', min_size=1, max_size=3),
            inner,
            min_size=1,
            max_size=3,
        ).map(spaces.Dict),
    ),
    max_leaves=5,
)
ACTIONS = st.one_of(
    boxes(VECTOR_SHAPES),
    boxes(st.just(())),
    discrete(),
    multi_discrete(VECTOR_SHAPES),
    st.integers(1, 9).map(spaces.MultiBinary),
)


def is_image(space):
  return (
      isinstance(space, spaces.Box)
      and space.dtype == np.uint8
      and len(space.shape) in (2, 3)
      and sorted(space.shape)[-2] >= 8
  )


def is_row(space):
  """Returns whether a space becomes numbers in a row."""
  if isinstance(space, spaces.Tuple):
    return all(map(is_row, space.spaces))
  return not isinstance(space, spaces.Dict) and not is_image(space)


def counts_of(space):
  """Returns how many values each number of a space has, and the first one."""
  if isinstance(space, spaces.Discrete):
    return np.array(space.n), np.array(space.start)
  return space.nvec, space.start


def length(space):
  """Returns the length of a row."""
  if isinstance(space, spaces.Tuple):
    return sum(map(length, space.spaces))
  if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
    return int(counts_of(space)[0].sum())
  return int(np.prod(space.shape))


def read(space, array):
  """Returns the element of a space that an observation stands for."""
  if isinstance(space, spaces.Dict):
    assert set(array) == set(space.spaces)
    return {key: read(s, array[key]) for key, s in space.spaces.items()}
  if isinstance(space, spaces.Tuple):
    if is_row(space):
      ends = np.cumsum([length(s) for s in space.spaces])
      assert array.shape == (ends[-1],)
      array = np.split(array, ends[:-1])
    return tuple(map(read, space.spaces, array))
  if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
    counts, start = counts_of(space)
    index = []
    for one_hot in np.split(array, np.cumsum(counts.reshape(-1))[:-1]):
      assert sorted(one_hot)[-1] == 1 and np.sum(one_hot) == 1
      index.append(np.argmax(one_hot))
    return np.reshape(index, counts.shape) + start
  if is_image(space) and len(space.shape) == 2:
    return array[..., 0]
  if is_image(space) and space.shape[0] < space.shape[2]:
    return np.moveaxis(array, -1, 0)
  return array.reshape(space.shape)


def assert_same(found, element):
  if isinstance(element, dict):
    for key, value in element.items():
      assert_same(found[key], value)
  elif isinstance(element, tuple):
    for a, b in zip(found, element):
      assert_same(a, b)
  else:
    # float64 is rounded to float32; so is a row that has floats in it.
    np.testing.assert_allclose(found, element, rtol=1e-6, atol=1e-30)


@examples(250)
@hypothesis.given(OBSERVATIONS, st.integers(0, 1000))
def test_an_observation_keeps_its_meaning(space, seed):
  """Whatever lies in a space can be read off the array that it becomes."""
  space.seed(seed)
  element = space.sample()
  env = adapter.GymnasiumEnvironment(fakes.Fake(space, element), 0, OPTIONS)
  checked = environments.load(fakes.Fake(space, element), 0, OPTIONS)
  observation = env.reset().observation
  assert_same(read(space, observation), element)
  checked.reset()  # Its shapes and dtypes are those of its specs.


@examples(250)
@hypothesis.given(ACTIONS, st.data())
def test_an_action_lies_in_the_space(space, data):
  """The space contains what is made of any action, beyond the bounds, too."""
  fake = fakes.Fake(action_space=space)
  env = wrappers.normalized(adapter.GymnasiumEnvironment(fake, 0))
  spec = env.action_spec()
  env.reset()
  for _ in range(2):
    if spec.dtype.kind == 'f':
      draws = st.floats(-1.5, 1.5, width=16)
      flat = [data.draw(draws) for _ in range(int(np.prod(spec.shape)))]
    else:
      low = np.broadcast_to(spec.minimum, spec.shape).reshape(-1)
      high = np.broadcast_to(spec.maximum, spec.shape).reshape(-1)
      flat = [data.draw(st.integers(int(a), int(b))) for a, b in zip(low, high)]
    env.step(np.reshape(np.array(flat, spec.dtype), spec.shape))
  assert len(fake.taken) == 2  # Each asked whether its space contains it.


NUMBERS = st.one_of(
    st.floats(width=64),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**64 - 1).map(np.uint64),
    st.sampled_from([255, 256, -1, 0.5, 2.0**63, 2.0**64, 1e39, 65504.0]),
    st.booleans(),
)


@examples(500)
@hypothesis.given(NUMBERS, st.sampled_from([*INTEGERS, np.uint64, np.float32]))
def test_a_cast_keeps_the_number_or_is_a_fault(number, dtype):
  """Exact for integers, in Python's numbers; for floats to a rounding."""
  exact = np.asarray(number).item()
  dtype = np.dtype(dtype)
  try:
    found = casts.cast('it', np.asarray(number), dtype).item()
  except errors.StepFault:
    if dtype.kind == 'f':
      assert not abs(exact) <= float(np.finfo(dtype).max)
    else:
      bounds = np.iinfo(dtype)
      fits = np.isfinite(exact) and int(exact) == exact
      assert not (fits and bounds.min <= exact <= bounds.max)
  else:
    if dtype.kind == 'f':
      assert found == pytest.approx(float(exact), rel=1e-6, abs=1e-37)
    else:
      assert found == exact
