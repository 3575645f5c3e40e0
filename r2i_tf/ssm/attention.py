"""Causal attention to the last steps, between two state-space layers.

  y_t = u_t + W_o sum over s of a_(t,s) v_s,   q, k, v = W LayerNorm(u)
  a_(t,s) = softmax over s of (q_t k_s / sqrt(H / heads) + bias_(t-s))

where s runs over the W steps that end with t, the present one included, and
back to the last reset at most. A state-space model sums up a past without an
end; attention picks out steps of a short one. Positions are relative and
learned: `bias`, one number for each head and each distance, zero at first.

A sequence is worked on in blocks of W steps, each of which sees itself and the
block before: O(T W). One step at a time the keys and values of the W - 1 steps
before are the memory (`Cache`), so that a step costs the same forever.
"""

import math
from typing import NamedTuple, Optional, Union

import tensorflow as tf

from r2i_tf import norms
from r2i_tf.ssm import kinds


class Cache(NamedTuple):
  """The W - 1 steps before the present one, the newest last, of n layers.

  The batch axes may be [B], or [B, T] for the caches after each of T steps.

  Attributes:
    keys: float32 [..., W - 1, n, H].
    values: float32 [..., W - 1, n, H].
    length: float32 [..., 1], how many steps there are, the newest ones: what
      stands before them is of no episode. There are zeros after a step.
  """

  keys: tf.Tensor
  values: tf.Tensor
  length: tf.Tensor

  def of_layer(self, index: int) -> 'Cache':
    """Returns the cache of one layer, keys and values [..., W - 1, H]."""
    return Cache(
        self.keys[..., index, :], self.values[..., index, :], self.length
    )


def empty_cache(
    batch_size: Union[int, tf.Tensor], window: int, layers: int, width: int
) -> Cache:
  """Returns a cache without steps, for a batch of sequences."""
  zeros = tf.zeros([batch_size, window - 1, layers, width])
  return Cache(zeros, zeros, tf.zeros([batch_size, 1]))


def caches_after(
    length: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, is_reset: tf.Tensor
) -> Cache:
  """Returns the cache after each step of a sequence: each a window of it.

  That is W - 1 times as much as the keys and values of the sequence; whoever
  goes on from every step (imagination) needs it.

  Args:
    length: float32 [B, 1], of the cache before step 0.
    keys: float32 [B, W - 1 + T, n, H], those of that cache first.
    values: float32 [B, W - 1 + T, n, H].
    is_reset: bool [B, T].
  """
  steps = is_reset.shape[1]
  size = keys.shape[1] - steps
  episode, episode_of_key = _episodes(length, is_reset, size)
  place = 1 + tf.range(steps)[:, tf.newaxis] + tf.range(size)
  is_present = tf.gather(episode_of_key, place, axis=1) == episode[..., None]

  def windows(x: tf.Tensor) -> tf.Tensor:
    gathered = tf.gather(x, place, axis=1)
    return tf.where(is_present[..., None, None], gathered, 0.0)

  length = tf.reduce_sum(tf.cast(is_present, tf.float32), -1, keepdims=True)
  return Cache(windows(keys), windows(values), length)


def cache_after(
    before: Cache, keys: tf.Tensor, values: tf.Tensor, is_reset: tf.Tensor
) -> Cache:
  """Returns the cache after a step; agrees with `caches_after`.

  Args:
    before: The cache before the step, batch [B].
    keys: float32 [B, n, H], of the step.
    values: float32 [B, n, H].
    is_reset: bool [B].
  """
  size = before.keys.shape[1]
  length = 1.0 + tf.where(is_reset[:, tf.newaxis], 0.0, before.length)
  length = tf.minimum(length, float(size))
  is_present = _newest(length, size)[..., None, None]

  def shifted(old: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
    moved = tf.concat([old[:, 1:], new[:, tf.newaxis]], 1)
    return tf.where(is_present, moved, 0.0)

  return Cache(
      shifted(before.keys, keys), shifted(before.values, values), length
  )


def _newest(length: tf.Tensor, size: int) -> tf.Tensor:
  """Which of `size` places hold the last `length`: bool [B, size]."""
  return tf.range(size, dtype=tf.float32) >= size - length


def _episodes(
    length: tf.Tensor, is_reset: tf.Tensor, size: int
) -> tuple[tf.Tensor, tf.Tensor]:
  """Numbers of episodes: of T steps, and of a cache before them and of them.

  A step sees the steps of its number; a place without a step has number -1.
  """
  episode = tf.cumsum(tf.cast(is_reset, tf.int32), axis=1)
  cached = tf.where(_newest(length, size), 0, -1)
  return episode, tf.concat([cached, episode], 1)


class LocalAttention(tf.keras.layers.Layer):
  """Pre-norm attention over the last steps, with a residual connection."""

  def __init__(
      self,
      width: int,
      window: int,
      heads: int,
      dtype: Optional[kinds.DType] = None,
      name: Optional[str] = None,
  ):
    """Creates the layer.

    Args:
      width: H.
      window: W, how many steps are seen, the present one included; at least 2.
      heads: How many parts of H numbers look by themselves.
      dtype: Keras dtype or policy of the matrix products; None for the global
        one.
      name: Name of the layer.

    Raises:
      ValueError: An argument is not as above.
    """
    super().__init__(name=name, dtype=dtype)
    if window < 2:
      raise ValueError(f'attention_window is {window}; it must be at least 2.')
    if heads < 1 or width % heads:
      raise ValueError(
          f'attention_heads is {heads}; it must divide the width {width}.'
      )
    self._width, self._window, self._heads = width, window, heads
    self.norm = norms.LayerNorm(1e-6, dtype=dtype, name='norm')
    self.projection = tf.keras.layers.Dense(
        3 * width, use_bias=False, dtype=dtype, name='projection'
    )
    self.out = tf.keras.layers.Dense(width, dtype=dtype, name='out')

  def build(self, input_shape: kinds.Shape) -> None:
    """Creates the variables; `input_shape` is any shape that ends in H."""
    for layer in (self.norm, self.projection, self.out):
      with tf.name_scope(layer.name):
        layer.build([None, self._width])
    self.bias = self.add_weight(
        name='bias',
        shape=[self._heads, self._window],
        dtype=tf.float32,
        initializer='zeros',
        experimental_autocast=False,
    )
    super().build(input_shape)

  def call(
      self, u: tf.Tensor, before: Cache, is_reset: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Runs the layer over a sequence.

    Args:
      u: Floating [B, T, H], the inputs.
      before: The steps before step 0, of this layer.
      is_reset: bool [B, T], True where a step sees none before it.

    Returns:
      y, [B, T, H] in the compute dtype; and the keys and values of all steps,
      float32 [B, W - 1 + T, H], those of `before` first.
    """
    window, length = self._window, u.shape[1]
    queries, keys, values = self._projected(u)
    keys = tf.concat([before.keys, keys], 1)
    values = tf.concat([before.values, values], 1)
    episode, episode_of_key = _episodes(before.length, is_reset, window - 1)
    # With one more place before them the keys, too, are whole blocks; those of
    # a block of queries and the block before begin W steps before the queries.
    blocks = -(-length // window)
    end = blocks * window - length
    queries = self._blocks(tf.pad(queries, [[0, 0], [0, end], [0, 0]]))
    episode = self._blocks(tf.pad(episode, [[0, 0], [0, end]])[..., tf.newaxis])
    around = [[0, 0], [1, end]]

    def neighbours(x: tf.Tensor) -> tf.Tensor:
      x = self._blocks(x)
      return tf.concat([x[:, :-1], x[:, 1:]], 2)

    episode_of_key = neighbours(
        tf.pad(episode_of_key, around, constant_values=-1)[..., tf.newaxis]
    )
    distance = window + tf.range(window)[:, tf.newaxis] - tf.range(2 * window)
    is_near = (distance >= 0) & (distance < window)
    is_seen = is_near & (episode == tf.linalg.matrix_transpose(episode_of_key))
    bias = tf.gather(
        self.bias, tf.clip_by_value(distance, 0, window - 1), axis=1
    )
    mixed = self._attend(
        queries,
        neighbours(tf.pad(keys, [*around, [0, 0]])),
        neighbours(tf.pad(values, [*around, [0, 0]])),
        is_seen,
        bias,
    )
    mixed = tf.reshape(mixed, [-1, blocks * window, self._width])[:, :length]
    return self._added(u, mixed), keys, values

  def step(
      self, u: tf.Tensor, before: Cache, is_reset: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Runs the layer for one step; agrees with `call`.

    Args:
      u: Floating [B, H], the input.
      before: The steps before, of this layer.
      is_reset: bool [B], True where the step sees none of them.

    Returns:
      y, [B, H]; and the key and the value of this step, float32 [B, H].
    """
    query, key, value = self._projected(u)
    length = tf.where(is_reset[:, tf.newaxis], 0.0, before.length)
    is_seen = _newest(length, self._window - 1)
    # What is not seen may be anything, a NaN included.
    values = tf.where(is_seen[..., tf.newaxis], before.values, 0.0)
    # Itself, too; TensorFlow Lite cannot pad flags.
    is_seen = tf.concat([is_seen, tf.ones_like(is_seen[:, :1])], 1)
    mixed = self._attend(
        query[:, tf.newaxis],
        tf.concat([before.keys, key[:, tf.newaxis]], 1),
        tf.concat([values, value[:, tf.newaxis]], 1),
        is_seen[:, tf.newaxis],
        tf.reverse(self.bias, [1])[:, tf.newaxis],
    )
    return self._added(u, mixed[:, 0]), key, value

  def _projected(self, u: tf.Tensor) -> list[tf.Tensor]:
    """Queries, keys and values of [..., H], float32."""
    flat = tf.cast(tf.reshape(u, [-1, self._width]), self.compute_dtype)
    projected = tf.cast(self.projection(self.norm(flat)), tf.float32)
    return [
        tf.reshape(part, [-1, *u.shape[1:]])
        for part in tf.split(projected, 3, -1)
    ]

  def _blocks(self, x: tf.Tensor) -> tf.Tensor:
    """[B, n W, any] as [B, n, W, any]."""
    blocks = x.shape[1] // self._window
    return tf.reshape(x, [-1, blocks, self._window, x.shape[-1]])

  def _attend(
      self,
      queries: tf.Tensor,
      keys: tf.Tensor,
      values: tf.Tensor,
      is_seen: tf.Tensor,
      bias: tf.Tensor,
  ) -> tf.Tensor:
    """What Q queries see of S steps.

    Args:
      queries: float32 [..., Q, H].
      keys: float32 [..., S, H].
      values: float32 [..., S, H].
      is_seen: bool [..., Q, S].
      bias: float32 [heads, Q, S].

    Returns:
      float32 [..., Q, H].
    """
    size = self._width // self._heads

    def by_head(x: tf.Tensor) -> tf.Tensor:
      shape = [-1, *x.shape[1:-1], self._heads, size]
      x = tf.cast(tf.reshape(x, shape), self.compute_dtype)
      return tf.einsum('...shd->...hsd', x)

    logits = tf.matmul(by_head(queries), by_head(keys), transpose_b=True)
    logits = tf.cast(logits, tf.float32) / math.sqrt(size) + bias
    logits = tf.where(is_seen[..., tf.newaxis, :, :], logits, logits.dtype.min)
    weights = tf.cast(tf.nn.softmax(logits), self.compute_dtype)
    mixed = tf.einsum('...hsd->...shd', tf.matmul(weights, by_head(values)))
    mixed = tf.cast(mixed, tf.float32)
    return tf.reshape(mixed, [-1, *queries.shape[1:]])

  def _added(self, u: tf.Tensor, mixed: tf.Tensor) -> tf.Tensor:
    flat = tf.reshape(mixed, [-1, self._width])
    added = self.out(tf.cast(flat, self.compute_dtype))
    u = tf.cast(u, self.compute_dtype)
    return u + tf.reshape(added, [-1, *u.shape[1:]])
