"""Counting where the environment steps."""

import numpy as np
from tf_agents.environments import batched_py_environment

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
