"""An environment of Gymnasium that gives what it is told to."""

import gymnasium
from gymnasium import spaces
import numpy as np

SAMPLE = object()
VECTOR = spaces.Box(-1, 1, (3,), np.float32)


class Fake(gymnasium.Env):
  """Gives one observation over and over, and refuses actions out of its space.

  Its episodes have three steps; `taken` are the actions of all.
  """

  def __init__(
      self,
      observation_space=VECTOR,
      observation=SAMPLE,
      action_space=None,
      reward=1.0,
  ):
    self.observation_space = observation_space
    self.action_space = action_space or spaces.Discrete(2)
    if observation is SAMPLE:
      observation = observation_space.sample()
    self._observation, self._reward = observation, reward
    self.taken, self.seeds, self.closed = [], [], 0

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self.seeds.append(seed)
    self._steps = 0
    return self._observation, {}

  def step(self, action):
    assert self.action_space.contains(action), (action, self.action_space)
    self.taken.append(action)
    self._steps += 1
    return self._observation, self._reward, self._steps == 3, False, {}

  def close(self):
    self.closed += 1
