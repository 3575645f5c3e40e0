"""Environments by name: `<suite>/<the suite's own name of a task>`.

A suite is a module with two functions: `tasks()` lists its names and
`make(name, seed)` makes one `dm_env` environment. It is imported only when one
of its tasks is asked for, since the packages beneath the suites are optional.
"""

import dataclasses
import difflib
import importlib
import types
from typing import List

from absl import logging
import numpy as np
from tf_agents.environments import batched_py_environment
from tf_agents.environments import py_environment

from r2i_tf.environments import dm_env_adapter
from r2i_tf.environments import errors


@dataclasses.dataclass(frozen=True)
class _Suite:
  """Where a suite is: its module, the package it needs, the extra with that."""

  module: str
  package: str
  extra: str


_SUITES = {
    'bsuite': _Suite('r2i_tf.environments.bsuite_suite', 'bsuite', 'bsuite'),
}

_SEEDS = 2**32


def list_tasks() -> List[str]:
  """Returns the names of all tasks of the suites that are installed.

  A suite that is not installed is left out, with a warning in the log.
  """
  names = []
  for suite in _SUITES:
    try:
      module = _import_suite(suite)
    except errors.MissingSuiteError as error:
      logging.warning('%s', error)
      continue
    names.extend(f'{suite}/{name}' for name in module.tasks())
  return names


def load(task: str, seed: int) -> py_environment.PyEnvironment:
  """Makes the environment of a task.

  Args:
    task: A name from `list_tasks()`, such as `bsuite/memory_len/9`.
    seed: The seed of the environment's randomness, from 0 to 2^32 - 1. The same
      seed gives the same episodes for the same actions.

  Returns:
    An environment without a batch dimension, with float32 rewards.

  Raises:
    UnknownTaskError: There is no such task.
    MissingSuiteError: The suite's package is not installed.
    ValueError: `seed` is out of range.
  """
  if not isinstance(task, str):
    raise TypeError(
        f'a task is a name such as bsuite/memory_len/9, but found {task!r}: an'
        ' environment of your own goes through environments.from_dm_env.'
    )
  if not 0 <= seed < _SEEDS:
    raise ValueError(
        f'the seed of an environment is {seed}, but it must be from 0 to'
        f' {_SEEDS - 1}.'
    )
  suite, _, name = task.partition('/')
  if suite not in _SUITES:
    near = difflib.get_close_matches(suite, _SUITES, n=1)
    hint = f' (did you mean {near[0]!r}?)' if near else ''
    raise errors.UnknownTaskError(
        f'task {task!r} begins with no known suite{hint}: the suites are'
        f' {", ".join(sorted(_SUITES))}, as in bsuite/memory_len/9.'
    )
  return dm_env_adapter.from_dm_env(_import_suite(suite).make(name, seed))


def load_batch(
    task: str, seed: int, count: int
) -> batched_py_environment.BatchedPyEnvironment:
  """Makes `count` environments of a task that step together in this process.

  Args:
    task: As for `load`.
    seed: Any integer from 0; each environment gets a seed drawn from it, all of
      them distinct.
    count: How many, at least 1.

  Returns:
    One environment with the batch dimension [count]; `TFPyEnvironment` takes
    it.

  Raises:
    UnknownTaskError: There is no such task.
    MissingSuiteError: The suite's package is not installed.
    ValueError: `seed` is negative or `count` is below 1.
  """
  if count < 1:
    raise ValueError(
        f'the number of environments is {count}, but it must be at least 1.'
    )
  if seed < 0:
    raise ValueError(
        f'the seed of the environments is {seed}, but it must be at least 0.'
    )
  seeds = np.random.default_rng(seed).choice(_SEEDS, size=count, replace=False)
  return batched_py_environment.BatchedPyEnvironment(
      [load(task, int(s)) for s in seeds], multithreading=False
  )


def _import_suite(suite: str) -> types.ModuleType:
  """Imports a suite's module, or says which extra installs what it lacks."""
  entry = _SUITES[suite]
  try:
    return importlib.import_module(entry.module)
  except ModuleNotFoundError as error:
    if (error.name or '').partition('.')[0] != entry.package:
      raise
    raise errors.MissingSuiteError(
        f'the tasks of {suite} need a package that is not installed: run'
        f" pip install 'r2i_tf[{entry.extra}]'."
    ) from error
