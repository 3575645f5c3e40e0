"""From a replay server to the batches of a learner.

A thread asks the server and keeps the batches of one call of the learner ready,
so that the learner's own thread, in which Python runs the handlers of signals,
waits for no server. When the server is gone, the thread knocks until it is back
and begins anew.

The server draws the sequences, and its rate limiter keeps the ratio: what is
sampled depends on the timing of all processes, and no seed repeats it.
"""

from collections.abc import Callable
from collections.abc import Iterator
import queue
import threading
from typing import Any

import reverb
import tensorflow as tf

# Not public, and the one way to end a read of a server that is gone.
from tensorflow.python.eager import cancellation

from r2i_tf.replay import datasets
from r2i_tf.replay.reverb import connection
from r2i_tf.replay.reverb import tables

_KNOCK_EVERY = 1.0  # Seconds, while no batch comes.
_PAUSE = 0.1


class BatchReader:
  """Reads batches without end, through outages of the server.

  A context: it closes the connection.
  """

  def __init__(
      self,
      address: str,
      data_spec: Any,
      sequence_length: int,
      batch_size: int,
      batches: int,
      note: Callable[[str], None],
  ):
    """Starts to read.

    Args:
      address: Of the server.
      data_spec: A nest of tensor specs, of one step.
      sequence_length: T, as the server has it.
      batch_size: Sequences in one (B).
      batches: How many one call of the learner takes.
      note: Takes a line for the user about an outage.
    """
    self._address = address
    self._spec = tf.nest.map_structure(
        lambda spec: tf.TensorSpec([sequence_length, *spec.shape], spec.dtype),
        data_spec,
    )
    self._batch_size = batch_size
    self._note = note
    self._needed = batches
    self._batches: queue.Queue[Any] = queue.Queue(maxsize=batches)
    self._stopping = threading.Event()
    self._thread = threading.Thread(target=self._run, daemon=True)
    self._thread.start()

  def __enter__(self) -> 'BatchReader':
    return self

  def __exit__(self, *_: Any) -> None:
    self.close()

  def close(self) -> None:
    """Ends `dataset`, and closes the connection."""
    self._stopping.set()
    self._thread.join(timeout=5.0)

  def is_ready(self) -> bool:
    """Returns whether the batches of a call are there, to be taken at once."""
    return self._batches.qsize() >= self._needed

  def dataset(self) -> tf.data.Dataset:
    """Returns the batches [B, T, ...]; it ends when the reader is closed.

    Each batch goes to one place: of two iterators, each gets a part.
    """
    signature = tf.nest.map_structure(
        lambda spec: tf.TensorSpec([self._batch_size, *spec.shape], spec.dtype),
        self._spec,
    )
    flat = tuple(tf.nest.flatten(signature))
    dataset = tf.data.Dataset.from_generator(
        self._taken, output_signature=flat
    ).map(lambda *parts: tf.nest.pack_sequence_as(signature, parts))
    # Were a batch taken ahead, `is_ready` would say no.
    return datasets.in_order(dataset)

  def _taken(self) -> Iterator[Any]:
    while not self._stopping.is_set():
      try:
        yield self._batches.get(timeout=_PAUSE)
      except queue.Empty:
        continue

  def _run(self) -> None:
    """Reads, until the server is gone; knocks, and reads again."""
    while not self._stopping.is_set():
      stream = _Stream(self._address, self._spec, self._batch_size)
      gone = self._read(stream)
      stream.close()
      if gone:
        self._note(
            f'the replay server at {self._address} is gone; waiting for it'
        )
        if connection.wait_until_open(self._address, self._stopping.is_set):
          self._note(f'the replay server at {self._address} is back')
      elif not self._stopping.is_set():
        self._note(f'the replay server broke off: {stream.fault}')
        self._stopping.wait(_KNOCK_EVERY)

  def _read(self, stream: '_Stream') -> bool:
    """Passes on batches; returns whether that ended because of the server."""
    while not self._stopping.is_set():
      try:
        batch = stream.next(_KNOCK_EVERY)
      except queue.Empty:
        if not connection.is_open(self._address):
          return True
        continue
      if batch is None:  # The stream broke.
        return not connection.is_open(self._address)
      while not self._stopping.is_set():
        try:
          self._batches.put(batch, timeout=_PAUSE)
          break
        except queue.Full:
          continue
    return False


class _Stream:
  """One connection to the server, read by a thread that can be ended.

  Attributes:
    fault: What broke it; '' before.
  """

  def __init__(self, address: str, spec: Any, batch_size: int):
    self.fault = ''
    self._batches: queue.Queue[Any] = queue.Queue(maxsize=1)
    self._closed = threading.Event()
    self._cancellation = cancellation.CancellationManager()
    self._thread = threading.Thread(
        target=self._run, args=(address, spec, batch_size), daemon=True
    )
    self._thread.start()

  def next(self, seconds: float) -> Any:
    """Returns flat arrays, or None where the stream is broken.

    Raises:
      queue.Empty: Nothing came in time.
    """
    return self._batches.get(timeout=seconds)

  def close(self) -> None:
    """Ends the thread, whatever it waits for, and with it the connection."""
    self._closed.set()
    self._cancellation.start_cancel()
    self._thread.join(timeout=5.0)

  def _run(self, address: str, spec: Any, batch_size: int) -> None:
    flat = tf.nest.flatten(spec)
    try:
      dataset = reverb.TrajectoryDataset(
          server_address=address,
          table=tables.EXPERIENCE,
          dtypes=[part.dtype for part in flat],
          shapes=[part.shape for part in flat],
          # More would be drawn before they are needed: they are older then.
          max_in_flight_samples_per_worker=batch_size,
          num_workers_per_iterator=1,
      ).map(lambda sample: tuple(sample.data))
      iterator = iter(dataset.batch(batch_size, drop_remainder=True))
      function = tf.function(lambda: next(iterator), autograph=False)
      fetch = self._cancellation.get_cancelable_function(
          function.get_concrete_function()
      )
      while not self._closed.is_set():
        self._put(tuple(part.numpy() for part in fetch()))
    except tf.errors.OpError as error:
      self.fault = error.message.strip().partition('\n')[0]
      self._put(None)

  def _put(self, batch: Any) -> None:
    while not self._closed.is_set():
      try:
        self._batches.put(batch, timeout=_PAUSE)
        return
      except queue.Full:
        continue
