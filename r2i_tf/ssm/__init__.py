"""State-space layers for TensorFlow, usable on their own.

The mathematics and the Keras layers of state-space models with resets: a
sequence memory that trains in parallel over time and acts one step at a time.
Nothing here knows of reinforcement learning.

  stack = ssm.S3MStack(layers=3, width=512, state_size=512, blocks=8)
  stack.build([None, 512])
  y, x = stack(u, stack.initial_state(batch_size), is_reset)  # a sequence
  y_t, x_t = stack.step(u_t, x_t, is_reset_t)  # one step

From the outside in: `S3MStack`, `DiagonalSSM` and the other kinds (`kinds`),
`discretize`, `linear_recurrence`. Complex numbers are two float32, the real
part first: in states along axis -2, [..., 2, P], in parameters along the last,
[..., 2], as they were published.

A scan is tuned for the device it is traced on; `devices.compile_for` names
another. The public names are loaded on first use, so that a configuration can
name a `Discretization` without waiting for TensorFlow.
"""

import typing

from r2i_tf import lazy

if typing.TYPE_CHECKING:
  from r2i_tf.ssm.attention import Cache
  from r2i_tf.ssm.discretization import discretize
  from r2i_tf.ssm.hippo import InputMatrixInitializer
  from r2i_tf.ssm.hippo import OutputMatrixInitializer
  from r2i_tf.ssm.hippo import block_diagonal
  from r2i_tf.ssm.hippo import eigendecomposition
  from r2i_tf.ssm.kinds.diagonal import DiscretizedSSM
  from r2i_tf.ssm.kinds.interface import StateSpaceLayer
  from r2i_tf.ssm.kinds.mimo import DiagonalSSM
  from r2i_tf.ssm.kinds.selective import SelectiveSSM
  from r2i_tf.ssm.kinds.siso import ChannelSSM
  from r2i_tf.ssm.kinds.siso_dplr import LowRankSSM
  from r2i_tf.ssm.layer import S3MLayer
  from r2i_tf.ssm.options import Computation
  from r2i_tf.ssm.options import Discretization
  from r2i_tf.ssm.options import NormPosition
  from r2i_tf.ssm.options import StateSpaceKind
  from r2i_tf.ssm.scan import linear_recurrence
  from r2i_tf.ssm.scan import linear_recurrence_step
  from r2i_tf.ssm.stack import S3MStack
  from r2i_tf.ssm.stack import StackState

__all__ = [
    'Cache',
    'ChannelSSM',
    'Computation',
    'DiagonalSSM',
    'Discretization',
    'DiscretizedSSM',
    'InputMatrixInitializer',
    'LowRankSSM',
    'NormPosition',
    'OutputMatrixInitializer',
    'S3MLayer',
    'S3MStack',
    'SelectiveSSM',
    'StackState',
    'StateSpaceKind',
    'StateSpaceLayer',
    'block_diagonal',
    'discretize',
    'eigendecomposition',
    'linear_recurrence',
    'linear_recurrence_step',
]

__getattr__ = lazy.attributes(
    __name__,
    {
        'Cache': 'attention',
        'ChannelSSM': 'kinds.siso',
        'Computation': 'options',
        'DiagonalSSM': 'kinds.mimo',
        'Discretization': 'options',
        'DiscretizedSSM': 'kinds.diagonal',
        'InputMatrixInitializer': 'hippo',
        'LowRankSSM': 'kinds.siso_dplr',
        'NormPosition': 'options',
        'OutputMatrixInitializer': 'hippo',
        'S3MLayer': 'layer',
        'S3MStack': 'stack',
        'SelectiveSSM': 'kinds.selective',
        'StackState': 'stack',
        'StateSpaceKind': 'options',
        'StateSpaceLayer': 'kinds.interface',
        'block_diagonal': 'hippo',
        'discretize': 'discretization',
        'eigendecomposition': 'hippo',
        'linear_recurrence': 'scan',
        'linear_recurrence_step': 'scan',
    },
)
