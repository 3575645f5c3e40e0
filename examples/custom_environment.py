"""Trains R2I in an environment of one's own, a T-maze.

The agent stands at the foot of a corridor. A sign there points left or right.
At the corridor's other end, out of sight of the sign, it has to turn the way
that the sign pointed: +1 if it does, -1 if not. The longer the corridor, the
longer it has to remember.

`TMaze` shows what an environment must offer:

- It is a `dm_env.Environment`: `reset`, `step`, `observation_spec` and
  `action_spec`. Observations are arrays of fixed shape, or a nest of them such
  as a dict. Images are uint8 [height, width, channels]; everything else is a
  vector. There is one action, an integer or a vector of them, or a vector of
  floats, in either case with bounds. Every step is held to these specs.
- It draws at random from a generator of its own, seeded by the argument `seed`.
  Each copy of the environment gets another seed, all of them from the run's.
- It tells an end from a time limit: `dm_env.termination` says that nothing
  follows (discount 0), `dm_env.truncation` that the episode is cut here.
- The step after the last of an episode starts the next one.

`training.train` then does the rest: it collects, trains, writes a record and
checkpoints, goes on where it stopped, exports the policy and evaluates it.
For a training loop of your own, pass the environment to pipeline.py instead.

    TF_CPP_MIN_LOG_LEVEL=3 python examples/custom_environment.py
"""

import r2i_tf  # noqa: F401  Before TF-Agents: chooses the Keras 2 it needs.

# isort: split
from collections.abc import Sequence
import dataclasses
from typing import Any, Optional

from absl import app
from absl import flags
import dm_env
from dm_env import specs
import numpy as np
from tf_agents.environments import py_environment

from r2i_tf import environments
from r2i_tf import run_config
from r2i_tf import training

_WORKDIR = flags.DEFINE_string(
    'workdir', 'runs/t_maze', 'Directory of the run, new or to go on with.'
)
_STEPS = flags.DEFINE_integer(
    'steps', 60_000, 'Environment steps after which the run ends.'
)

FORWARD, LEFT, RIGHT = range(3)
LENGTH = 8  # Fields of the corridor, the junction included.
TIME_LIMIT = 5 * LENGTH


class TMaze(dm_env.Environment):
  """A corridor with a sign at its foot and a junction at its end."""

  def __init__(self, seed: int):
    """Creates the maze; `seed` is that of the signs."""
    self._rng = np.random.default_rng(seed)
    self._sign = LEFT
    self._field = 0
    self._steps = 0
    self._is_over = True

  def observation_spec(self) -> dict[str, specs.Array]:
    """Returns the specs of the two parts of an observation."""
    return {
        # Which way the sign points, one-hot; zeros out of its sight.
        'sign': specs.BoundedArray([2], np.float32, 0.0, 1.0),
        # How far the junction is: 1 at the foot, 0 at the junction.
        'distance': specs.BoundedArray([1], np.float32, 0.0, 1.0),
    }

  def action_spec(self) -> specs.DiscreteArray:
    """Returns the spec of the action: FORWARD, LEFT or RIGHT."""
    return specs.DiscreteArray(3)

  def reset(self) -> dm_env.TimeStep:
    """Puts up a new sign, and the agent to the foot of the corridor."""
    self._sign = int(self._rng.choice([LEFT, RIGHT]))
    self._field = self._steps = 0
    self._is_over = False
    return dm_env.restart(self._observation())

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    """Walks a field, turns at the junction, or runs against a wall."""
    if self._is_over:
      return self.reset()
    self._steps += 1
    at_junction = self._field == LENGTH - 1
    if at_junction and action != FORWARD:
      self._is_over = True
      reward = 1.0 if action == self._sign else -1.0
      return dm_env.termination(reward, self._observation())
    if action == FORWARD and not at_junction:
      self._field += 1
    if self._steps == TIME_LIMIT:
      self._is_over = True
      return dm_env.truncation(0.0, self._observation())
    return dm_env.transition(0.0, self._observation())

  def _observation(self) -> dict[str, np.ndarray]:
    sign = np.zeros([2], np.float32)
    if self._field == 0:
      sign[self._sign - LEFT] = 1.0
    distance = np.array([1 - self._field / (LENGTH - 1)], np.float32)
    return {'sign': sign, 'distance': distance}


def load(
    task: str, seed: int, options: Optional[Any] = None
) -> py_environment.PyEnvironment:
  """Makes one maze, for the evaluation; it has no options."""
  del task, options
  return environments.load(TMaze, seed)


def load_batch(
    task: str,
    seed: int,
    count: int,
    options: Optional[Any] = None,
    pool: Optional[environments.PoolOptions] = None,
) -> py_environment.PyEnvironment:
  """Makes `count` mazes, each with a seed of its own."""
  del task, options
  return environments.load_batch(TMaze, seed, count, pool=pool)


def main(argv: Sequence[str]) -> None:
  """Trains until the agent takes the right turn, or for so many steps."""
  del argv
  config = dataclasses.replace(
      run_config.RunConfig.preset('bsuite', 'debug'),  # A model for two cores.
      task='t_maze',
      steps=_STEPS.value,
      stop_at_return=0.95,
      evaluation_episodes=20,
  )
  parts = dataclasses.replace(
      training.R2I_PARTS, load=load, load_batch=load_batch
  )
  summary = training.train(config, _WORKDIR.value, parts)
  print(f'The run ended after {summary.environment_steps:,} steps:')
  print(f'{summary.stopped.value}.')
  if summary.evaluation is not None:  # None where it was interrupted.
    print(
        f'The mean return of the greedy policy: {summary.evaluation.mean:.2f}'
    )
  print(f'The learning curve: {summary.plot}')


if __name__ == '__main__':
  app.run(main)
