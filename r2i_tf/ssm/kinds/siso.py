"""A diagonal state for each channel: one input, one output (S4D).

  x_h'(t) = diag(lambda_h) x_h(t) + b_h u_h(t),   y_h = Re(c_h^T x_h) + d_h u_h

for each of H channels, with N complex states and a step length of its own
(arXiv 2206.11893). Channels meet in the dense layers between, not here. It is
the recurrence of `mimo` with H N state channels, so a sequence of it costs
H N / P times as much, and so does all that carries states.
"""

from collections.abc import Sequence
import math
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from r2i_tf.ssm import discretization as discretization_lib
from r2i_tf.ssm import hippo
from r2i_tf.ssm import options
from r2i_tf.ssm import planes
from r2i_tf.ssm.kinds import diagonal
from r2i_tf.ssm.kinds import interface


class ChannelSSM(diagonal.DiagonalLayer):
  """S4D with the initial values of HiPPO-LegS' normal part.

  Variables, all float32: `lambda_re`, `lambda_im` [H, N], `b`, `c` [H, N, 2],
  `d` [H], `log_step` [H, 1] and, where it is learned, `learned_initial_state`
  [2, H N]. A state has its channels one after the other.
  """

  _PARAMETERS: tuple[str, ...] = (
      'lambda_re',
      'lambda_im',
      'b',
      'c',
      'd',
      'log_step',
  )

  def __init__(
      self,
      width: int,
      state_size: int,
      discretization: options.Discretization = (
          options.Discretization.BILINEAR
      ),
      min_step: float = 0.001,
      max_step: float = 0.1,
      conjugate_symmetry: bool = False,
      eigenvalue_clip: Optional[float] = None,
      learned_initial_state: bool = True,
      computation: options.Computation = options.Computation.SCAN,
      dtype: Optional[interface.DType] = None,
      name: Optional[str] = None,
  ):
    """Creates the layer; variables come with `build`.

    Args:
      width: H, the number of channels.
      state_size: N, the number of complex states of a channel.
      discretization: See `DiagonalLayer`.
      min_step: Lower bound of the initial step lengths, positive.
      max_step: Upper bound of the initial step lengths.
      conjugate_symmetry: See `DiagonalLayer`.
      eigenvalue_clip: See `DiagonalLayer`.
      learned_initial_state: Whether the state after a reset is a variable
        (zeros at first) rather than zeros.
      computation: How the states of a sequence are computed.
      dtype: Keras dtype or policy; it has no product to compute in it.
      name: Name of the layer.

    Raises:
      ValueError: An argument is not as above.
    """
    super().__init__(
        width,
        width * state_size,
        discretization,
        min_step,
        max_step,
        conjugate_symmetry,
        eigenvalue_clip,
        learned_initial_state,
        computation,
        dtype,
        name,
    )
    self._channel_size = state_size
    self._eigenvalues, self._p, self._b = hippo.low_rank_form(
        state_size, conjugate_symmetry
    )

  def _create_variables(self) -> None:
    shape = [self._width, self._channel_size]
    self.lambda_re = self._add(
        'lambda_re', shape, each_channel(self._eigenvalues.real)
    )
    self.lambda_im = self._add(
        'lambda_im', shape, each_channel(self._eigenvalues.imag)
    )
    self.b = self._add('b', [*shape, 2], each_channel(self._b))
    normal = tf.keras.initializers.RandomNormal
    self.c = self._add('c', [*shape, 2], normal(stddev=math.sqrt(0.5)))
    self.d = self._add('d', [self._width], normal(stddev=1.0))
    self.log_step = self._add(
        'log_step',
        [self._width, 1],
        tf.keras.initializers.RandomUniform(
            math.log(self._min_step), math.log(self._max_step)
        ),
    )

  def discretize(self) -> interface.Discretized:
    """Returns the arrays that `step` reads, from the variables as they are."""
    self._require_built()
    lambda_bar, columns = self._discretized(self.b[:, :, tf.newaxis])
    return diagonal.DiscretizedSSM(
        lambda_bar=lambda_bar,
        input_projection=columns[0],
        output_projection=self._output_projection(),
        skip=tf.convert_to_tensor(self.d),
        initial_state=self.initial_state,
    )

  def outputs(
      self,
      u: tf.Tensor,
      x: tf.Tensor,
      discretized: interface.Discretized,
  ) -> tf.Tensor:
    """Computes y = Re(c^T x) + d u of each channel."""
    u, x = self._checked_outputs(u, x)
    # Re(c x) = c_re x_re - c_im x_im, the sign being in the projection.
    products = tf.reduce_sum(discretized.output_projection * x, axis=-2)
    shape = [*u.shape[1:], self._channel_size]
    y = tf.reduce_sum(tf.reshape(products, [-1, *shape]), axis=-1)
    return y + discretized.skip * tf.cast(u, tf.float32)

  def _discretized(self, b: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """lambda_bar, and each of K columns b [H, N, K, 2] as B_bar; [2, H N]."""
    eigenvalues = tf.stack(
        [self._bounded(self.lambda_re), self.lambda_im], axis=-1
    )
    step = tf.repeat(tf.exp(self.log_step), self._channel_size, axis=0)
    lambda_bar, b_bar = discretization_lib.discretize(
        tf.reshape(eigenvalues, [-1, 2]),
        tf.reshape(b, [-1, *b.shape[2:]]),
        step,
        self._discretization,
    )
    columns = [tf.transpose(column) for column in tf.unstack(b_bar, axis=1)]
    return tf.transpose(lambda_bar), columns

  def _output_projection(self) -> tf.Tensor:
    factor = 2.0 if self._conjugate_symmetry else 1.0
    return tf.transpose(
        tf.reshape(self.c * tf.constant([factor, -factor]), [-1, 2])
    )

  def _project(
      self, u: tf.Tensor, discretized: interface.Discretized
  ) -> tf.Tensor:
    """B_bar u of each channel, float32 [..., 2, H N]."""
    spread = tf.repeat(tf.cast(u, tf.float32), self._channel_size, axis=-1)
    return planes.join(
        tuple(
            part * spread for part in planes.split(discretized.input_projection)
        )
    )


def each_channel(values: np.ndarray) -> tf.keras.initializers.Initializer:
  """Returns an initialiser with the same values for each channel.

  Args:
    values: [N], real for a variable [H, N], complex for one [H, N, 2].
  """
  if np.iscomplexobj(values):
    values = np.stack([values.real, values.imag], axis=-1)

  def initializer(
      shape: Sequence[int], dtype: Optional[tf.DType] = None, **_: Any
  ) -> tf.Tensor:
    return tf.broadcast_to(tf.constant(values, dtype or tf.float32), shape)

  return initializer
