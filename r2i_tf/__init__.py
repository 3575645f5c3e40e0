"""Recall to Imagine (R2I, arXiv 2403.04253) for TensorFlow and TF-Agents.

The public names are loaded on first use, so that `import r2i_tf.ssm` stays what
it is for somebody who wants only the layer.
"""

import typing

from r2i_tf import lazy
from r2i_tf import quiet
from r2i_tf import stack

if typing.TYPE_CHECKING:
  from r2i_tf.agents import R2IAgent
  from r2i_tf.agents import R2IPolicy
  from r2i_tf.config import R2IConfig

__version__ = '0.2.0.dev0'

__all__ = ['R2IAgent', 'R2IConfig', 'R2IPolicy']

# Before anything here imports TensorFlow.
stack.use_keras_2()
# Before anything here imports TF-Agents, and that Gym.
quiet.gym_notice()

__getattr__ = lazy.attributes(
    __name__,
    {
        'R2IAgent': 'agents',
        'R2IPolicy': 'agents',
        'R2IConfig': 'config',
    },
)
