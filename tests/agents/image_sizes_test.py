"""An image of a size that does not halve, in a whole train step."""

import numpy as np
import tensorflow as tf

from tests.agents import small


def test_any_size_trains():
  """Two train steps of an agent with an odd camera change its loss."""
  spec = tf.TensorSpec([27, 20, 3], tf.uint8)
  agent = small.agent(spec)
  experience = small.trajectories(spec)
  infos = [agent.train(experience) for _ in range(2)]
  losses = [float(info.loss) for info in infos]
  assert np.all(np.isfinite(losses)) and losses[0] != losses[1]
  for info in infos:
    assert info.extra['train/refused'] == 0
