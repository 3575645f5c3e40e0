"""Episodes with an exported policy.

Needs the SavedModel only, none of the code that trained it: the returns are
those that a user of the export gets.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import json
import math
import pathlib
from typing import Any, NamedTuple, Optional

import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.policies import py_tf_eager_policy
from tf_agents.utils import nest_utils

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import files
from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf.environments import options as options_lib
from r2i_tf.training import drawing
from r2i_tf.training import export
from r2i_tf.training import signatures
from r2i_tf.training import turns
from r2i_tf.training import watching

RESULT_FILE = 'evaluation.json'
_SEEDS = 2**31
LoadEnvironment = Callable[
    [str, int, options_lib.SuiteOptions], py_environment.PyEnvironment
]


@dataclasses.dataclass(frozen=True)
class Score:
  """The mean return of the episodes of one seed.

  Attributes:
    seed: Of the environments and of the policy.
    mean: The mean return.
    standard_error: Of the mean; None for one episode.
  """

  seed: int
  mean: float
  standard_error: Optional[float]


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """The returns of some episodes.

  Attributes:
    task: The task of the episodes.
    trained_on: The task that the policy was trained on.
    seeds: The score of each seed.
    mean: The mean return of the episodes of all seeds.
    standard_error: Of that mean; None for one episode.
    returns: The return of each episode, in order, those of one seed together.
    max_steps: Steps after which an episode was cut.
    cut: How many were; the returns of these are of what they had until then.
    parallel: Environments that were stepped together.
  """

  task: str
  trained_on: str
  seeds: tuple[Score, ...]
  mean: float
  standard_error: Optional[float]
  returns: tuple[float, ...]
  max_steps: int
  cut: int
  parallel: int

  def falls_short(self, mean_return: float) -> bool:
    """Returns whether this is worse than another mean return.

    By four standard errors, and by a tenth of the other one.

    Args:
      mean_return: The other one, such as that of the last training episodes.
    """
    margin = max(4 * (self.standard_error or 0.0), 0.1 * abs(mean_return))
    return self.mean < mean_return - margin


@turns.one_at_a_time
def evaluate(
    policy_directory: pathlib.Path,
    episodes: int,
    seeds: Sequence[int] = (0,),
    task: Optional[str] = None,
    max_steps: int = run_config.EVALUATION_STEPS,
    parallel: int = 1,
    pictures: int = 0,
    load: LoadEnvironment = environments.load,
    stop: Callable[[], bool] = lambda: False,
    note: Callable[[str], None] = lambda _: None,
) -> Optional[Evaluation]:
  """Runs episodes and writes the result beside the policy.

  Then it draws the first of them. That changes no result: while they run, they
  are only watched, and where that or the drawing fails, there are no pictures.

  Args:
    policy_directory: A directory that `export.export` wrote.
    episodes: How many of each seed; positive.
    seeds: Seeds of the environments and of the policy.
    task: The task; by default the one the policy was trained on. Another one
      needs the same observations and actions. Either is set up as the run's
      environments were.
    max_steps: Steps after which an episode is cut that has not ended.
    parallel: How many environments the policy acts in together. Each runs its
      share of the episodes, however long they are: taking those that end first
      would favour the short ones.
    pictures: How many episodes are drawn: the first ones of the first
      environment (`drawing`).
    load: Makes the environment of a task from its name, a seed and options.
    stop: Asked before each step; true gives up.
    note: Shows a line, about pictures that are not there.

  Returns:
    The result; None if it was given up.

  Raises:
    errors.RunError: There is no such policy, or it cannot act in the task.
  """
  for flag, value in (
      ('episodes', episodes),
      ('max_steps', max_steps),
      ('parallel', parallel),
  ):
    if value < 1:
      raise errors.RunError(f'--{flag} is {value}, but it must be at least 1.')
  if pictures < 0:
    raise errors.RunError(
        f'--pictures is {pictures}, but it must be at least 0.'
    )
  _check_seeds(seeds)
  description = _read_description(policy_directory)
  trained_on = description['task']
  task = task or trained_on
  parallel = min(parallel, episodes)
  scores: list[Score] = []
  returns: list[float] = []
  cut = 0
  seen: list[watching.Seen] = []
  for seed in seeds:
    with contextlib.ExitStack() as stack:
      members = []
      for member_seed in _member_seeds(seed, parallel):
        member = load(task, member_seed, description['environment'])
        members.append(stack.enter_context(contextlib.closing(member)))
        _check_specs(member, task, description)
      policy = _load_policy(policy_directory, seed)
      watch = watching.Watch(
          0 if scores else pictures,  # Of the first seed.
          policy.signatures.get(signatures.ASSESSING),
          note,
      )
      ran = _run_episodes(members, policy, episodes, max_steps, stop, watch)
    if ran is None:
      return None
    seen.extend(watch.episodes)
    scores.append(Score(seed, *_mean(ran.returns)))
    returns.extend(ran.returns)
    cut += ran.cut
  mean, error = _mean(returns)
  result = Evaluation(
      task=task,
      trained_on=trained_on,
      seeds=tuple(scores),
      mean=mean,
      standard_error=error,
      returns=tuple(returns),
      max_steps=max_steps,
      cut=cut,
      parallel=parallel,
  )
  files.write_json(policy_directory / RESULT_FILE, dataclasses.asdict(result))
  if seen:
    drawing.draw(
        policy_directory,
        drawing.Played(task, seeds[0], description['environment']),
        seen,
        stop,
        note,
    )
  return result


class _Ran(NamedTuple):
  """Episodes: their returns, in order, and how many were cut."""

  returns: list[float]
  cut: int


def _run_episodes(
    members: Sequence[py_environment.PyEnvironment],
    policy: py_tf_eager_policy.SavedModelPyTFEagerPolicy,
    episodes: int,
    max_steps: int,
    stop: Callable[[], bool],
    watch: watching.Watch,
) -> Optional[_Ran]:
  """Returns the episodes, None if they were given up.

  Environment i of n runs the episodes i, i + n, i + 2 n and so on. One that has
  run its share stays in the batch with its last step, as the batch of the
  policy is one size. `watch` sees the first environment.
  """
  returns, cut = [0.0] * episodes, 0
  time_steps = [member.reset() for member in members]
  state = policy.get_initial_state(batch_size=len(members))
  numbers, lengths = list(range(len(members))), [0] * len(members)
  running = list(range(len(members)))
  watch.begin(time_steps[0])
  while running:
    if stop():
      return None
    before = state
    step = policy.action(nest_utils.stack_nested_arrays(time_steps), state)
    state = step.state
    actions = nest_utils.unstack_nested_arrays(
        tf.nest.map_structure(np.asarray, step.action)
    )
    for index in list(running):
      time_step = members[index].step(actions[index])
      time_steps[index] = time_step
      returns[numbers[index]] += float(time_step.reward)
      lengths[index] += 1
      if index == 0:
        watch.step(actions[0], time_step, before, state)
      if not time_step.is_last() and lengths[index] < max_steps:
        continue
      cut += not time_step.is_last()
      if index == 0:
        watch.end(cut=not time_step.is_last())
      numbers[index] += len(members)
      if numbers[index] >= episodes:
        running.remove(index)
      else:
        time_steps[index], lengths[index] = members[index].reset(), 0
        if index == 0:
          watch.begin(time_steps[0])
  return _Ran(returns, cut)


def _mean(returns: Sequence[float]) -> tuple[float, Optional[float]]:
  """Returns the mean and its standard error, None for one return."""
  if len(returns) == 1:
    return returns[0], None
  error = float(np.std(returns, ddof=1)) / math.sqrt(len(returns))
  return float(np.mean(returns)), error


def _check_seeds(seeds: Sequence[int]) -> None:
  for seed in seeds:
    if not 0 <= seed < _SEEDS:
      raise errors.RunError(
          f'--seeds has {seed}, but a seed must lie in [0, 2**31).'
      )
  if not seeds or len(set(seeds)) < len(seeds):
    raise errors.RunError(
        f'--seeds is {",".join(map(str, seeds))!r}, but it must have at least'
        ' one seed, and none twice.'
    )


def _member_seeds(seed: int, count: int) -> list[int]:
  """Returns the seeds of environments; the first is `seed` itself."""
  others = np.random.SeedSequence(seed).generate_state(count - 1)
  return [seed, *(int(other) % _SEEDS for other in others)]


def _read_description(policy_directory: pathlib.Path) -> Mapping[str, Any]:
  path = policy_directory / export.TASK_FILE
  try:
    description = json.loads(path.read_text(encoding='utf-8'))
    return {
        **{key: description[key] for key in ('task', 'specs')},
        # Absent where it was exported before there were options.
        'environment': schema.from_mapping(
            options_lib.SuiteOptions, description.get('environment', {})
        ),
    }
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise errors.RunError(
        f'--policy {policy_directory} is no policy of this project:'
        f' {export.TASK_FILE} cannot be read; a run writes them to'
        ' policies/greedy and policies/collect of its --workdir.'
    ) from error


def _check_specs(
    environment: py_environment.PyEnvironment,
    task: str,
    description: Mapping[str, Any],
) -> None:
  found = export.describe_specs(environment)
  for kind, expected in description['specs'].items():
    if found[kind] != expected:
      raise errors.RunError(
          f'the policy was trained on {description["task"]!r} and cannot act in'
          f' {task!r}: the {kind} is {found[kind]} there, but the policy needs'
          f' {expected}.'
      )


def _load_policy(
    policy_directory: pathlib.Path, seed: int
) -> py_tf_eager_policy.SavedModelPyTFEagerPolicy:
  tf.random.set_seed(seed)
  try:
    return py_tf_eager_policy.SavedModelPyTFEagerPolicy(
        str(policy_directory),
        load_specs_from_pbtxt=True,
        batch_time_steps=False,  # They come in a batch.
    )
  except (OSError, ValueError, tf.errors.OpError) as error:
    raise errors.RunError(
        f'--policy {policy_directory} cannot be loaded:'
        f' {str(error).strip().splitlines()[0]}'
    ) from error
