"""Probes find what is there, and nothing that is not."""

import numpy as np
import pytest

from r2i_tf.analysis import probes
from r2i_tf.analysis import targets


def _numbers(values):
  """Returns the one target of numbers [N, T], and the episodes' lengths."""
  lengths = np.full([len(values)], values.shape[1])
  (target,) = targets.find(values[..., np.newaxis], {}, lengths).targets
  return target, lengths


def _delay_line(values, steps):
  """Returns states [N, T, steps] that hold the last so many numbers."""
  padded = np.pad(values, [(0, 0), (steps - 1, 0)])
  return np.stack(
      [padded[:, steps - 1 - k : padded.shape[1] - k] for k in range(steps)],
      -1,
  )


def test_a_memory_of_known_length_is_found():
  """What a delay line of 8 steps holds is found, and nothing before it."""
  noise = np.random.default_rng(0).normal(size=[200, 40]).astype(np.float32)
  target, lengths = _numbers(noise)
  states = _delay_line(noise, 8).astype(np.float32)
  split = probes.split(200, seed=0)
  scores = probes.by_lag(states, target, lengths, [0, 3, 7, 8, 20], split, 0)
  np.testing.assert_allclose(scores, [1, 1, 1, 0, 0], atol=0.05)


def test_states_of_noise_are_at_chance():
  """Many features of few episodes fit anything, but it is not scored."""
  rng = np.random.default_rng(1)
  bits = np.repeat(rng.integers(0, 2, [120, 1]), 10, 1)
  target, lengths = _numbers(bits)
  states = rng.normal(size=[120, 10, 64]).astype(np.float32)
  split = probes.split(120, seed=0)
  assert probes.chance_by_age(target, lengths, [0, 4, 9]) == 0.5
  for score in probes.by_age(states, target, lengths, [0, 4, 9], split, 0):
    # Of 36 episodes, by three standard deviations.
    assert abs(score - 0.5) < 0.25


def test_nothing_leaks_from_one_episode_to_another():
  """Who knows which episode it is, and no more, is at chance.

  Were steps of an episode fitted and others of it scored, it would be 1.
  """
  rng = np.random.default_rng(2)
  which = rng.normal(size=[120, 1, 64]).astype(np.float32)
  states = which + 0.01 * rng.normal(size=[120, 10, 64]).astype(np.float32)
  bits = np.repeat(rng.integers(0, 2, [120, 1]), 10, 1)
  target, lengths = _numbers(bits)
  split = probes.split(120, seed=0)
  (score,) = probes.by_lag(states, target, lengths, [0], split, 0)
  assert abs(score - 0.5) < 0.25


def test_an_episode_is_in_one_part_of_a_split():
  """And each is in one."""
  split = probes.split(50, seed=3)
  together = np.concatenate([split.fit, split.choose, split.test])
  assert sorted(together) == list(range(50))


def test_no_pair_of_steps_runs_over_the_end_of_an_episode():
  """Behind an episode's end the state would say everything."""
  rng = np.random.default_rng(4)
  noise = rng.normal(size=[60, 30]).astype(np.float32)
  lengths = np.full([60], 10)
  (target,) = targets.find(noise[..., np.newaxis], {}, lengths).targets
  states = rng.normal(size=[60, 30, 1]).astype(np.float32)
  states[:, 10:, 0] = noise[:, 5:25]  # Five steps ago, behind the end.
  split = probes.split(60, seed=0)
  scores = probes.by_lag(states, target, lengths, [5, 10], split, 0)
  assert abs(scores[0]) < 0.1 and scores[1] is None


def test_a_rare_value_does_not_raise_chance():
  """Who always names the frequent value has recognised half of the values."""
  rng = np.random.default_rng(5)
  rare = (rng.uniform(size=[100, 20]) < 0.1).astype(np.int32)
  target, lengths = _numbers(rare)
  split = probes.split(100, seed=0)
  blind = rng.normal(size=[100, 20, 4]).astype(np.float32)
  (score,) = probes.by_lag(blind, target, lengths, [0], split, 0)
  assert probes.chance_by_lag(target, lengths, [0]) == 0.5
  assert abs(score - 0.5) < 0.15
  seeing = rare[..., np.newaxis].astype(np.float32)
  assert probes.by_lag(seeing, target, lengths, [0], split, 0) == [1.0]


def test_more_features_than_components_are_kept_in_the_main():
  """What most of a large state says is found among its main components."""
  rng = np.random.default_rng(6)
  noise = rng.normal(size=[60, 20]).astype(np.float32)
  target, lengths = _numbers(noise)
  mixed = noise[..., np.newaxis] * rng.normal(size=[600]).astype(np.float32)
  split = probes.split(60, seed=0)
  few = probes.reduced(mixed, lengths, split, 0)
  assert few.shape == (60, 20, 512)
  (score,) = probes.by_lag(few, target, lengths, [0], split, 0)
  assert score == pytest.approx(1.0, abs=0.01)


def test_few_features_are_as_they_are():
  """Components would mix what is small with what is large."""
  states = np.ones([3, 4, 5], np.float32)
  lengths = np.full([3], 4)
  assert probes.reduced(states, lengths, probes.split(3, 0), 0) is states


def test_too_few_episodes_say_nothing():
  """None stands where a score would be one of luck."""
  noise = np.random.default_rng(7).normal(size=[10, 5]).astype(np.float32)
  target, lengths = _numbers(noise)
  split = probes.split(10, seed=0)
  states = noise[..., np.newaxis]
  assert probes.by_lag(states, target, lengths, [0], split, 0) == [None]


@pytest.mark.parametrize(
    ('length', 'expected'),
    [(1, [0]), (2, [0, 1]), (6, [0, 1, 2, 4, 5]), (102, 101)],
)
def test_lags_double_until_the_length_of_episodes(length, expected):
  """From the same step to the first one."""
  found = probes.log_lags(np.full([3], length))
  if isinstance(expected, int):
    expected = [0, 1, 2, 4, 8, 16, 32, 64, expected]
  assert found == expected


def test_chance_is_of_the_values_that_are_probed():
  """One of four values, of which two begin an episode, and two are early."""
  rng = np.random.default_rng(7)
  values = rng.integers(0, 4, [60, 20])
  values[:, :10] = rng.integers(0, 2, [60, 10])
  target, lengths = _numbers(values)
  assert target.classes == 4
  assert probes.chance_by_age(target, lengths, [1, 19]) == 0.5
  assert probes.chance_by_lag(target, lengths, [0, 1]) == 0.25
  assert probes.chance_by_lag(target, lengths, [0, 15]) == 0.5
