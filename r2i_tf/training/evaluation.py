"""Episodes with an exported policy.

Needs the SavedModel only, none of the code that trained it: the returns are
those that a user of the export gets.
"""

from collections.abc import Callable
from collections.abc import Mapping
import contextlib
import dataclasses
import json
import math
import pathlib
from typing import Any, Optional

import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.policies import py_tf_eager_policy

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import files
from r2i_tf import schema
from r2i_tf.environments import options as options_lib
from r2i_tf.training import export
from r2i_tf.training import turns

RESULT_FILE = 'evaluation.json'
LoadEnvironment = Callable[
    [str, int, options_lib.SuiteOptions], py_environment.PyEnvironment
]


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """The returns of some episodes.

  Attributes:
    task: The task of the episodes.
    trained_on: The task that the policy was trained on.
    seed: Seed of the environment and of the policy.
    mean: The mean return.
    standard_error: Of the mean; None for one episode.
    returns: The return of each episode, in order.
  """

  task: str
  trained_on: str
  seed: int
  mean: float
  standard_error: Optional[float]
  returns: tuple[float, ...]


@turns.one_at_a_time
def evaluate(
    policy_directory: pathlib.Path,
    episodes: int,
    seed: int = 0,
    task: Optional[str] = None,
    load: LoadEnvironment = environments.load,
    stop: Callable[[], bool] = lambda: False,
) -> Optional[Evaluation]:
  """Runs episodes one after the other and writes the result beside the policy.

  Args:
    policy_directory: A directory that `export.export` wrote.
    episodes: How many; positive.
    seed: Seed of the environment and of the policy.
    task: The task; by default the one the policy was trained on. Another one
      needs the same observations and actions. Either is set up as the run's
      environments were.
    load: Makes the environment of a task from its name, a seed and options.
    stop: Asked before each step; true gives up.

  Returns:
    The result; None if it was given up.

  Raises:
    errors.RunError: There is no such policy, or it cannot act in the task.
  """
  if episodes < 1:
    raise errors.RunError(
        f'--episodes is {episodes}, but it must be at least 1.'
    )
  if not 0 <= seed < 2**31:
    raise errors.RunError(f'--seed is {seed}, but it must lie in [0, 2**31).')
  description = _read_description(policy_directory)
  trained_on = description['task']
  task = task or trained_on
  returns = []
  with contextlib.closing(
      load(task, seed, description['environment'])
  ) as environment:
    _check_specs(environment, task, description)
    policy = _load_policy(policy_directory, seed)
    for _ in range(episodes):
      episode_return = _run_episode(environment, policy, stop)
      if episode_return is None:
        return None
      returns.append(episode_return)
  error = None
  if episodes > 1:
    error = float(np.std(returns, ddof=1)) / math.sqrt(episodes)
  result = Evaluation(
      task=task,
      trained_on=trained_on,
      seed=seed,
      mean=float(np.mean(returns)),
      standard_error=error,
      returns=tuple(returns),
  )
  files.write_json(policy_directory / RESULT_FILE, dataclasses.asdict(result))
  return result


def _run_episode(
    environment: py_environment.PyEnvironment,
    policy: py_tf_eager_policy.SavedModelPyTFEagerPolicy,
    stop: Callable[[], bool],
) -> Optional[float]:
  """Returns the return of one episode, None if it was given up."""
  time_step = environment.reset()
  policy_state = policy.get_initial_state(batch_size=1)
  episode_return = 0.0
  while not time_step.is_last():
    if stop():
      return None
    step = policy.action(time_step, policy_state)
    policy_state = step.state
    time_step = environment.step(step.action)
    episode_return += float(time_step.reward)
  return episode_return


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
        str(policy_directory), load_specs_from_pbtxt=True
    )
  except (OSError, ValueError, tf.errors.OpError) as error:
    raise errors.RunError(
        f'--policy {policy_directory} cannot be loaded:'
        f' {str(error).strip().splitlines()[0]}'
    ) from error
