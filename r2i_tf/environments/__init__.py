"""Environments: every suite under one name scheme, as TF-Agents environments.

The first station of the data flow. A task name such as `bsuite/memory_len/9`
becomes a `tf_agents` `PyEnvironment`; an environment of one's own that follows
`dm_env` enters through `from_dm_env`.
"""

from r2i_tf.environments import quiet_imports  # noqa: F401  # isort: skip, first
from r2i_tf.environments.dm_env_adapter import from_dm_env
from r2i_tf.environments.errors import MissingSuiteError
from r2i_tf.environments.errors import UnknownTaskError
from r2i_tf.environments.errors import UnsupportedSpecError
from r2i_tf.environments.loader import list_tasks
from r2i_tf.environments.loader import load
from r2i_tf.environments.loader import load_batch
from r2i_tf.environments.specs import check_specs

__all__ = [
    'MissingSuiteError',
    'UnknownTaskError',
    'UnsupportedSpecError',
    'check_specs',
    'from_dm_env',
    'list_tasks',
    'load',
    'load_batch',
]
