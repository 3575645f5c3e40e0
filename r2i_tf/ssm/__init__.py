"""State-space layers for TensorFlow, usable on their own.

The mathematics and the Keras layers of a diagonal state-space model with
resets: a sequence memory that trains in parallel over time and acts one step
at a time. Nothing here knows of reinforcement learning.

  stack = ssm.S3MStack(layers=3, width=512, state_size=512, blocks=8)
  stack.build([None, 512])
  y, x = stack(u, stack.initial_state(batch_size), is_reset)  # a sequence
  y_t, x_t = stack.step(u_t, x_t, is_reset_t)  # one step

From the outside in: `S3MStack`, `DiagonalSSM`, `discretize`,
`linear_recurrence`. Complex numbers are two float32, the real part first: in
states along axis -2, [..., 2, P], in parameters along the last, [..., 2], as
they were published.

A scan is tuned for the device it is traced on; `compile_for` names another. The
public names are loaded on first use, so that a configuration can name a
`Discretization` without waiting for TensorFlow.
"""

import typing

from r2i_tf import lazy

if typing.TYPE_CHECKING:
  from r2i_tf.ssm.chunking import Device
  from r2i_tf.ssm.chunking import compile_for
  from r2i_tf.ssm.discretization import discretize
  from r2i_tf.ssm.hippo import InputMatrixInitializer
  from r2i_tf.ssm.hippo import OutputMatrixInitializer
  from r2i_tf.ssm.hippo import block_diagonal
  from r2i_tf.ssm.hippo import eigendecomposition
  from r2i_tf.ssm.layer import DiagonalSSM
  from r2i_tf.ssm.layer import DiscretizedSSM
  from r2i_tf.ssm.options import Discretization
  from r2i_tf.ssm.scan import linear_recurrence
  from r2i_tf.ssm.scan import linear_recurrence_step
  from r2i_tf.ssm.stack import S3MLayer
  from r2i_tf.ssm.stack import S3MStack

__all__ = [
    'Device',
    'DiagonalSSM',
    'Discretization',
    'DiscretizedSSM',
    'InputMatrixInitializer',
    'OutputMatrixInitializer',
    'S3MLayer',
    'S3MStack',
    'block_diagonal',
    'compile_for',
    'discretize',
    'eigendecomposition',
    'linear_recurrence',
    'linear_recurrence_step',
]

__getattr__ = lazy.attributes(
    __name__,
    {
        'Device': 'chunking',
        'DiagonalSSM': 'layer',
        'Discretization': 'options',
        'DiscretizedSSM': 'layer',
        'InputMatrixInitializer': 'hippo',
        'OutputMatrixInitializer': 'hippo',
        'S3MLayer': 'stack',
        'S3MStack': 'stack',
        'block_diagonal': 'hippo',
        'compile_for': 'chunking',
        'discretize': 'discretization',
        'eigendecomposition': 'hippo',
        'linear_recurrence': 'scan',
        'linear_recurrence_step': 'scan',
    },
)
