"""Recall to Imagine (R2I, arXiv 2403.04253) for TensorFlow and TF-Agents.

The public names are loaded on first use, so that `import r2i_tf.ssm` stays what
it is for somebody who wants only the layer.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
  from r2i_tf.agents import R2IAgent
  from r2i_tf.agents import R2IPolicy
  from r2i_tf.config import R2IConfig

_MODULE_OF = {
    'R2IAgent': 'r2i_tf.agents',
    'R2IPolicy': 'r2i_tf.agents',
    'R2IConfig': 'r2i_tf.config',
}

__all__ = ['R2IAgent', 'R2IConfig', 'R2IPolicy']


def __getattr__(name: str):
  if name not in _MODULE_OF:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return getattr(importlib.import_module(_MODULE_OF[name]), name)
