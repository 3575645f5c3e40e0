"""Environments for the tests; no TensorFlow here, a pool imports this file."""

import os
import signal
import time

import dm_env
from dm_env import specs
import numpy as np


class Corridor(dm_env.Environment):
  """Three steps cut short by a time limit, with float64 throughout.

  The observation holds the last action and the seed.
  """

  def __init__(self, seed=0):
    self.seed = seed
    self.steps = 0
    self.resets = 0

  def reset(self):
    self.steps = 0
    self.resets += 1
    return dm_env.restart(self.observation(0.0))

  def step(self, action):
    self.steps += 1
    observation = self.observation(action)
    if self.steps == 3:
      return dm_env.truncation(0.5, observation)
    return dm_env.transition(0.5, observation)

  def observation(self, action):
    return {'position': np.array([action, self.seed], np.float64)}

  def observation_spec(self):
    return {'position': specs.Array([2], np.float64)}

  def action_spec(self):
    return specs.BoundedArray([], np.float64, -1.0, 1.0)


class Scripted(dm_env.Environment):
  """Gives the steps it was made with, and an empty room's specs."""

  def __init__(self, *steps):
    self._steps = list(steps)

  def reset(self):
    return self._next()

  def step(self, action):
    del action
    return self._next()

  def _next(self):
    step = self._steps.pop(0)
    if isinstance(step, Exception):
      raise step
    return step

  def observation_spec(self):
    return specs.Array([2], np.float32)

  def action_spec(self):
    return specs.DiscreteArray(2)


class Fragile(dm_env.Environment):
  """Counts its steps, five to an episode; some actions end it otherwise.

  The observation holds the number of the step in its episode and the process.
  """

  RUN, RAISE, KILL, EXIT, NAN, SHAPE, DTYPE, HANG = range(8)

  def __init__(self, seed=0):
    self.seed = seed
    self.steps = 0

  def reset(self):
    self.steps = 0
    return dm_env.restart(self.observation())

  def step(self, action):
    self.steps += 1
    reward = 1.0
    observation = self.observation()
    if action == self.RAISE:
      raise ZeroDivisionError('the floor is lava')
    if action == self.KILL:
      os.kill(os.getpid(), signal.SIGKILL)
    if action == self.EXIT:
      os._exit(3)
    if action == self.NAN:
      reward = float('nan')
    if action == self.SHAPE:
      observation = observation[:1]
    if action == self.DTYPE:
      observation = observation.astype(np.float32)
    if action == self.HANG:
      time.sleep(60)
    if self.steps == 5:
      return dm_env.termination(reward, observation)
    return dm_env.transition(reward, observation)

  def observation(self):
    return np.array([self.steps, self.seed, os.getpid()], np.int64)

  def observation_spec(self):
    return specs.Array([3], np.int64)

  def action_spec(self):
    return specs.DiscreteArray(8, np.int32)


class FailsAtReset(Fragile):
  """Fails at every reset but the first of a process."""

  def __init__(self, seed=0):
    super().__init__(seed)
    self.resets = 0

  def reset(self):
    self.resets += 1
    if self.resets > 1:
      raise ZeroDivisionError('no second life')
    return super().reset()


class FailsAtOnce(Fragile):
  """Fails at its first reset."""

  def reset(self):
    raise ZeroDivisionError('no first life')


class CannotStart(Fragile):
  """Fails when it is made."""

  def __init__(self, seed=0):
    raise ZeroDivisionError('not made')


class Diary(dm_env.Environment):
  """Shows which time step of its life it is at, and the action that led there.

  Its seed says how long each episode is, 2 to 6 steps. A first step has no
  action, -1.
  """

  def __init__(self, seed=0):
    self._random = np.random.default_rng(seed)
    self._number, self._left = -1, 0

  def reset(self):
    self._left = int(self._random.integers(2, 7))
    return dm_env.restart(self._next(-1))

  def step(self, action):
    self._left -= 1
    make = dm_env.transition if self._left else dm_env.termination
    return make(1.0, self._next(action))

  def _next(self, action):
    self._number += 1
    return np.array([self._number, action], np.float32)

  def observation_spec(self):
    return specs.Array([2], np.float32)

  def action_spec(self):
    return specs.DiscreteArray(3, np.int32)


class Room(dm_env.Environment):
  """Episodes of five steps; one fault after so many steps over all episodes."""

  def __init__(self, fault=None, at=0):
    self._fault, self._at = fault, at
    self._total, self._left = 0, 0

  def reset(self):
    self._left = 5
    if self._fault == 'reset' and self._total >= self._at:
      raise ZeroDivisionError('no second life')
    return dm_env.restart(np.zeros([2], np.float32))

  def step(self, action):
    del action
    self._total += 1
    self._left -= 1
    reward, observation = 1.0, np.zeros([2], np.float32)
    if self._total == self._at:
      if self._fault == 'raise':
        raise ZeroDivisionError('the floor is lava')
      if self._fault == 'reward':
        reward = float('nan')
      if self._fault == 'observation':
        observation[1] = np.nan
      if self._fault == 'shape':
        observation = observation[:1]
      if self._fault == 'dtype':
        observation = observation.astype(np.float64)
    if self._left:
      return dm_env.transition(reward, observation)
    return dm_env.termination(reward, observation)

  def observation_spec(self):
    return specs.Array([2], np.float32)

  def action_spec(self):
    return specs.DiscreteArray(2, np.int32)
