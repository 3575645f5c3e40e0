"""Environments: every suite under one name scheme, as TF-Agents environments.

The first station of the data flow. A task name such as `bsuite/memory_len/9`
becomes a `tf_agents` `PyEnvironment`; an environment of one's own, of `dm_env`,
Gymnasium or TF-Agents, enters through `load`, too.

The public names are loaded on first use: a configuration, and each process of a
pool, needs some of this package and no TensorFlow.
"""

import typing

from r2i_tf import lazy

if typing.TYPE_CHECKING:
  from r2i_tf.environments.dm_env_adapter import from_dm_env
  from r2i_tf.environments.errors import CrashedEnvironmentError
  from r2i_tf.environments.errors import FaultyEnvironmentError
  from r2i_tf.environments.errors import InvalidTaskError
  from r2i_tf.environments.errors import MissingSuiteError
  from r2i_tf.environments.errors import UnknownTaskError
  from r2i_tf.environments.loader import load
  from r2i_tf.environments.loader import load_batch
  from r2i_tf.environments.loader import load_drawn
  from r2i_tf.environments.options import PoolOptions
  from r2i_tf.environments.options import SuiteOptions
  from r2i_tf.environments.pool.environment_pool import EnvironmentPool
  from r2i_tf.environments.suites.atari import AtariOptions
  from r2i_tf.environments.suites.bsuite import BsuiteOptions
  from r2i_tf.environments.suites.dmc import DmcObservations
  from r2i_tf.environments.suites.dmc import DmcOptions
  from r2i_tf.environments.suites.gymnasium import Channels
  from r2i_tf.environments.suites.gymnasium import GymnasiumOptions
  from r2i_tf.environments.suites.popgym import PopgymOptions
  from r2i_tf.environments.suites.registry import component_names
  from r2i_tf.environments.suites.registry import list_tasks
  from r2i_tf.environments.suites.registry import missing_suites

__all__ = [
    'AtariOptions',
    'BsuiteOptions',
    'Channels',
    'CrashedEnvironmentError',
    'DmcObservations',
    'DmcOptions',
    'EnvironmentPool',
    'FaultyEnvironmentError',
    'GymnasiumOptions',
    'InvalidTaskError',
    'MissingSuiteError',
    'PoolOptions',
    'PopgymOptions',
    'SuiteOptions',
    'UnknownTaskError',
    'component_names',
    'from_dm_env',
    'list_tasks',
    'load',
    'load_batch',
    'load_drawn',
    'missing_suites',
]

__getattr__ = lazy.attributes(
    __name__,
    {
        'AtariOptions': 'suites.atari',
        'BsuiteOptions': 'suites.bsuite',
        'Channels': 'suites.gymnasium',
        'CrashedEnvironmentError': 'errors',
        'DmcObservations': 'suites.dmc',
        'DmcOptions': 'suites.dmc',
        'EnvironmentPool': 'pool.environment_pool',
        'FaultyEnvironmentError': 'errors',
        'GymnasiumOptions': 'suites.gymnasium',
        'InvalidTaskError': 'errors',
        'MissingSuiteError': 'errors',
        'PoolOptions': 'options',
        'PopgymOptions': 'suites.popgym',
        'SuiteOptions': 'options',
        'UnknownTaskError': 'errors',
        'component_names': 'suites.registry',
        'from_dm_env': 'dm_env_adapter',
        'list_tasks': 'suites.registry',
        'load': 'loader',
        'load_batch': 'loader',
        'load_drawn': 'loader',
        'missing_suites': 'suites.registry',
    },
)
