"""TF-Agents environments by name: `<suite>/<the suite's own name of a task>`.

Every suite is a `dm_env.Environment` underneath, which TF-Agents'
`DmControlWrapper` takes over.
"""

import contextlib
from typing import Optional

import numpy as np
from tf_agents.environments import batched_py_environment
from tf_agents.environments import py_environment

from r2i_tf import schema
from r2i_tf.environments import checks
from r2i_tf.environments import dm_env_adapter
from r2i_tf.environments import errors
from r2i_tf.environments import options as options_lib
from r2i_tf.environments import own
from r2i_tf.environments.pool import environment_pool as pool_lib
from r2i_tf.environments.pool import process_environment
from r2i_tf.environments.suites import registry as suites


def load(
    task: suites.Task, seed: int, options: Optional[options_lib.Options] = None
) -> py_environment.PyEnvironment:
  """Makes the environment of a task.

  Args:
    task: A name from `list_tasks()`, such as `bsuite/memory_len/9`; or an
      environment of dm_env, Gymnasium or TF-Agents; or a function that makes
      one, which gets the seed if it has an argument named so, or one without
      default. The environment is taken over: closed with the one that is
      returned, and after an error.
    seed: The seed of the environment's randomness, from 0 to 2^32 - 1. The same
      seed gives the same episodes for the same actions.
    options: How the task is set up: the dataclass of its suite, such as
      `AtariOptions`, its fields as a mapping, or `SuiteOptions`, which holds
      those of all suites. None takes the defaults. An environment of Gymnasium
      takes those of the suite of that name.

  Returns:
    An environment without a batch dimension, with float32 rewards. Continuous
    actions of a suite are in [-1, 1]. A time limit ends an episode with
    discount 1. A step that breaks the specs raises `FaultyEnvironmentError`.
    A task whose images MuJoCo renders is in a process of its own until `close`.

  Raises:
    UnknownTaskError: There is no such task.
    InvalidTaskError: `task` is none of these.
    MissingSuiteError: The suite needs something that is not installed.
    CrashedEnvironmentError: The process of a rendered task ended.
    schema.ConfigError: The suite has no such option, or `seed` is out of range.
  """
  if suites.renders(task, options):
    return dm_env_adapter.from_dm_env(
        process_environment.ProcessEnvironment(task, seed, options)
    )
  return dm_env_adapter.from_dm_env(suites.make(task, seed, options))


def load_drawn(
    task: suites.Task, seed: int, options: Optional[options_lib.Options] = None
) -> Optional[process_environment.ProcessEnvironment]:
  """Makes the environment of a task once more, to look at it.

  Args:
    task: As for `load`, and so are the others.
    seed: As there. The same actions as there give the same episodes.
    options: As there.

  Returns:
    An environment of dm_env with a method `render`, in a process of its own
    until `close`; None for a task without pictures of its own.

  Raises:
    MissingSuiteError: Something to render with is missing. Other errors are
      those of `load`; where rendering fails, they come from `render`.
  """
  if not suites.can_draw(task):
    return None
  return process_environment.ProcessEnvironment(task, seed, options, drawn=True)


def load_batch(
    task: suites.Task,
    seed: int,
    count: int,
    options: Optional[options_lib.Options] = None,
    pool: Optional[options_lib.PoolOptions] = None,
) -> py_environment.PyEnvironment:
  """Makes `count` environments of a task that step together.

  Args:
    task: As for `load`. A single environment cannot be in a batch of several:
      give a function that makes one.
    seed: Any integer from 0; each environment gets a seed drawn from it, all of
      them distinct.
    count: How many, at least 1.
    options: As for `load`.
    pool: None steps them one after the other in this process, which is best
      where a step takes microseconds. Otherwise each has a process of its own,
      and one that crashes is restarted; see `EnvironmentPool`. Tasks whose
      images MuJoCo renders have processes in any case; None restarts none.

  Returns:
    One environment with the batch dimension [count]; `TFPyEnvironment` takes
    it. If one of the environments cannot be made, those before it are closed.

  Raises:
    UnknownTaskError: There is no such task.
    InvalidTaskError: `task` cannot be made `count` times.
    MissingSuiteError: The suite needs something that is not installed.
    schema.ConfigError: The suite has no such option, `seed` is negative or
      `count` is below 1.
    UnsupportedSpecError: The environments differ in their specs.
  """
  with own.closed_on_error(task):
    schema.require(
        count >= 1,
        f'the number of environments is {count}, but it must be at least 1.',
    )
    schema.require(
        seed >= 0,
        f'the seed of the environments is {seed}, but it must be at least 0.',
    )
    if count > 1 and own.is_environment(task):
      raise errors.InvalidTaskError(
          f'one {suites.name_of(task)} cannot be {count} environments: give a'
          ' function that makes one.'
      )
  drawn = np.random.default_rng(seed).choice(
      suites.SEEDS, size=count, replace=False
  )
  seeds = [int(s) for s in drawn]
  if pool is None and suites.renders(task, options):
    pool = options_lib.PoolOptions(max_restarts=0)
  if pool is not None:
    with own.closed_on_error(task):
      return pool_lib.EnvironmentPool(task, seeds, options, pool)
  with contextlib.ExitStack() as on_error:
    members = []
    for index, member_seed in enumerate(seeds):
      member = dm_env_adapter.from_dm_env(
          suites.make(task, member_seed, options, index)
      )
      on_error.callback(member.close)
      members.append(member)
    checks.check_alike(
        suites.name_of(task),
        [(m.observation_spec(), m.action_spec()) for m in members],
    )
    batch = batched_py_environment.BatchedPyEnvironment(
        members, multithreading=False
    )
    on_error.pop_all()
  return batch
