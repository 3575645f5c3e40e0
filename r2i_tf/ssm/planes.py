"""Complex numbers as two planes of float32, real before imaginary.

At rest they are one array with the planes along axis -2, [..., 2, P]; in
arithmetic a pair of [..., P]. Nothing here knows of time.
"""

import tensorflow as tf

# (real part, imaginary part), two tensors of one shape.
Pair = tuple[tf.Tensor, tf.Tensor]


def split(x: tf.Tensor) -> Pair:
  """Returns the planes of [..., 2, P], each [..., P]."""
  return x[..., 0, :], x[..., 1, :]


def split_flat(x: tf.Tensor) -> Pair:
  """As `split` of [B, 2, P], from the planes side by side as [B, 2 P].

  An axis of two is an awkward one for a TPU, which lays an array out in tiles
  of its last two axes.
  """
  return tuple(tf.split(tf.reshape(x, [-1, 2 * x.shape[-1]]), 2, -1))


def join(pair: Pair) -> tf.Tensor:
  """The inverse of `split`."""
  return tf.stack(pair, axis=-2)


def multiply(left: Pair, right: Pair) -> Pair:
  """Returns left times right."""
  return (
      left[0] * right[0] - left[1] * right[1],
      left[0] * right[1] + left[1] * right[0],
  )


def conjugate(pair: Pair) -> Pair:
  """Returns the complex conjugate."""
  return pair[0], -pair[1]


def select(condition: tf.Tensor, chosen: Pair, other: Pair) -> Pair:
  """`chosen` where [...] `condition` holds, `other` elsewhere; [..., P].

  A selection, not a product with a mask: a reset also clears a NaN.
  """
  condition = condition[..., tf.newaxis]
  return tuple(tf.where(condition, c, o) for c, o in zip(chosen, other))


def zeros(state_size: int) -> Pair:
  """Returns zeros, a pair of [P]."""
  return tf.zeros([state_size]), tf.zeros([state_size])


def affine(lambda_bar: Pair, inputs: Pair, previous: Pair) -> Pair:
  """Returns lambda_bar * previous + inputs."""
  product = multiply(lambda_bar, previous)
  return product[0] + inputs[0], product[1] + inputs[1]


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
