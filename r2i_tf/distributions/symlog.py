"""The symmetric logarithm, which tames targets of unknown scale.

DreamerV3 (arXiv 2301.04104), equation 9.
"""

import tensorflow as tf


def symlog(x: tf.Tensor) -> tf.Tensor:
  """Returns sign(x) ln(|x| + 1), elementwise; any shape, floating dtype."""
  return tf.sign(x) * tf.math.log1p(tf.abs(x))


def symexp(x: tf.Tensor) -> tf.Tensor:
  """Returns sign(x) (exp(|x|) - 1), elementwise; the inverse of `symlog`."""
  return tf.sign(x) * tf.math.expm1(tf.abs(x))
