"""Random numbers that belong to an example, whichever part it is in."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import draws

_DRAWS = [draws.uniform, draws.normal]
_SEED = draws.Seed(tf.constant([3, -5]))


@pytest.mark.parametrize('draw', _DRAWS)
@pytest.mark.parametrize('shape', [[6, 2], [6, 3, 1], [12, 1]])
@pytest.mark.parametrize('parts', [2, 3, 6])
def test_parts_are_those_of_the_whole(draw, shape, parts):
  """Also where a part begins within a block of the generator.

  To a rounding: a processor's vector unit and its scalar one differ in it.
  """
  whole = draw(shape, _SEED)
  part_shape = [shape[0] // parts, *shape[1:]]
  joined = [draw(part_shape, _SEED._replace(part=i)) for i in range(parts)]
  np.testing.assert_allclose(tf.concat(joined, 0), whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('draw', _DRAWS)
@pytest.mark.parametrize('part', [0, 3])
def test_compiled_or_not(draw, part):
  """XLA gives the same numbers, or nearly where it computes a function."""
  for shape in ([5, 7], [8, 4]):
    compiled = tf.function(
        lambda shape=shape: draw(shape, _SEED._replace(part=part)),
        jit_compile=True,
    )
    np.testing.assert_allclose(
        compiled(), draw(shape, _SEED._replace(part=part)), rtol=1e-5, atol=1e-6
    )


def test_a_shape_known_only_when_run():
  """A batch of any size gives the numbers of one whose size was known."""

  @tf.function(input_signature=[tf.TensorSpec([None, 3])])
  def draw(x):
    return draws.uniform(tf.shape(x), _SEED._replace(part=1))

  known = draws.uniform([5, 3], _SEED._replace(part=1))
  np.testing.assert_array_equal(draw(tf.zeros([5, 3])), known)


def test_seeds_give_numbers_of_their_own():
  """Of another key, another fold, and of the key that a fold came from."""
  seeds = [
      _SEED,
      draws.Seed(tf.constant([4, -5])),
      draws.fold_in(_SEED, 0),
      draws.fold_in(_SEED, 1),
      *draws.split(draws.fold_in(_SEED, 2), 2),
  ]
  numbers = [draws.uniform([100], seed).numpy() for seed in seeds]
  for index, some in enumerate(numbers):
    for other in numbers[index + 1 :]:
      assert not np.intersect1d(some, other).size > 2
      assert abs(np.corrcoef(some, other)[0, 1]) < 0.4


def test_distributions():
  """Moments and range of the two."""
  x = draws.uniform([100_000], _SEED).numpy()
  assert x.min() >= 0 and x.max() < 1
  np.testing.assert_allclose([x.mean(), x.var()], [1 / 2, 1 / 12], atol=3e-3)
  x = draws.normal([100_000], _SEED).numpy()
  assert np.all(np.isfinite(x))
  np.testing.assert_allclose(
      [x.mean(), x.var(), (x**3).mean(), (x**4).mean()],
      [0, 1, 0, 3],
      atol=0.06,
  )
