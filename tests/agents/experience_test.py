"""Tests of r2i_tf.agents.experience, against episodes written by hand."""

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.replay_buffers import reverb_utils
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import trajectory as trajectory_lib

from r2i_tf.agents import experience as experience_lib
from r2i_tf.behavior import actions as actions_lib

_FIRST, _MID, _LAST = 0, 1, 2
_CODEC = actions_lib.create(
    tensor_spec.BoundedTensorSpec([], tf.int32, 0, 9, 'action')
)
# Steps as a driver writes them: (step type, next step type, action, reward and
# discount that the action brought about). The observation counts the steps.
_EPISODE = (
    (_FIRST, _MID, 1, 0.5, 1.0),
    (_MID, _MID, 2, 0.7, 1.0),
    (_MID, _LAST, 3, 1.5, 0.0),
    (_LAST, _FIRST, 9, 0.0, 1.0),
)
_TIMED_OUT = (
    (_FIRST, _MID, 4, -1.0, 1.0),
    (_MID, _LAST, 5, -2.0, 1.0),
    (_LAST, _FIRST, 9, 0.0, 1.0),
)
_NEXT = (
    (_FIRST, _MID, 6, 2.5, 1.0),
    (_MID, _MID, 7, 3.5, 1.0),
)
_PADDING = (_LAST, _FIRST, 0, 0.0, 0.0)


def _steps(rows):
  """Trajectories of single steps, without batch and time."""
  for index, (step_type, next_step_type, action, reward, discount) in enumerate(
      rows
  ):
    yield trajectory_lib.Trajectory(
        step_type=np.array(step_type, np.int32),
        observation=np.array([10 + index], np.float32),
        action=np.array(action, np.int32),
        policy_info=(),
        next_step_type=np.array(next_step_type, np.int32),
        reward=np.array(reward, np.float32),
        discount=np.array(discount, np.float32),
    )


def _convert(*sequences, encode=_CODEC.encode):
  """Converts a batch of sequences of rows, all of one length."""
  batch = [
      tf.nest.map_structure(lambda *x: np.stack(x), *_steps(rows))
      for rows in sequences
  ]
  trajectory = tf.nest.map_structure(
      lambda *x: tf.constant(np.stack(x)), *batch
  )
  return experience_lib.from_trajectory(trajectory, encode)


def _actions(experience, sequence=0):
  """The previous actions as numbers; -1 for none."""
  one_hot = experience.previous_action[sequence].numpy()
  return np.where(one_hot.any(-1), one_hot.argmax(-1), -1).tolist()


def test_episodes_follow_one_another():
  """Over an episode's end each step gets what arrived with its observation."""
  got = _convert(_EPISODE + _NEXT)
  assert _actions(got) == [-1, 1, 2, 3, -1, 6]
  np.testing.assert_allclose(got.reward[0], [0, 0.5, 0.7, 1.5, 0, 2.5])
  np.testing.assert_array_equal(got.is_first[0], [1, 0, 0, 0, 1, 0])
  np.testing.assert_array_equal(got.terminal[0], [0, 0, 0, 1, 0, 0])
  assert np.all(got.is_valid) and np.all(got.outcome_known)
  np.testing.assert_array_equal(got.observation[0, :, 0], np.arange(10, 16))


def test_three_episodes_in_one_sequence():
  """Each of several beginnings resets, whatever came before it."""
  got = _convert(_TIMED_OUT + _EPISODE + _NEXT)
  np.testing.assert_array_equal(got.is_first[0], [1, 0, 0, 1, 0, 0, 0, 1, 0])
  assert _actions(got) == [-1, 4, 5, -1, 1, 2, 3, -1, 6]
  np.testing.assert_allclose(
      got.reward[0], [0, -1, -2, 0, 0.5, 0.7, 1.5, 0, 2.5]
  )
  np.testing.assert_array_equal(got.terminal[0], [0, 0, 0, 0, 0, 0, 1, 0, 0])
  assert np.all(got.is_valid)


def test_time_limit_is_not_terminal():
  """An episode cut by a time limit (discount 1) could have gone on."""
  got = _convert(_TIMED_OUT)
  assert not np.any(got.terminal)
  np.testing.assert_allclose(got.reward[0], [0, -1, -2])
  assert np.all(got.is_valid)


def test_discount_zero_within_an_episode_is_not_terminal():
  """Only a last step ends an episode, not a discount along the way."""
  got = _convert(
      (
          (_FIRST, _MID, 1, 0.0, 0.0),
          (_MID, _MID, 2, 0.0, 0.5),
          (_MID, _LAST, 2, 0.0, 0.5),
          (_LAST, _FIRST, 2, 0.0, 1.0),
      )
  )
  assert not np.any(got.terminal)


def test_starts_within_an_episode():
  """Of the first sampled step the outcome is unknown, and memory is new."""
  got = _convert(_EPISODE[1:] + _NEXT)
  np.testing.assert_array_equal(got.outcome_known[0], [0, 1, 1, 1, 1])
  np.testing.assert_array_equal(got.is_first[0], [1, 0, 0, 1, 0])
  assert _actions(got) == [-1, 2, 3, -1, 6]
  np.testing.assert_allclose(got.reward[0], [0, 0.7, 1.5, 0, 2.5])
  assert np.all(got.is_valid)


def test_starts_on_a_last_step():
  """A last step at the start may be padding: it is left out, no more."""
  got = _convert(_EPISODE[3:] + _NEXT)
  np.testing.assert_array_equal(got.is_valid[0], [0, 1, 1])
  np.testing.assert_array_equal(got.outcome_known[0], [0, 1, 1])
  np.testing.assert_array_equal(got.is_first[0], [1, 1, 0])
  assert not np.any(got.terminal)
  assert _actions(got) == [-1, -1, 6]


def test_padding_after_the_end():
  """Padding is not valid, the true last step before it is, and terminal."""
  got = _convert(_EPISODE + (_PADDING,) * 3)
  np.testing.assert_array_equal(got.is_valid[0], [1, 1, 1, 1, 0, 0, 0])
  np.testing.assert_array_equal(
      (got.terminal & got.is_valid)[0], [0, 0, 0, 1, 0, 0, 0]
  )


def test_an_episode_follows_padding():
  """What comes after padding counts in full."""
  got = _convert(_EPISODE + (_PADDING,) * 2 + _NEXT)
  np.testing.assert_array_equal(got.is_valid[0], [1, 1, 1, 1, 0, 0, 1, 1])
  np.testing.assert_array_equal(got.is_first[0], [1, 0, 0, 0, 0, 0, 1, 0])
  assert _actions(got)[-2:] == [-1, 6]
  assert got.reward[0, -2] == 0


def test_nothing_but_padding():
  """A sequence sampled from padding alone holds nothing to learn from."""
  got = _convert((_PADDING,) * 4)
  assert not np.any(got.is_valid)


class _Writer:
  """What the observer needs of a Reverb writer; keeps the items."""

  def __init__(self):
    self.items = []
    self._steps = []

  def append(self, step):
    self._steps.append(step)

  @property
  def history(self):
    return tf.nest.map_structure(lambda *x: np.stack(x), *self._steps)

  def create_item(self, table, trajectory, priority):
    del table, priority
    self.items.append(trajectory)

  def end_episode(self):
    self._steps = []


class _Client:

  def __init__(self):
    self.writer = _Writer()

  def trajectory_writer(self, num_keep_alive_refs, validate_items):
    del num_keep_alive_refs, validate_items
    return self.writer


@pytest.mark.parametrize('tile', [False, True])
def test_padding_that_tf_agents_writes(tile):
  """What TF-Agents' own observer appends to an episode is never learned."""
  client = _Client()
  observer = reverb_utils.ReverbAddTrajectoryObserver(
      client,
      'table',
      sequence_length=6,
      pad_end_of_episodes=True,
      tile_end_of_episodes=tile,
  )
  for step in _steps(_EPISODE):
    observer(step)
  items = client.writer.items
  assert len(items) == (4 if tile else 1)
  items = tf.nest.map_structure(lambda *x: tf.constant(np.stack(x)), *items)
  got = experience_lib.from_trajectory(items, _CODEC.encode)
  expected = [[1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0]]
  expected += [[1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]
  np.testing.assert_array_equal(got.is_valid, expected[: len(got.is_valid)])
  ends = tf.where(got.terminal & got.is_valid).numpy().tolist()
  assert ends == ([[0, 3], [1, 2], [2, 1]] if tile else [[0, 3]])


def test_sequences_of_a_batch_are_independent():
  """No sequence of a batch changes what is made of another."""
  rows = (_EPISODE[1:] + _NEXT, _TIMED_OUT + _NEXT)
  together = _convert(*rows)
  for index, row in enumerate(rows):
    alone = _convert(row)
    tf.nest.map_structure(
        lambda a, b, i=index: np.testing.assert_array_equal(a[i], b[0]),
        together,
        alone,
    )


@pytest.mark.parametrize(
    'spec, action, expected',
    [
        (
            tensor_spec.BoundedTensorSpec([2], tf.int64, [1, 0], [2, 2]),
            [[2, 0], [1, 2], [2, 1]],
            [[0] * 6, [0, 1, 0, 1, 0, 0], [1, 0, 0, 0, 0, 1]],
        ),
        (
            tensor_spec.BoundedTensorSpec([2], tf.float32, [0, -1], [4, 1]),
            [[1, 0.5], [4, -1], [2, 0]],
            [[0, 0], [-0.5, 0.5], [1, -1]],
        ),
    ],
)
def test_vector_actions(spec, action, expected):
  """Vectors, of integers or of numbers, are encoded and come one step late."""
  codec = actions_lib.create(spec)
  rows = ((_FIRST, _MID, 0, 0.0, 1.0),) + ((_MID, _MID, 0, 0.0, 1.0),) * 2
  steps = tf.nest.map_structure(lambda *x: np.stack(x)[None], *_steps(rows))
  steps = tf.nest.map_structure(tf.constant, steps)
  steps = steps.replace(action=tf.constant([action], spec.dtype))
  got = experience_lib.from_trajectory(steps, codec.encode)
  np.testing.assert_allclose(got.previous_action[0], expected)
