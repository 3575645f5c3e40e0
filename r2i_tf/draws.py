"""Random numbers that belong to an example, wherever it is worked on.

The draws of a train step are made for its whole batch, of which each replica
holds a part. A part's numbers are those that the whole batch would have there:

  numbers of part i of n  =  numbers of the whole [i * size : (i + 1) * size],

for any n, compiled by XLA or not. So one replica, two, or eight on four hosts
learn the same from a batch. The generator is Philox 4x32-10 (Salmon et al.,
2011), which computes its k-th block of four words from k alone.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Union

import tensorflow as tf

_PHILOX = 1  # TensorFlow's number of the algorithm.
_BLOCK = 4  # Words that one count of the generator gives.
# The upper half of the generator's count: numbers and new keys are apart.
_NUMBERS, _KEYS = 0, 1


class Seed(NamedTuple):
  """A stateless seed, and which part of the batch it is used for.

  Attributes:
    key: int32 [2], the same for all parts.
    part: Which of the equal parts of the batch, from 0; an int or an integer
      scalar.
  """

  key: Any
  part: Any = 0


def fold_in(seed: Seed, data: Any) -> Seed:
  """Returns the seed of something, such as a step in time.

  Args:
    seed: That of the whole.
    data: What tells it from the others: an int or an integer scalar, at least
      0.
  """
  key = _words([2], seed.key, tf.cast(data, tf.uint64), _KEYS)
  return Seed(tf.bitcast(key, tf.int32), seed.part)


def split(seed: Seed, count: int) -> list[Seed]:
  """Returns different seeds.

  Args:
    seed: Not to be used itself any more.
    count: How many.
  """
  return [fold_in(seed, index) for index in range(count)]


def uniform(shape: Union[Sequence[int], tf.Tensor], seed: Seed) -> tf.Tensor:
  """Returns float32 numbers from [0, 1), multiples of 2^-24.

  Args:
    shape: Of this part; the examples come first, so that the parts of a batch
      lie one after the other.
    seed: Its key and its part.
  """
  bits = tf.bitwise.right_shift(_part_words(shape, seed), tf.constant(8, _WORD))
  return tf.cast(bits, tf.float32) * 2.0**-24


def normal(shape: Union[Sequence[int], tf.Tensor], seed: Seed) -> tf.Tensor:
  """Returns float32 numbers from the standard normal distribution.

  By the inverse of its cumulative distribution; the numbers lie within 5.3
  standard deviations.

  Args:
    shape: As for `uniform`.
    seed: As for `uniform`.
  """
  bits = tf.bitwise.right_shift(_part_words(shape, seed), tf.constant(9, _WORD))
  # In the middle of 2^23 equal parts of (0, 1).
  middle = (tf.cast(bits, tf.float32) + 0.5) * 2.0**-23
  return tf.math.ndtri(middle)


_WORD = tf.uint32


def _part_words(
    shape: Union[Sequence[int], tf.Tensor], seed: Seed
) -> tf.Tensor:
  """Returns uint32 words, those of the whole batch from this part's on."""
  static = tf.get_static_value(tf.convert_to_tensor(shape, tf.int32))
  if static is not None:
    shape = static
  size = tf.reduce_prod(tf.cast(shape, tf.int64))
  first = tf.cast(seed.part, tf.int64) * size
  block = tf.cast(first // _BLOCK, tf.uint64)
  if static is not None and not static.prod() % _BLOCK:
    return _words(shape, seed.key, block, _NUMBERS)
  # The part begins within a block.
  words = _words([size + _BLOCK - 1], seed.key, block, _NUMBERS)
  begin = tf.cast(first % _BLOCK, tf.int32)
  words = tf.slice(words, [begin], tf.cast([size], tf.int32))
  return tf.reshape(words, shape)


def _words(shape: Any, key: Any, block: tf.Tensor, domain: int) -> tf.Tensor:
  """Returns Philox' uint32 words from a block on."""
  # Bits, not TensorFlow's floats: XLA makes other floats of the same bits.
  return tf.raw_ops.StatelessRandomUniformFullIntV2(
      shape=shape,
      key=tf.bitcast(tf.cast(key, tf.int32)[tf.newaxis], tf.uint64),
      counter=tf.stack([block, tf.constant(domain, tf.uint64)]),
      alg=_PHILOX,
      dtype=_WORD,
  )
