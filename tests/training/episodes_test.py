"""Counting where the environment steps."""

import numpy as np
from tf_agents.environments import batched_py_environment

from r2i_tf import environments
from r2i_tf.training import episodes
from tests.training import fakes


def test_boundaries_are_not_counted_and_each_return_is_its_own():
  """Environments of unequal episodes are counted apart, resets not at all."""
  recorder = episodes.EpisodeRecorder(
      batched_py_environment.BatchedPyEnvironment(
          [fakes.Countdown(2), fakes.Countdown(3)], multithreading=False
      )
  )
  recorder.reset()
  for _ in range(12):  # Four episodes with their resets, and three.
    recorder.step(np.zeros([2], np.int32))
  assert recorder.episodes == 4 + 3
  assert recorder.environment_steps == 4 * 2 + 3 * 3
  finished = recorder.take_finished()
  assert sorted(e.episode_return for e in finished) == [2.0] * 4 + [3.0] * 3
  assert [e.environment_step for e in finished][:2] == [4, 5]
  assert recorder.take_finished() == []
  assert recorder.mean_return(200) == 17 / 7


def test_what_an_environment_says_of_an_episode_goes_with_its_return():
  """Each of a batch for itself; one that says nothing is no fault."""
  recorder = episodes.EpisodeRecorder(
      environments.load_batch('bsuite/catch/0', seed=1, count=3)
  )
  recorder.reset()
  while recorder.episodes < 12:
    recorder.step(np.ones([3], np.int32))
  finished = recorder.take_finished()
  assert len({e.episode_return for e in finished}) == 2
  for episode in finished:
    assert episode.info == {'total_regret': 1 - episode.episode_return}
