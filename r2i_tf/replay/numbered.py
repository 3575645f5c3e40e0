"""What replays have in common that number their steps: how a batch comes out.

counter -> draws (`sampling`) -> sequences of the replay -> padding
"""

import abc
from collections.abc import Callable
import functools
from typing import Any

import numpy as np
import tensorflow as tf
from tf_agents.trajectories import time_step as ts
import tree

from r2i_tf import specs
from r2i_tf.replay import base
from r2i_tf.replay import datasets
from r2i_tf.replay import episodes as episodes_lib
from r2i_tf.replay import held_out
from r2i_tf.replay import sampling as sampling_lib

STEP_TYPE = 'step_type'  # Its key in a trajectory.


class NumberedReplay(base.Replay):
  """Steps of all streams have the same numbers, from 0 on as they come."""

  def sample(
      self,
      batch_size: int,
      sequence_length: int,
      sampling: sampling_lib.Sampling = sampling_lib.UNIFORM,
  ) -> tf.data.Dataset:
    """Returns batches of sequences; see the base class.

    Args:
      batch_size: Sequences in a batch (B).
      sequence_length: Steps in a sequence (T).
      sampling: How they are drawn. To know of episodes, steps must be
        trajectories, or have a part `step_type` at least.

    Returns:
      A dataset of nests like `data_spec` of tensors [B, T, ...]. It is a
      function of the seed and of what the replay holds at each batch; iterated
      again, it begins with the first draw again.
    """
    sampler = sampling_lib.Sampler(
        sampling,
        self.streams,
        sequence_length,
        self._step_types,
        self._kept,
    )

    def draw(index: np.ndarray) -> tuple[np.ndarray, ...]:
      while True:
        draws = sampler.draw(int(index) * batch_size, batch_size, self._held())
        if self._can_read(draws):
          return draws.streams, draws.starts, draws.lengths

    def batch(index: tf.Tensor) -> Any:
      draws = tf.numpy_function(self._guarded(draw), [index], [tf.int64] * 3)
      for numbers in draws:
        numbers.set_shape([batch_size])
      streams, starts, lengths = draws
      steps = self._sequences(streams, starts, lengths, sequence_length)
      return _padded(steps, lengths) if sampling.whole_episodes else steps

    return datasets.in_order(tf.data.Dataset.counter().map(batch))

  def has_sequence(
      self,
      sequence_length: int,
      part: held_out.Part = held_out.Part.ALL,
  ) -> bool:
    """Returns whether there are so many steps in a row; see the base class."""
    selection = held_out.Selection(part, sequence_length, self._kept)
    firsts, stops = selection.bounds(self._held()).T
    return bool(np.any(stops - firsts >= sequence_length))

  @property
  def _kept(self) -> int:
    """Steps of a stream that are kept."""
    return self.size.capacity // self.streams

  def episodes(
      self, count: int, length: int, most_bytes: int, seed: int
  ) -> tuple[Any, np.ndarray]:
    """Returns whole episodes that are over, none of them twice.

    Steps must be trajectories, or have a part `step_type` at least.

    Args:
      count: How many at most; they are drawn from all.
      length: Steps of an episode after which it is cut.
      most_bytes: What they may take, at most; fewer are drawn then.
      seed: Of the draw.

    Returns:
      A nest like `data_spec` of tensors [B, T, ...], T being the steps of the
      longest, padded behind the end of each as `Sampling.whole_episodes` pads;
      and the steps of each, int64 [B]. B is 0 where no episode is over.
    """
    found = episodes_lib.Episodes(
        self.streams,
        length,
        True,
        self._step_types,
        held_out.Selection(held_out.Part.ALL, length).includes,
    )
    while True:
      rows = found.held(self._held())
      chosen = np.random.default_rng(seed).permutation(len(rows))[:count]
      longest = int(rows[chosen, 2].max(initial=1))
      chosen = chosen[
          : most_bytes // (longest * base.step_bytes(self.data_spec))
      ]
      starts, streams, lengths = rows[np.sort(chosen)].T.copy()
      if self._can_read(sampling_lib.Draws(streams, starts, lengths)):
        break
    counts = tf.constant(lengths)
    steps = self._sequences(
        tf.constant(streams), tf.constant(starts), counts, longest
    )
    return _padded(steps, counts), lengths

  @abc.abstractmethod
  def _held(self) -> list[range]:
    """Returns the stretches of steps without a gap that are held, in order."""

  @abc.abstractmethod
  def _step_types(self, steps: range) -> np.ndarray:
    """Returns the step types [streams, len(steps)] of steps that are held."""

  @abc.abstractmethod
  def _sequences(
      self,
      streams: tf.Tensor,
      starts: tf.Tensor,
      lengths: tf.Tensor,
      length: int,
  ) -> Any:
    """Returns sequences, in a graph.

    Args:
      streams: Of each, int64 [B].
      starts: The number of the first step of each, int64 [B].
      lengths: Steps of each that count, int64 [B]; those after are anything.
      length: Steps of each (T).

    Returns:
      A nest like `data_spec` of tensors [B, T, ...].
    """

  def _can_read(self, draws: sampling_lib.Draws) -> bool:
    """Returns whether the draws can be read; if not, less is held now."""
    del draws
    return True

  def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that TensorFlow may call: its fault is kept."""

    @functools.wraps(function)
    def guarded(*arguments: Any) -> Any:
      try:
        return function(*arguments)
      except Exception as error:
        self.fault = error
        raise

    return guarded


def keys_of(data_spec: Any) -> list[str]:
  """Returns the key of each part of a step, in the order of its leaves."""
  return [specs.key_of(path) for path, _ in tree.flatten_with_path(data_spec)]


def _padded(steps: Any, lengths: tf.Tensor) -> Any:
  """Returns sequences with padding behind their ends.

  Padding is as TF-Agents' observers write it: boundary steps, from a LAST one
  to a FIRST one, and zeros but for that.

  Args:
    steps: Trajectories [B, T, ...].
    lengths: Steps of each that count, int64 [B].
  """
  times = tf.range(tf.shape(steps.step_type)[1], dtype=lengths.dtype)
  counts = times[tf.newaxis] < lengths[:, tf.newaxis]

  def pad(leaf: tf.Tensor) -> tf.Tensor:
    shape = tf.concat([tf.shape(counts), tf.ones_like(tf.shape(leaf)[2:])], 0)
    return tf.where(tf.reshape(counts, shape), leaf, tf.zeros_like(leaf))

  padded = tf.nest.map_structure(pad, steps)
  step_type = tf.where(counts, steps.step_type, ts.StepType.LAST)
  return padded._replace(step_type=step_type)
