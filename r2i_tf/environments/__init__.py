"""Environments: every suite under one name scheme, as TF-Agents environments.

The first station of the data flow. A task name such as `bsuite/memory_len/9`
becomes a `tf_agents` `PyEnvironment`; an environment of one's own that follows
`dm_env` enters through `load`, too, or plainly through `from_dm_env`.

The public names are loaded on first use: the processes of a pool are forty
times this package, and need no TensorFlow.
"""

import importlib
import typing

from r2i_tf.environments import quiet_imports  # noqa: F401  # isort: skip, first

if typing.TYPE_CHECKING:
  from r2i_tf.environments.dm_env_adapter import from_dm_env
  from r2i_tf.environments.errors import CrashedEnvironmentError
  from r2i_tf.environments.errors import FaultyEnvironmentError
  from r2i_tf.environments.errors import MissingSuiteError
  from r2i_tf.environments.errors import UnknownTaskError
  from r2i_tf.environments.errors import UnsupportedSpecError
  from r2i_tf.environments.loader import load
  from r2i_tf.environments.loader import load_batch
  from r2i_tf.environments.options import AtariOptions
  from r2i_tf.environments.options import BsuiteOptions
  from r2i_tf.environments.options import DmcObservations
  from r2i_tf.environments.options import DmcOptions
  from r2i_tf.environments.options import GymnasiumOptions
  from r2i_tf.environments.options import PoolOptions
  from r2i_tf.environments.options import PopgymOptions
  from r2i_tf.environments.options import SuiteOptions
  from r2i_tf.environments.pool import EnvironmentPool
  from r2i_tf.environments.specs import check_specs
  from r2i_tf.environments.suites import list_tasks
  from r2i_tf.environments.suites import missing_suites

_MODULE_OF = {
    'AtariOptions': 'options',
    'BsuiteOptions': 'options',
    'CrashedEnvironmentError': 'errors',
    'DmcObservations': 'options',
    'DmcOptions': 'options',
    'EnvironmentPool': 'pool',
    'FaultyEnvironmentError': 'errors',
    'GymnasiumOptions': 'options',
    'MissingSuiteError': 'errors',
    'PoolOptions': 'options',
    'PopgymOptions': 'options',
    'SuiteOptions': 'options',
    'UnknownTaskError': 'errors',
    'UnsupportedSpecError': 'errors',
    'check_specs': 'specs',
    'from_dm_env': 'dm_env_adapter',
    'list_tasks': 'suites',
    'load': 'loader',
    'load_batch': 'loader',
    'missing_suites': 'suites',
}

__all__ = [
    'AtariOptions',
    'BsuiteOptions',
    'CrashedEnvironmentError',
    'DmcObservations',
    'DmcOptions',
    'EnvironmentPool',
    'FaultyEnvironmentError',
    'GymnasiumOptions',
    'MissingSuiteError',
    'PoolOptions',
    'PopgymOptions',
    'SuiteOptions',
    'UnknownTaskError',
    'UnsupportedSpecError',
    'check_specs',
    'from_dm_env',
    'list_tasks',
    'load',
    'load_batch',
    'missing_suites',
]


def __getattr__(name: str):
  if name not in _MODULE_OF:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  module = importlib.import_module(f'{__name__}.{_MODULE_OF[name]}')
  return getattr(module, name)
