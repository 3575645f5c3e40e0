"""One diagonal state-space layer: many inputs, many outputs, one state.

  x'(t) = diag(lambda) x(t) + B u(t),   y = Re(C x) + D u

discretised with a learned step length a state channel (S5, arXiv 2208.04933).
It is the layer of R2I.
"""

import math
from typing import Optional

import tensorflow as tf

from r2i_tf.ssm import discretization as discretization_lib
from r2i_tf.ssm import hippo
from r2i_tf.ssm import options
from r2i_tf.ssm import planes
from r2i_tf.ssm import scan
from r2i_tf.ssm.kinds import diagonal
from r2i_tf.ssm.kinds import interface


class DiagonalSSM(diagonal.DiagonalLayer):
  """A diagonal state-space layer with HiPPO initialisation.

  Variables, all float32: `lambda_re`, `lambda_im` [P], `b` [P, H, 2],
  `c` [H, P, 2], `d` [H], `log_step` [P, 1] and, where it is learned,
  `learned_initial_state` [2, P]. The two projections are computed in the Keras
  policy's compute dtype.
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
      blocks: int,
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
      width: H, the number of inputs and of outputs.
      state_size: P, the number of complex state channels.
      blocks: How many HiPPO blocks the state starts as; must divide P.
      discretization: See `DiagonalLayer`.
      min_step: Lower bound of the initial step lengths, positive.
      max_step: Upper bound of the initial step lengths.
      conjugate_symmetry: See `DiagonalLayer`.
      eigenvalue_clip: See `DiagonalLayer`.
      learned_initial_state: Whether the state after a reset is a variable
        (zeros at first) rather than zeros.
      computation: How the states of a sequence are computed.
      dtype: Keras dtype or policy of the projections; None for the global one.
      name: Name of the layer.

    Raises:
      ValueError: An argument is not as above.
    """
    super().__init__(
        width,
        state_size,
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
    self._eigenvalues, self._vectors = hippo.block_diagonal(
        state_size, blocks, conjugate_symmetry
    )
    self._state_size = state_size

  def _create_variables(self) -> None:
    width, state_size = self._width, self._state_size
    constant = tf.keras.initializers.Constant
    self.lambda_re = self._add(
        'lambda_re', [state_size], constant(self._eigenvalues.real)
    )
    self.lambda_im = self._add(
        'lambda_im', [state_size], constant(self._eigenvalues.imag)
    )
    self.b = self._add(
        'b',
        [state_size, width, 2],
        hippo.InputMatrixInitializer(self._vectors),
    )
    self.c = self._add(
        'c',
        [width, state_size, 2],
        hippo.OutputMatrixInitializer(self._vectors),
    )
    self.d = self._add(
        'd', [width], tf.keras.initializers.RandomNormal(stddev=1.0)
    )
    self.log_step = self._add(
        'log_step',
        [state_size, 1],
        tf.keras.initializers.RandomUniform(
            math.log(self._min_step), math.log(self._max_step)
        ),
    )

  def discretize(self) -> diagonal.DiscretizedSSM:
    """Returns the arrays that `step` reads, from the variables as they are."""
    self._require_built()
    lambda_bar, b_bar = discretization_lib.discretize(
        self._lambda(), self.b, tf.exp(self.log_step), self._discretization
    )
    return self._arrays(tf.transpose(lambda_bar), b_bar)

  def step(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: tf.Tensor,
      discretized: Optional[diagonal.DiscretizedSSM] = None,
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """See `StateSpaceLayer.step`.

    A step by itself discretises no matrix, of which it would use one product:
    B_bar u is the product of B with u, scaled.
    """
    if discretized is not None:
      return super().step(u, carry, is_reset, discretized)
    self._require_built()
    lambda_bar, scale = discretization_lib.factors(
        self._lambda(), tf.exp(self.log_step), self._discretization
    )
    given = self._arrays(planes.join(lambda_bar), self.b)
    inputs = planes.split(self._project(self._checked(u, 2), given))
    x = scan.linear_recurrence_step(
        given.lambda_bar,
        planes.join(planes.multiply(scale, inputs)),
        is_reset,
        carry,
        given.initial_state,
    )
    return self.outputs(u, x, given), x

  def _lambda(self) -> tf.Tensor:
    """The eigenvalues of continuous time, float32 [P, 2]."""
    return tf.stack([self._bounded(self.lambda_re), self.lambda_im], axis=-1)

  def _arrays(
      self, lambda_bar: tf.Tensor, b: tf.Tensor
  ) -> diagonal.DiscretizedSSM:
    """What a step reads, of lambda_bar [2, P] and B or B_bar [P, H, 2]."""
    # Re(C x) = C_re x_re - C_im x_im.
    factor = 2.0 if self._conjugate_symmetry else 1.0
    c = self.c * tf.constant([factor, -factor])
    columns = 2 * self._state_size
    input_projection = tf.reshape(
        tf.transpose(b, [1, 2, 0]), [self._width, columns]
    )
    output_projection = tf.reshape(
        tf.transpose(c, [2, 1, 0]), [columns, self._width]
    )
    return diagonal.DiscretizedSSM(
        lambda_bar=lambda_bar,
        input_projection=tf.cast(input_projection, self.compute_dtype),
        output_projection=tf.cast(output_projection, self.compute_dtype),
        skip=tf.convert_to_tensor(self.d),
        initial_state=self.initial_state,
    )

  def outputs(
      self,
      u: tf.Tensor,
      x: tf.Tensor,
      discretized: diagonal.DiscretizedSSM,
  ) -> tf.Tensor:
    """Computes y = Re(C x) + D u, as one matrix product."""
    u, x = self._checked_outputs(u, x)
    flat = tf.reshape(x, [-1, 2 * self._state_size])
    y = tf.matmul(
        tf.cast(flat, self.compute_dtype), discretized.output_projection
    )
    y = tf.reshape(tf.cast(y, tf.float32), tf.shape(u))
    return y + discretized.skip * tf.cast(u, tf.float32)

  def _project(
      self, u: tf.Tensor, discretized: diagonal.DiscretizedSSM
  ) -> tf.Tensor:
    """B_bar u, float32 [..., 2, P], as one matrix product."""
    flat = tf.reshape(tf.cast(u, self.compute_dtype), [-1, self._width])
    inputs = tf.matmul(flat, discretized.input_projection)
    shape = [-1] + list(u.shape[1:-1]) + [2, self._state_size]
    return tf.reshape(tf.cast(inputs, tf.float32), shape)
