"""Whole episodes to look at: of a run's replay, or new ones.

Those of the replay are what the world model has learned from. It may know them
by heart, recognised by their actions; of new ones it knows nothing. New ones
may also show what the agent does not see: where a task has such a variant, the
ground truth beside the observation.
"""

from collections.abc import Callable
from collections.abc import Sequence
import contextlib
import dataclasses
import time
from typing import Any

import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib
from tf_agents.utils import common
from tf_agents.utils import nest_utils

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf.agents import r2i_agent
from r2i_tf.analysis import opened
from r2i_tf.environments.suites import registry

LONGEST = 4096  # Steps after which an episode is cut.
_BYTES = 2**28  # What the episodes may take.
_QUIET_SECONDS = 30.0  # After which there is a line.
# Environments that are acted in at once, where they are in this process.
_TOGETHER = 64


@dataclasses.dataclass(frozen=True)
class Episodes:
  """Episodes from their first steps on, padded behind their ends.

  Attributes:
    trajectory: A `Trajectory` of arrays [N, T, ...].
    lengths: The steps of each, int64 [N].
    truths: What the agent does not see, by key: arrays [N, T, ...].
    is_new: Whether the world model has not learned from them.
  """

  trajectory: trajectory_lib.Trajectory
  lengths: np.ndarray
  truths: dict[str, np.ndarray]
  is_new: bool

  def some(self, chosen: np.ndarray) -> 'Episodes':
    """Returns some of them.

    Args:
      chosen: Their numbers, or bool [N].
    """
    return Episodes(
        tf.nest.map_structure(lambda x: x[chosen], self.trajectory),
        self.lengths[chosen],
        {key: x[chosen] for key, x in self.truths.items()},
        self.is_new,
    )


def of_replay(run: opened.OpenedRun, count: int, seed: int) -> Episodes:
  """Returns episodes of the replay of a run's last checkpoint.

  Args:
    run: The run.
    count: How many at most.
    seed: Of the draw.

  Raises:
    errors.RunError: The run has no replay of its own, or none that is over.
  """
  if run.replay is None:
    raise errors.RunError(
        f'the replay of the run in {run.paths.path} is in a server, which'
        ' keeps it: look at new episodes, by --source=new.'
    )
  trajectory, lengths = run.replay.episodes(count, LONGEST, _BYTES, seed)
  if not len(lengths):
    raise errors.RunError(
        f'no episode in the replay of {run.paths.path} is over yet: look again'
        ' after the next checkpoint, or at new episodes, by --source=new.'
    )
  return Episodes(
      tf.nest.map_structure(np.asarray, trajectory), lengths, {}, False
  )


def are_cheap(run: opened.OpenedRun) -> bool:
  """Returns whether new episodes can be had, and without drawing pictures.

  Args:
    run: The run.
  """
  task = run.config.task
  return registry.is_named(task) and not registry.renders(
      task, run.config.environment
  )


def new(
    run: opened.OpenedRun,
    count: int,
    seed: int,
    max_steps: int = LONGEST,
    note: Callable[[str], None] = print,
) -> Episodes:
  """Acts new episodes, by the policy that collects.

  Args:
    run: The run, started with named tasks.
    count: How many.
    seed: Of environments and policy.
    max_steps: Steps after which an episode is cut.
    note: Takes a line now and then where it takes long.

  Returns:
    So many, or fewer where they take too much memory.
  """
  task = registry.with_ground_truth(run.config.task)
  options = run.config.environment
  together = _TOGETHER
  if registry.renders(task, options):
    together = run.config.parallel_environments  # Each a process.
  # Not the seeds of the run's own episodes.
  words = np.random.SeedSequence([run.config.seed, seed]).generate_state(1)
  drawn = int(words[0])
  with contextlib.closing(
      environments.load_batch(task, drawn, min(count, together), options)
  ) as environment:
    tf.random.set_seed(drawn)
    return _acted(
        run.agent,
        environment,
        count,
        task != run.config.task,
        max_steps,
        _Progress(count, note),
    )


class _Progress:
  """Says every half minute how far it is."""

  def __init__(self, count: int, note: Callable[[str], None]):
    self._count, self._note = count, note
    self._begin = self._last = time.monotonic()

  def tell(self, over: int, steps: int) -> None:
    """Takes the number of episodes that are over, and of all steps."""
    now = time.monotonic()
    if now - self._last < _QUIET_SECONDS:
      return
    self._last = now
    self._note(
        f'{over:,} of {self._count:,} episodes acted, {steps:,} steps,'
        f' {steps / (now - self._begin):.1f} a second'
    )


def _acted(
    agent: r2i_agent.R2IAgent,
    environment: py_environment.PyEnvironment,
    count: int,
    shows_truth: bool,
    max_steps: int,
    progress: _Progress,
) -> Episodes:
  """Returns the first whole episodes of each environment of a batch.

  Args:
    agent: Whose policy acts.
    environment: The batch.
    count: Episodes, over all of them.
    shows_truth: Whether it is a variant that shows more than the agent sees.
    max_steps: Steps after which an episode is cut.
    progress: Is told of each step.
  """
  act = common.function(agent.collect_policy.action)
  shares = np.full([environment.batch_size], count // environment.batch_size)
  shares[: count % environment.batch_size] += 1
  # Those in processes of their own say nothing.
  members = getattr(environment, 'envs', [])
  running: list[list[Any]] = [[] for _ in shares]
  over: list[Any] = []
  is_cut = np.zeros([environment.batch_size], bool)
  taken = steps = 0
  time_step = environment.reset()
  state = agent.collect_policy.get_initial_state(environment.batch_size)
  while shares.any():
    seen, truths = time_step.observation, {}
    if shows_truth:
      truths = dict(seen)
      seen = truths.pop('image')
    said = [member.truths() for member in members]
    known = ts.TimeStep(
        time_step.step_type, time_step.reward, time_step.discount, seen
    )
    step = act(tf.nest.map_structure(tf.convert_to_tensor, known), state)
    state = step.state
    action = tf.nest.map_structure(np.asarray, step.action)
    following = environment.step(action)
    trajectory = trajectory_lib.from_transition(
        known, step._replace(action=action), following
    )._replace(policy_info=())
    rows = nest_utils.unstack_nested_arrays((trajectory, truths))
    row_bytes = sum(x.nbytes for x in tf.nest.flatten((trajectory, truths)))
    row_bytes //= environment.batch_size
    for index in np.flatnonzero(shares):
      is_last = time_step.step_type[index] == ts.StepType.LAST
      is_first = time_step.step_type[index] == ts.StepType.FIRST
      if is_first:
        is_cut[index] = False
      if is_cut[index]:
        continue
      trajectory_row, truths_row = rows[index]
      truths_row.update(said[index] if said else {})
      running[index].append((trajectory_row, truths_row))
      taken += row_bytes
      if is_last or len(running[index]) == max_steps:
        is_cut[index] = not is_last
        over.append(_stacked(running[index]))
        shares[index] -= 1
        running[index] = []
    if taken > _BYTES:
      # As many as fit; if none is over, the longest until now.
      over = over or [_stacked(max(running, key=len))]
      break
    waiting = is_cut[shares > 0]
    if len(waiting) and waiting.all():  # For the rest of what was cut.
      following = environment.reset()
    time_step = following
    steps += environment.batch_size
    progress.tell(len(over), steps)
  lengths = np.array([len(steps.step_type) for steps, _ in over], np.int64)
  longest = int(lengths.max())

  def padded(*parts: np.ndarray) -> np.ndarray:
    array = np.zeros([len(parts), longest, *parts[0].shape[1:]], parts[0].dtype)
    for row, part in zip(array, parts):
      row[: len(part)] = part
    return array

  joined, truths = tf.nest.map_structure(padded, *_alike(over, 1))
  behind = np.arange(longest) >= lengths[:, np.newaxis]
  joined.step_type[behind] = ts.StepType.LAST
  return Episodes(joined, lengths, truths, True)


def _stacked(steps: Sequence[Any]) -> tuple[Any, dict[str, np.ndarray]]:
  """Returns the steps of an episode as arrays, with what is said at each."""
  return nest_utils.stack_nested_arrays(_alike(steps, 0))


def _alike(parts: Sequence[Any], axis: int) -> list[Any]:
  """Returns pairs with those truths that all of them have, of one shape.

  What an environment says only at times, such as at the end of an episode,
  cannot be probed.

  Args:
    parts: Of a trajectory and truths by key.
    axis: The first one that must be as long in all of them.
  """

  def is_kept(key: str) -> bool:
    shapes = [
        truths[key].shape[axis:] if key in truths else None
        for _, truths in parts
    ]
    return shapes.count(shapes[0]) == len(shapes)

  keys = [key for key in parts[0][1] if is_kept(key)]
  return [
      (trajectory, {key: truths[key] for key in keys})
      for trajectory, truths in parts
  ]
