"""The sequences that a run is looked at with: held out, if there are such."""

from collections.abc import Callable
from typing import NamedTuple, Optional

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib

from r2i_tf import replay as replay_lib
from r2i_tf import run_config
from r2i_tf.agents import r2i_agent
from r2i_tf.replay import sampling
from r2i_tf.training import hosts as hosts_lib
from r2i_tf.training import learner as learner_lib

BATCH = 8  # Sequences of one look, at most.


class Drawn(NamedTuple):
  """Sequences to look at.

  Attributes:
    trajectory: [B, T].
    held_out: Whether nothing was ever trained on them.
  """

  trajectory: trajectory_lib.Trajectory
  held_out: bool


Draw = Callable[[], Optional[Drawn]]


def are_wanted(
    agent: tf_agent.TFAgent,
    learner: learner_lib.Learner,
    hosts: hosts_lib.Hosts,
) -> bool:
  """Returns whether this process looks at the agent of a run.

  One of several hosts does, if it has the agent's world model: not where that
  is on a TPU, and not that of another kind of agent.

  Args:
    agent: Of the run.
    learner: Of the run.
    hosts: Of the run.
  """
  is_here = hosts.is_chief and not learner.feeds
  return is_here and isinstance(agent, r2i_agent.R2IAgent)


def from_replay(
    replay: replay_lib.Replay, config: run_config.ReplayConfig, seed: int
) -> Draw:
  """Returns a function that draws sequences of a replay.

  They are any, wherever an episode starts, and none is missed where the run
  trains: it would not repeat if its batches hung on when it is looked at. Of a
  run that trains on episodes from their starts alone, what comes before the
  first start counts as padding: such a run never asks its model for an end
  whose beginning it was not shown.

  Args:
    replay: It holds a sequence whenever one is drawn.
    config: The sequences' length, and whether some are held out.
    seed: Of the draws.
  """

  def batches(part: replay_lib.Part) -> Callable[[], trajectory_lib.Trajectory]:
    iterator = iter(
        replay.sample(
            min(BATCH, config.batch_size),
            config.sequence_length,
            sampling.Sampling(seed % 2**31, part=part),
        )
    )
    if config.whole_episodes or config.episode_starts == 1:
      return lambda: from_first_start(next(iterator))
    return lambda: next(iterator)

  if not config.held_out:
    of_all = batches(replay_lib.Part.ALL)
    return lambda: Drawn(of_all(), False)
  held_out = batches(replay_lib.Part.HELD_OUT)
  trained = batches(replay_lib.Part.TRAINED)

  def draw() -> Drawn:
    if replay.has_sequence(config.sequence_length, replay_lib.Part.HELD_OUT):
      return Drawn(held_out(), True)
    return Drawn(trained(), False)

  return draw


def from_first_start(
    trajectory: trajectory_lib.Trajectory,
) -> trajectory_lib.Trajectory:
  """Makes padding of what comes before the first start of an episode.

  Args:
    trajectory: [B, T].

  Returns:
    The same, with the step types of padding there (`agents/experience.py`); a
    sequence in which no episode starts is as it was.
  """
  is_start = trajectory.is_first()
  before = tf.cumsum(tf.cast(is_start, tf.int32), axis=1) == 0
  before &= tf.reduce_any(is_start, axis=1, keepdims=True)

  def padded(step_type: tf.Tensor, padding: ts.StepType) -> tf.Tensor:
    return tf.where(before, tf.cast(padding, step_type.dtype), step_type)

  return trajectory._replace(
      step_type=padded(trajectory.step_type, ts.StepType.LAST),
      next_step_type=padded(trajectory.next_step_type, ts.StepType.FIRST),
  )
