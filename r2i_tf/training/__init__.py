"""The run: collecting, training, checkpoints, evaluation, export.

`train` is the way in. The public names are loaded on first use: evaluating an
exported policy needs none of the code that trained it.
"""

import typing

from r2i_tf import lazy

if typing.TYPE_CHECKING:
  from r2i_tf.training.ending import Summary
  from r2i_tf.training.parts import R2I_PARTS
  from r2i_tf.training.parts import RunParts
  from r2i_tf.training.run import train

__all__ = ['R2I_PARTS', 'RunParts', 'Summary', 'train']

__getattr__ = lazy.attributes(
    __name__,
    {
        'R2I_PARTS': 'parts',
        'RunParts': 'parts',
        'Summary': 'ending',
        'train': 'run',
    },
)
