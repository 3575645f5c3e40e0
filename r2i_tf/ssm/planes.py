"""Complex numbers as two planes of float32, real before imaginary.

At rest they are one array with the planes along axis -2, [..., 2, P]; in
arithmetic a pair of [..., P]. Real numbers have one plane, [..., 1, P], and a
tuple of one. Nothing here knows of time.
"""

import tensorflow as tf

# (real part, imaginary part), two tensors of one shape.
Pair = tuple[tf.Tensor, tf.Tensor]
# A pair, or the one plane of real numbers.
Planes = tuple[tf.Tensor, ...]


def split(x: tf.Tensor) -> Planes:
  """Returns the planes of [..., K, P], each [..., P]; K is 2, or 1 if real."""
  return tuple(x[..., plane, :] for plane in range(x.shape[-2]))


def split_flat(x: tf.Tensor) -> Pair:
  """As `split` of [B, 2, P], from the planes side by side as [B, 2 P].

  An axis of two is an awkward one for a TPU, which lays an array out in tiles
  of its last two axes.
  """
  return tuple(tf.split(tf.reshape(x, [-1, 2 * x.shape[-1]]), 2, -1))


def join(parts: Planes) -> tf.Tensor:
  """The inverse of `split`."""
  return tf.stack(parts, axis=-2)


def multiply(left: Pair, right: Pair) -> Pair:
  """Returns left times right."""
  return (
      left[0] * right[0] - left[1] * right[1],
      left[0] * right[1] + left[1] * right[0],
  )


def conjugate(pair: Pair) -> Pair:
  """Returns the complex conjugate."""
  return pair[0], -pair[1]


def select(condition: tf.Tensor, chosen: Planes, other: Planes) -> Planes:
  """`chosen` where [...] `condition` holds, `other` elsewhere; [..., P].

  A selection, not a product with a mask: a reset also clears a NaN.
  """
  condition = condition[..., tf.newaxis]
  return tuple(tf.where(condition, c, o) for c, o in zip(chosen, other))


def zeros(state_size: int) -> Pair:
  """Returns zeros, a pair of [P]."""
  return tf.zeros([state_size]), tf.zeros([state_size])


def add(left: Planes, right: Planes) -> Planes:
  """Returns left plus right."""
  return tuple(x + y for x, y in zip(left, right))


def affine(lambda_bar: Pair, inputs: Pair, previous: Pair) -> Pair:
  """Returns lambda_bar * previous + inputs."""
  return add(multiply(lambda_bar, previous), inputs)


def powers(base: Pair, largest: int) -> Pair:
  """base^0, ..., base^largest of a pair [P], as a float32 pair [., P]."""
  square = tuple(tf.cast(part, tf.float64)[tf.newaxis] for part in base)
  result = (tf.ones_like(square[0]), tf.zeros_like(square[1]))
  count = 1
  while count <= largest:  # From n powers to 2 n, by base^n.
    higher = multiply(result, square)
    result = tuple(tf.concat(both, axis=0) for both in zip(result, higher))
    square = multiply(square, square)
    count *= 2
  return tuple(tf.cast(part[: largest + 1], tf.float32) for part in result)
