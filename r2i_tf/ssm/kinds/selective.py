"""A state for each channel whose steps the input chooses (Mamba).

  step_t = softplus(W_2 W_1 u_t + bias),   B_t = W_B u_t,   C_t = W_C u_t
  x_(t,h) = exp(step_(t,h) lambda_h) prev_(t,h)
            + (exp(step_(t,h) lambda_h) - 1) / lambda_h * B_t u_(t,h)
  y_(t,h) = C_t^T x_(t,h) + d_h u_(t,h)

for each of H channels, with N real states and negative lambda_h
(arXiv 2312.00752, section 3.2, with the zero-order hold of its equation 4). A
long step forgets, a step near zero skips the input. That is the state-space
model alone; the S3M layer around it stands in place of Mamba's block.

The coefficients differ from step to step, so a sequence has three arrays of H N
numbers a step: coefficients, inputs and states, all kept for the backward pass.
(Mamba's own kernel keeps none of them in the memory of a GPU.)
"""

import math
from typing import Any, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from r2i_tf.ssm import varying
from r2i_tf.ssm.kinds import interface
from r2i_tf.ssm.kinds import siso

# Inputs to one number of W_1's output.
_RANK_DIVISOR = 16


class DiscretizedSelectiveSSM(NamedTuple):
  """The arrays that a step of a `SelectiveSSM` reads.

  Attributes:
    eigenvalues: float32 [H, N], lambda, negative.
    input_projection: [H, R + N], W_1 and W_B side by side, in the compute
      dtype.
    step_projection: [R, H], W_2, in the compute dtype.
    step_bias: float32 [H].
    output_projection: [H, N], W_C, in the compute dtype.
    skip: float32 [H], d.
    initial_state: float32 [1, H N], the state after a reset.
  """

  eigenvalues: tf.Tensor
  input_projection: tf.Tensor
  step_projection: tf.Tensor
  step_bias: tf.Tensor
  output_projection: tf.Tensor
  skip: tf.Tensor
  initial_state: tf.Tensor


class SelectiveSSM(interface.StateSpaceLayer):
  """The selective state-space model of Mamba, with resets.

  Variables, all float32, with R = ceil(H / 16): `lambda_log` [H, N], lambda =
  -exp(lambda_log); `step_down` [H, R], `step_up` [R, H] and `step_bias` [H];
  `b`, `c` [H, N]; `d` [H]; and, where it is learned, `learned_initial_state`
  [1, H N].
  """

  _PARAMETERS: tuple[str, ...] = (
      'lambda_log',
      'step_down',
      'step_up',
      'step_bias',
      'b',
      'c',
      'd',
  )

  def __init__(
      self,
      width: int,
      state_size: int,
      min_step: float = 0.001,
      max_step: float = 0.1,
      learned_initial_state: bool = True,
      dtype: Optional[interface.DType] = None,
      name: Optional[str] = None,
  ):
    """Creates the layer; variables come with `build`.

    Args:
      width: H, the number of channels.
      state_size: N, the number of real states of a channel.
      min_step: Lower bound of the step lengths at first, for an input of zero;
        positive.
      max_step: Upper bound of these.
      learned_initial_state: Whether the state after a reset is a variable
        (zeros at first) rather than zeros.
      dtype: Keras dtype or policy of the projections; None for the global one.
      name: Name of the layer.

    Raises:
      ValueError: An argument is not as above.
    """
    super().__init__(
        width,
        (1, width * state_size),
        min_step,
        max_step,
        learned_initial_state,
        dtype,
        name,
    )
    if state_size < 1:
      raise ValueError(f'state_size is {state_size}; it must be at least 1.')
    self._channel_size = state_size
    self._rank = math.ceil(width / _RANK_DIVISOR)

  def _create_variables(self) -> None:
    width, size, rank = self._width, self._channel_size, self._rank
    # Fan-in: each of the three is a projection of all inputs.
    projection = tf.keras.initializers.LecunNormal
    self.lambda_log = self._add(
        'lambda_log',
        [width, size],
        siso.each_channel(np.log(1.0 + np.arange(size))),
    )
    self.step_down = self._add('step_down', [width, rank], projection())
    self.step_up = self._add('step_up', [rank, width], projection())
    self.step_bias = self._add('step_bias', [width], self._first_steps)
    self.b = self._add('b', [width, size], projection())
    self.c = self._add('c', [width, size], projection())
    self.d = self._add('d', [width], 'ones')

  def _first_steps(
      self, shape: Any, dtype: Optional[tf.DType] = None, **_: Any
  ) -> tf.Tensor:
    """What softplus makes step lengths of, uniform in their logarithm."""
    draw = tf.keras.initializers.RandomUniform(
        math.log(self._min_step), math.log(self._max_step)
    )
    step = tf.exp(draw(shape, dtype or tf.float32))
    return step + tf.math.log(-tf.math.expm1(-step))

  def discretize(self) -> DiscretizedSelectiveSSM:
    """Returns what of a step is the same for all inputs."""
    self._require_built()

    def product(*matrices: tf.Variable) -> tf.Tensor:
      return tf.cast(tf.concat(matrices, -1), self.compute_dtype)

    return DiscretizedSelectiveSSM(
        eigenvalues=-tf.exp(self.lambda_log),
        input_projection=product(self.step_down, self.b),
        step_projection=product(self.step_up),
        step_bias=tf.convert_to_tensor(self.step_bias),
        output_projection=product(self.c),
        skip=tf.convert_to_tensor(self.d),
        initial_state=self.initial_state,
    )

  def states(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: Optional[tf.Tensor],
      discretized: DiscretizedSelectiveSSM,
  ) -> tf.Tensor:
    """See `StateSpaceLayer.states`."""
    u = self._checked(u, 3)
    return varying.varying_recurrence(
        *self._coefficients(u, discretized),
        interface.never(u) if is_reset is None else is_reset,
        carry,
        discretized.initial_state,
    )

  def next_state(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: tf.Tensor,
      discretized: DiscretizedSelectiveSSM,
  ) -> tf.Tensor:
    """See `StateSpaceLayer.next_state`."""
    return varying.varying_recurrence_step(
        *self._coefficients(self._checked(u, 2), discretized),
        is_reset,
        carry,
        discretized.initial_state,
    )

  def outputs(
      self,
      u: tf.Tensor,
      x: tf.Tensor,
      discretized: interface.Discretized,
  ) -> tf.Tensor:
    """Computes y = C(u)^T x + d u of each channel."""
    u, x = self._checked_outputs(u, x)
    c = self._product(u, discretized.output_projection)
    by_channel = [-1, *u.shape[1:], self._channel_size]
    y = tf.reduce_sum(tf.reshape(x, by_channel) * c[..., tf.newaxis, :], -1)
    return y + discretized.skip * tf.cast(u, tf.float32)

  def _coefficients(
      self, u: tf.Tensor, discretized: DiscretizedSelectiveSSM
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """What multiplies a state, and what is added: float32 [..., 1, H N]."""
    low, b = tf.split(
        self._product(u, discretized.input_projection),
        [self._rank, self._channel_size],
        -1,
    )
    step = tf.nn.softplus(
        self._product(low, discretized.step_projection) + discretized.step_bias
    )
    # [..., H, N].
    z = step[..., tf.newaxis] * discretized.eigenvalues
    held = tf.cast(u, tf.float32)[..., tf.newaxis] * b[..., tf.newaxis, :]
    added = tf.math.expm1(z) / discretized.eigenvalues * held
    shape = [-1, *u.shape[1:-1], *self.state_shape]
    return tf.reshape(tf.exp(z), shape), tf.reshape(added, shape)

  def _product(self, u: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """[..., any] times a matrix, in the compute dtype; float32."""
    flat = tf.reshape(tf.cast(u, self.compute_dtype), [-1, u.shape[-1]])
    product = tf.cast(tf.matmul(flat, matrix), tf.float32)
    return tf.reshape(product, [-1, *u.shape[1:-1], matrix.shape[-1]])
