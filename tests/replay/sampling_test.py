"""Which sequences are drawn: a function of the seed and of what is held."""

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib

from r2i_tf import draws
from r2i_tf import replay as replay_lib
from r2i_tf.agents import experience
from r2i_tf.replay import sampling as sampling_lib
from r2i_tf.world_model import latents
from r2i_tf.world_model import losses
from tests.world_model import small

_STREAMS = 3
_KINDS = [replay_lib.UniformReplay, replay_lib.DiskReplay]
_F, _M, _L = ts.StepType.FIRST, ts.StepType.MID, ts.StepType.LAST


def _episodes(*lengths):
  """Returns the step types of episodes of so many steps, one after another."""
  return np.concatenate([[_F] + [_M] * (n - 2) + [_L] for n in lengths])


def _sampler(types, length, **options):
  """Returns a sampler of steps with these types [streams, n]."""
  return sampling_lib.Sampler(
      replay_lib.Sampling(**options),
      len(types),
      length,
      lambda steps: types[:, steps.start : steps.stop],
  )


def _lists(draws):
  return [draws.streams.tolist(), draws.starts.tolist(), draws.lengths.tolist()]


def test_a_draw_depends_on_its_number_alone():
  """One batch of eight is two of four; another seed gives other draws."""
  held = [range(5, 400)]
  types = np.zeros([_STREAMS, 400], np.int32)
  whole = _lists(_sampler(types, 6, seed=3).draw(8, 8, held))
  sampler = _sampler(types, 6, seed=3)
  second, first = sampler.draw(12, 4, held), sampler.draw(8, 4, held)
  halves = [a + b for a, b in zip(_lists(first), _lists(second))]
  assert halves == whole
  assert _lists(_sampler(types, 6, seed=4).draw(8, 8, held)) != whole
  assert _lists(sampler.draw(0, 8, held)) != whole


def test_every_sequence_is_equally_likely():
  """Of each stream, from the first to the last start; none over a gap."""
  held = [range(10, 14), range(20, 22), range(30, 36)]  # The second too short.
  draws = _sampler(np.zeros([_STREAMS, 40]), 3).draw(0, 60_000, held)
  starts = [10, 11, 30, 31, 32, 33]
  assert set(draws.starts) == set(starts)
  counts = np.array(
      [
          [np.sum((draws.starts == t) & (draws.streams == s)) for t in starts]
          for s in range(_STREAMS)
      ]
  )
  expected = 60_000 / (_STREAMS * len(starts))
  # Five standard deviations.
  assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected))
  assert set(draws.lengths) == {3}


def test_what_is_too_short_to_sample_is_an_error():
  """One sentence, in place of a sequence over a gap."""
  with pytest.raises(sampling_lib.NoSequenceError, match='no 5 steps in a row'):
    _sampler(np.zeros([1, 9]), 5).draw(0, 1, [range(0, 4), range(5, 9)])


def test_episode_starts_are_drawn_with_their_probability():
  """A quarter, and of the rest those that chance upon a start."""
  types = np.stack([_episodes(*[10] * 40)] * _STREAMS)
  sampler = _sampler(types, 15, episode_starts=0.25)
  draws = sampler.draw(0, 20_000, [range(0, 400)])
  share = np.mean(draws.starts % 10 == 0)
  assert share == pytest.approx(0.25 + 0.75 * 0.1, abs=0.02)
  assert set(draws.lengths) == {15}
  always = _sampler(types, 15, episode_starts=1.0)
  draws = always.draw(0, 2_000, [range(25, 400)])
  # Those whose 15 steps are all held, and all of these.
  assert set(draws.starts) == set(range(30, 390, 10))
  assert set(draws.streams) == set(range(_STREAMS))


def test_whole_episodes():
  """Each from its first step, cut after T; an unfinished one waits."""
  stream = np.concatenate(
      [
          _episodes(4, 12, 7),  # At 0, 4 and 16.
          [_F, _M, _M],  # At 23: lost its environment before it ended.
          _episodes(5),  # At 26.
          [_F] + [_M] * 3,  # At 31: goes on.
      ]
  )
  types, stop = stream[np.newaxis], len(stream)
  draws = _sampler(types, 8, whole_episodes=True).draw(
      0, 1_000, [range(0, stop)]
  )
  found = set(zip(draws.starts.tolist(), draws.lengths.tolist()))
  assert found == {(0, 4), (4, 8), (16, 7), (26, 5)}
  counts = [np.sum(draws.starts == start) for start in (0, 4, 16, 26)]
  assert min(counts) > 200  # However long they are.


def test_episodes_are_the_same_however_steps_come_in():
  """A sampler that looked often has found what one that looks once finds."""
  rng = np.random.default_rng(0)
  types = np.stack(
      [_episodes(*rng.integers(2, 9, 100))[:300] for _ in range(_STREAMS)]
  )
  types[0, 150:180] = _M  # One that is long, and begins without an end before.
  types[0, 180] = _F
  for options in ({'whole_episodes': True}, {'episode_starts': 1.0}):
    often = _sampler(types, 6, **options)
    for stop in range(6, 300, 7):
      held = [range(max(0, stop - 90), stop)]
      once = _sampler(types, 6, **options)
      got = _lists(often.draw(stop, 40, held))
      assert got == _lists(once.draw(stop, 40, held)), (options, stop)


def test_after_a_gap_no_episode_runs_over_it():
  """Steps that have become unreadable take their episodes with them."""
  types = np.stack([_episodes(*[10] * 10)] * _STREAMS)
  sampler = _sampler(types, 10, whole_episodes=True)
  draws = sampler.draw(0, 500, [range(0, 100)])
  assert set(draws.starts) == set(range(0, 100, 10))
  draws = sampler.draw(0, 500, [range(0, 35), range(45, 100)])
  assert set(draws.starts) == {0, 10, 20, 50, 60, 70, 80, 90}


def test_without_an_episode_sequences_are_drawn_uniformly():
  """One that is longer than the replay has no start any more."""
  types = np.full([1, 100], _M)
  for options in ({'whole_episodes': True}, {'episode_starts': 1.0}):
    draws = _sampler(types, 10, **options).draw(0, 500, [range(20, 100)])
    assert len(set(draws.starts)) > 60 and set(draws.lengths) == {10}


def _spec():
  scalar = tf.TensorSpec([], tf.float32)
  step_type = tf.TensorSpec([], tf.int32)
  return trajectory_lib.Trajectory(
      step_type=step_type,
      observation=tf.TensorSpec([4, 4, 3], tf.uint8),
      action=tf.TensorSpec([], tf.int32),
      policy_info=(),
      next_step_type=step_type,
      reward=scalar,
      discount=scalar,
  )


def _steps(number, types):
  """Returns step `number` of each stream."""
  numbers = np.arange(_STREAMS) * 50 + number
  return trajectory_lib.Trajectory(
      step_type=tf.constant(types[:, number], tf.int32),
      observation=tf.constant(
          np.broadcast_to(
              numbers[:, None, None, None] % 250, [_STREAMS, 4, 4, 3]
          ),
          tf.uint8,
      ),
      action=tf.constant(numbers, tf.int32),
      policy_info=(),
      next_step_type=tf.constant(types[:, number + 1], tf.int32),
      reward=tf.constant(numbers, tf.float32),
      discount=tf.ones([_STREAMS]),
  )


@pytest.mark.parametrize(
    'options', [{}, {'episode_starts': 0.5}, {'whole_episodes': True}]
)
def test_memory_and_disk_give_the_same_batches(tmp_path, options):
  """Bit for bit, while steps come in and leave."""
  rng = np.random.default_rng(1)
  types = np.stack(
      [_episodes(*rng.integers(2, 12, 60))[:101] for _ in range(_STREAMS)]
  )
  replays = [
      kind(_spec(), _STREAMS, _STREAMS * 40, tmp_path / 'replay')
      for kind in _KINDS
  ]
  sampling = replay_lib.Sampling(seed=7, **options)
  batches = [iter(replay.sample(5, 8, sampling)) for replay in replays]
  for number in range(100):
    for replay in replays:
      replay.add(_steps(number, types))
    if number > 20:
      memory, disk = (
          tf.nest.map_structure(lambda x: x.numpy().tolist(), next(batch))
          for batch in batches
      )
      assert memory == disk


@pytest.mark.parametrize('kind', _KINDS)
def test_what_pads_an_episode_is_masked(tmp_path, kind):
  """The steps of the episode are valid, all of them, and no other is."""
  types = np.stack([_episodes(*[5] * 10)] * _STREAMS)
  replay = kind(_spec(), _STREAMS, _STREAMS * 40, tmp_path / 'replay')
  for number in range(45):
    replay.add(_steps(number, types))
  sampling = replay_lib.Sampling(whole_episodes=True)
  (batch,) = replay.sample(16, 8, sampling).take(1)
  steps = experience.from_trajectory(
      batch, lambda action: tf.one_hot(action, 200)
  )
  np.testing.assert_array_equal(steps.is_valid, [[True] * 5 + [False] * 3] * 16)
  # As TF-Agents writes padding.
  assert np.all(batch.is_boundary().numpy()[:, 5:])
  for leaf in (batch.observation, batch.action, batch.reward, batch.discount):
    assert not np.any(leaf.numpy()[:, 5:])
  # The episode itself is as it was.
  numbers = batch.action.numpy()[:, :5] % 50
  assert np.all(numbers % 5 == np.arange(5))


def test_a_padded_episode_has_the_loss_of_the_episode(tmp_path, monkeypatch):
  """What stands behind its end changes no number of the world model."""

  def smooth(self, distribution, seed):
    # No chance: which numbers are drawn depends on how many are.
    del self, seed
    probabilities = distribution.distribution.probs_parameter()
    return tf.reshape(probabilities, [*probabilities.shape[:-2], -1])

  monkeypatch.setattr(latents.Latents, 'draw', smooth)
  types = np.stack([_episodes(*[5] * 10)] * _STREAMS)
  replay = replay_lib.DiskReplay(_spec(), _STREAMS, 120, tmp_path / 'replay')
  for number in range(30):
    replay.add(_steps(number, types))
  model = small.model(tf.TensorSpec([3], tf.float32), action_size=3)
  sampling = replay_lib.Sampling(whole_episodes=True)

  def loss(batch):
    image = tf.cast(batch.observation[..., 0, 0, :], tf.float32)
    steps = experience.from_trajectory(
        batch._replace(observation=image / 100),
        lambda action: tf.one_hot(action % 3, 3),
    )
    value, _, metrics = losses.loss(model, steps, draws.Seed([1, 2]))
    return [value.numpy(), *(metric.numpy() for metric in metrics.values())]

  (padded,) = replay.sample(4, 8, sampling).take(1)
  alone = tf.nest.map_structure(lambda leaf: leaf[:, :5], padded)
  np.testing.assert_allclose(loss(padded), loss(alone), rtol=1e-5)


@pytest.mark.parametrize('kind', _KINDS)
def test_episodes_are_whole_and_none_comes_twice(tmp_path, kind):
  """All that are over, cut and padded; fewer where they take too much."""
  types = np.stack([_episodes(5, 3, 7, 9)] * _STREAMS)
  replay = kind(_spec(), _STREAMS, _STREAMS * 40, tmp_path / 'replay')
  for number in range(20):  # The last one goes on.
    replay.add(_steps(number, types))
  every = 10**6
  steps, lengths = replay.episodes(every, 6, every, seed=0)
  assert sorted(lengths) == sorted([5, 3, 6] * _STREAMS)
  shape = steps.step_type.shape
  assert shape == (3 * _STREAMS, 6)
  behind = np.arange(6) >= lengths[:, np.newaxis]
  np.testing.assert_array_equal(steps.step_type.numpy()[behind], 2)
  np.testing.assert_array_equal(steps.action.numpy()[behind], 0)
  first = {
      tuple(row) for row in steps.observation.numpy()[:, 0].reshape(-1, 48)
  }
  assert len(first) == len(lengths)
  step_bytes = replay.size_of(_spec(), 1, 1).step_bytes
  fewer, _ = replay.episodes(every, 6, 2 * 6 * step_bytes, seed=0)
  assert fewer.step_type.shape[0] == 2
  assert len(replay.episodes(3, 6, every, seed=0)[1]) == 3


def test_a_replay_without_an_episode_has_none(tmp_path):
  """Not the beginning of one."""
  replay = _KINDS[0](_spec(), _STREAMS, _STREAMS * 40, tmp_path / 'replay')
  types = np.stack([_episodes(9)] * _STREAMS)
  for number in range(5):
    replay.add(_steps(number, types))
  assert not len(replay.episodes(10, 20, 10**6, seed=0)[1])
