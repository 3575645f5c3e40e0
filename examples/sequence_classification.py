"""The state-space layers as the memory of an ordinary Keras model.

Nothing here is reinforcement learning: `r2i_tf.ssm` stands alone. The task is
to remember. A sequence holds 200 symbols, each drawn from the same eight; the
model reads all of them and names the first. Only its place tells which symbol
to keep, and 199 others come after it.

Three things to see:

- `Memory` makes a Keras layer of an `S3MStack`, which takes the state to start
  from and the steps at which to reset it.
- `compile` and `fit` train it like any other layer. XLA compiles the train
  step, the scan over time included.
- The trained model also reads one symbol at a time. Its state has a fixed size,
  each symbol costs the same, and the answers are the same.

It takes some 75 seconds of processor time, a minute or so on two cores:

    TF_CPP_MIN_LOG_LEVEL=3 python examples/sequence_classification.py
"""

from collections.abc import Sequence
import time

from absl import app
from absl import flags
import numpy as np
import tensorflow as tf

from r2i_tf import ssm

_EPOCHS = flags.DEFINE_integer('epochs', 6, 'Epochs to train for.')
_STEPS = flags.DEFINE_integer('steps_per_epoch', 100, 'Batches in an epoch.')
_LENGTH = flags.DEFINE_integer('length', 200, 'Symbols in a sequence.')

SYMBOLS = 8
WIDTH = 64
BATCH_SIZE = 32
TESTED = 256


def draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns sequences, int32 [count, length], and their first symbols."""
  sequences = rng.integers(SYMBOLS, size=[count, _LENGTH.value], dtype=np.int32)
  return sequences, sequences[:, 0]


class Memory(tf.keras.layers.Layer):
  """An `S3MStack` as a Keras layer, float32 [B, T, H] to [B, T, H].

  Every sequence of a batch starts from the stack's learned initial state, and
  no step resets it. Where several sequences are packed behind one another,
  `is_reset` is True at the first step of each.
  """

  def __init__(self, stack: ssm.S3MStack):
    """Creates the layer; `stack` is of the width H."""
    super().__init__(name='memory')
    self.stack = stack

  def build(self, input_shape: tf.TensorShape) -> None:
    """Creates the stack's variables."""
    self.stack.build(input_shape)
    super().build(input_shape)

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    """Returns the outputs of all steps at once, by a scan over time."""
    is_reset = tf.zeros(tf.shape(inputs)[:2], tf.bool)
    carry = self.stack.initial_state(tf.shape(inputs)[0])
    outputs, _ = self.stack(inputs, carry, is_reset)
    return outputs


class Recall(tf.keras.Model):
  """Embedding, memory, and a dense layer on the memory's last output."""

  def __init__(self) -> None:
    """Creates the layers."""
    super().__init__(name='recall')
    self.embedding = tf.keras.layers.Embedding(SYMBOLS, WIDTH)
    self.memory = Memory(
        ssm.S3MStack(layers=2, width=WIDTH, state_size=64, blocks=4)
    )
    self.classifier = tf.keras.layers.Dense(SYMBOLS)

  def call(self, symbols: tf.Tensor) -> tf.Tensor:
    """Returns logits, [B, SYMBOLS], of int32 [B, T] symbols."""
    outputs = self.memory(self.embedding(symbols))
    return self.classifier(outputs[:, -1])

  @tf.function(jit_compile=True)
  def read(
      self, symbol: tf.Tensor, state: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads one symbol of each sequence.

    Args:
      symbol: int32 [B].
      state: float32 [B, layers, 2, P], the state before it.

    Returns:
      The logits after this symbol, [B, SYMBOLS], and the state after it.
    """
    is_reset = tf.zeros(tf.shape(symbol), tf.bool)
    output, state = self.memory.stack.step(
        self.embedding(symbol), state, is_reset
    )
    return self.classifier(output), state


def accuracy(logits: tf.Tensor, labels: np.ndarray) -> float:
  """Returns the share of sequences whose first symbol is named."""
  return float(np.mean(np.argmax(logits, -1) == labels))


def main(argv: Sequence[str]) -> None:
  """Trains, and tests on new sequences: all at once, and symbol by symbol."""
  del argv
  tf.keras.utils.set_random_seed(0)
  rng = np.random.default_rng(0)
  model = Recall()
  model.compile(
      optimizer=tf.keras.optimizers.Adam(3e-3),
      loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
      metrics=['accuracy'],
      jit_compile=True,
  )
  start = time.monotonic()
  model.fit(
      *draw(rng, BATCH_SIZE * _STEPS.value),
      batch_size=BATCH_SIZE,
      epochs=_EPOCHS.value,
      verbose=2,
  )
  print(f'trained in {time.monotonic() - start:.0f} seconds')

  sequences, labels = draw(rng, TESTED)
  at_once = model(sequences)
  print(f'new sequences, read at once: {accuracy(at_once, labels):.1%}')

  state = model.memory.stack.initial_state(TESTED)
  for symbols in sequences.T:
    logits, state = model.read(symbols, state)
  print(f'symbol by symbol: {accuracy(logits, labels):.1%}')
  print(f'greatest difference of a logit: {np.abs(logits - at_once).max():.0e}')


if __name__ == '__main__':
  app.run(main)
