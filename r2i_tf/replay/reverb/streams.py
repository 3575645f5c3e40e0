"""One stream of steps on its way to a replay server, and how it is cut.

Every stride of steps that come in gives one sequence, whatever is asked for:
the server's rate limiter counts sequences, and so keeps the ratio of replayed
to collected steps. Which sequence it is:

  uniform          the last L steps
  episode starts   with the given probability L steps from the start of an
                   episode on, drawn from those that the stream still has
  whole episodes   an episode, cut after L steps or padded to them, drawn alike

A stream has its last 2 L steps. Where none of them begins a sequence that is
asked for, that sequence is owed until one does, so that episodes of any length
are equally likely.
"""

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np
import reverb
import tensorflow as tf
from tf_agents.trajectories import time_step as ts

from r2i_tf.replay.reverb import tables

# Beyond so many owed sequences, episodes are too long to wait for the next.
_MOST_OWED = 256


class Stream:
  """Sends steps to a server, each once, and sequences as references to them."""

  def __init__(
      self,
      client: reverb.Client,
      data_spec: Any,
      settings: tables.Settings,
      random: np.random.Generator,
  ):
    """Opens a writer; the server need not answer yet.

    Args:
      client: Of the server.
      data_spec: A nest of tensor specs, of one step; a trajectory, unless
        sequences are uniform.
      settings: How the experience is cut.
      random: Of the phase and of the draws.
    """
    self._settings = settings
    self._random = random
    self._skip = int(random.integers(settings.stride))
    self._chance = 1.0 if settings.whole_episodes else settings.episode_starts
    self._kept = (2 if self._chance else 1) * settings.sequence_length
    # To validate, it would ask the server, which need not be there.
    self.writer = client.trajectory_writer(self._kept, validate_items=False)
    for column in range(len(tf.nest.flatten(data_spec))):
      self.writer.configure(
          (column,),
          num_keep_alive_refs=self._kept,
          max_chunk_length=settings.chunk_length,
      )
    if settings.whole_episodes:
      self._padding = _padding(data_spec)
    self._steps = 0  # Without padding.
    self._owed = 0
    # Where sequences that are asked for begin, and those that have begun and
    # are not complete.
    self._begins: collections.deque[int] = collections.deque()
    self._open: collections.deque[int] = collections.deque()

  def append(self, step: Sequence[np.ndarray], step_type: int) -> None:
    """Adds a step, and the sequence that is due with it.

    Args:
      step: Its parts, in the order of the spec's leaves.
      step_type: Whether it begins or ends an episode.
    """
    if self._skip:
      self._skip -= 1
      return
    self.writer.append(list(step))
    self._steps += 1
    if self._chance:
      self._note_episode(step_type)
    length, stride = self._settings.sequence_length, self._settings.stride
    if self._steps >= length and (self._steps - length) % stride == 0:
      if self._owed < _MOST_OWED and self._random.random() < self._chance:
        self._owed += 1
      else:
        self._send(self.writer.episode_steps - length)
    while self._owed and self._begins:
      self._send(self._begins[self._random.integers(len(self._begins))])
      self._owed -= 1

  def _send(self, begin: int) -> None:
    """Has the server keep the sequence that begins there."""
    start = begin - self.writer.episode_steps
    stop = start + self._settings.sequence_length or None
    self.writer.create_item(
        tables.EXPERIENCE,
        1.0,
        [column[start:stop] for column in self.writer.history],
    )

  def _note_episode(self, step_type: int) -> None:
    """Finds out which sequences have become complete."""
    whole, length = (
        self._settings.whole_episodes,
        self._settings.sequence_length,
    )
    if step_type == ts.StepType.FIRST:
      if whole:
        self._open.clear()  # One that ends without a LAST step is no whole one.
      self._open.append(self.writer.episode_steps - 1)
    if whole and self._open and step_type == ts.StepType.LAST:
      while self.writer.episode_steps < self._open[0] + length:
        self.writer.append(self._padding)
    stop = self.writer.episode_steps
    while self._open and self._open[0] + length <= stop:
      self._begins.append(self._open.popleft())
    while self._begins and self._begins[0] < stop - self._kept:
      self._begins.popleft()


def _padding(data_spec: Any) -> list[np.ndarray]:
  """Returns the parts of a step that no loss sees.

  As TF-Agents' observers write it: from a LAST step to a FIRST one, and zeros
  but for that.

  Args:
    data_spec: Of a trajectory.
  """
  zeros = tf.nest.map_structure(
      lambda spec: np.zeros(spec.shape, spec.dtype.as_numpy_dtype), data_spec
  )
  last = np.full_like(zeros.step_type, ts.StepType.LAST)
  return tf.nest.flatten(zeros.replace(step_type=last))
