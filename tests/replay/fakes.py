"""A replay of lists, and steps that hold nothing but their numbers."""

from collections.abc import Callable
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from r2i_tf import replay as replay_lib
from r2i_tf.replay import base
from r2i_tf.replay import datasets

SPEC = {
    'camera': tf.TensorSpec([8, 8, 3], tf.uint8, 'camera'),
    'done': tf.TensorSpec([], tf.bool, 'done'),
    'half': tf.TensorSpec([2], tf.bfloat16, 'half'),
    'state': (tf.TensorSpec([3], tf.float32, 'state'),),
}
STREAMS = 2
_STREAM = 1000  # The numbers of the steps of one stream are apart by this.


class ListReplay(replay_lib.Replay):
  """Another replay than the default: lists of steps, one for each stream."""

  def __init__(self, data_spec, streams, capacity, directory=None):
    super().__init__(data_spec, streams, capacity, directory)
    self._steps = [[] for _ in range(streams)]

  @classmethod
  def size_of(cls, data_spec, streams, capacity):
    return base.Size(capacity // streams * streams, base.step_bytes(data_spec))

  def add(self, steps):
    return tf.numpy_function(self._append, tf.nest.flatten(steps), [])

  def sample(self, batch_size, sequence_length, sampling=None):
    del sampling  # It draws by NumPy's generator, uniformly.
    specs = tf.nest.flatten(self.data_spec)

    def draw(_):
      leaves = tf.numpy_function(
          lambda: self._draw(batch_size, sequence_length),
          [],
          [spec.dtype for spec in specs],
      )
      for leaf, spec in zip(leaves, specs):
        leaf.set_shape([batch_size, sequence_length, *spec.shape])
      return tf.nest.pack_sequence_as(self.data_spec, leaves)

    return datasets.in_order(tf.data.Dataset.counter().map(draw))

  def save(self, directory, earlier):
    del earlier
    if self._steps[0]:
      leaves = [np.stack(leaf) for leaf in zip(*self._steps[0])]
      for stream in self._steps[1:]:
        more = [np.stack(leaf) for leaf in zip(*stream)]
        leaves = [np.concatenate(both) for both in zip(leaves, more)]
      for index, leaf in enumerate(leaves):
        kind = np.uint8 if leaf.dtype.kind == 'V' else leaf.dtype
        np.save(directory / f'list-{index}.npy', leaf.view(kind))

  def restore(self, directory):
    specs = tf.nest.flatten(self.data_spec)
    paths = [directory / f'list-{i}.npy' for i in range(len(specs))]
    if not paths[0].exists():
      self._steps = [[] for _ in range(self.streams)]
      return
    leaves = [
        np.load(path).view(spec.dtype.as_numpy_dtype)
        for path, spec in zip(paths, specs)
    ]
    count = len(leaves[0]) // self.streams
    steps = list(zip(*leaves))
    self._steps = [
        steps[i * count : (i + 1) * count] for i in range(self.streams)
    ]

  def _append(self, *leaves):
    length = self.size.capacity // self.streams
    for stream, step in zip(self._steps, zip(*leaves)):
      stream.append(step)
      del stream[:-length]

  def _draw(self, batch_size, sequence_length):
    drawn = []
    for _ in range(batch_size):
      stream = self._steps[np.random.randint(self.streams)]
      start = np.random.randint(len(stream) - sequence_length + 1)
      drawn.append(list(zip(*stream[start : start + sequence_length])))
    return [np.array(leaf) for leaf in zip(*drawn)]


def step(number):
  """Returns the step of each stream that holds nothing but its number."""
  numbers = np.arange(STREAMS) * _STREAM + number

  def leaf(spec):
    shaped = numbers.reshape([STREAMS] + [1] * spec.shape.rank)
    shaped = shaped % (2 if spec.dtype == tf.bool else 200)
    if spec.dtype == tf.float32:
      shaped = numbers.reshape([STREAMS] + [1] * spec.shape.rank)
    full = np.broadcast_to(shaped, [STREAMS, *spec.shape])
    return tf.cast(full, spec.dtype)

  return tf.nest.map_structure(leaf, SPEC)


def adder(replay: replay_lib.Replay) -> Callable[[Iterable[int]], None]:
  """Returns a function that adds steps of given numbers, as a driver does."""

  @tf.function
  def in_graph(steps):
    replay.add(steps)

  def add(numbers):
    for number in numbers:
      in_graph(step(number))

  return add


def numbers(batch):
  """Returns the numbers of the steps of a batch [B, T], and their streams."""
  all_numbers = batch['state'][0].numpy()[..., 0].astype(int)
  return all_numbers % _STREAM, all_numbers // _STREAM


def content(replay: replay_lib.Replay, held: int):
  """Returns the `held` last steps of every stream, all there is of them."""
  # So long a sequence is the whole stream; one stream in two is drawn.
  (batch,) = replay.sample(64, held).take(1)
  _, streams = numbers(batch)
  first = [streams[:, 0].tolist().index(i) for i in range(STREAMS)]
  return tf.nest.map_structure(
      lambda x: tf.gather(x, first).numpy().tolist(), batch
  )
