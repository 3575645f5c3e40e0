"""One diagonal state-space layer: many inputs, many outputs, one state.

  x'(t) = diag(lambda) x(t) + B u(t),   y = Re(C x) + D u

discretised with a learned step length a state channel (S5, arXiv 2208.04933).
`DiagonalSSM` runs it over a sequence or one step at a time. Between `scan`,
which has the recurrence, and `stack`, which has the layers of a network.
"""

from collections.abc import Sequence
import math
from typing import NamedTuple, Optional, Union

import tensorflow as tf

from r2i_tf.ssm import discretization as discretization_lib
from r2i_tf.ssm import hippo
from r2i_tf.ssm import options
from r2i_tf.ssm import scan

DType = Union[str, tf.keras.mixed_precision.Policy]
Shape = Union[tf.TensorShape, Sequence[Optional[int]]]


class DiscretizedSSM(NamedTuple):
  """The arrays that a step reads, from the variables of a `DiagonalSSM`.

  The two projections are real matrices, in the layer's compute dtype, so that
  each costs one real product; the rest is float32.

  Attributes:
    lambda_bar: [2, P], the discretised eigenvalues.
    input_projection: [H, 2 P], u to B_bar u, real parts first.
    output_projection: [2 P, H], x to Re(C x), twice that with conjugate
      symmetry.
    skip: [H], D.
    initial_state: [2, P], the state after a reset.
  """

  lambda_bar: tf.Tensor
  input_projection: tf.Tensor
  output_projection: tf.Tensor
  skip: tf.Tensor
  initial_state: tf.Tensor


class DiagonalSSM(tf.keras.layers.Layer):
  """A diagonal state-space layer with HiPPO initialisation.

  Variables, all float32: `lambda_re`, `lambda_im` [P], `b` [P, H, 2],
  `c` [H, P, 2], `d` [H], `log_step` [P, 1] and, where it is learned,
  `learned_initial_state` [2, P]. The two projections are computed in the Keras
  policy's compute dtype. All else, discretisation and recurrence, is float32
  under any policy: rounding errors of a recurrence live as long as its memory.
  """

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
      dtype: Optional[DType] = None,
      name: Optional[str] = None,
  ):
    """Creates the layer; variables come with `build`.

    Args:
      width: H, the number of inputs and of outputs.
      state_size: P, the number of complex state channels.
      blocks: How many HiPPO blocks the state starts as; must divide P.
      discretization: The rule that turns continuous time into steps.
      min_step: Lower bound of the initial step lengths, positive.
      max_step: Upper bound of the initial step lengths.
      conjugate_symmetry: Whether the state holds one of each conjugate pair,
        its twin implied, so that y = 2 Re(C x) + D u.
      eigenvalue_clip: Upper bound for the real part of the eigenvalues,
        negative, which keeps the layer stable; None for no bound. An
        eigenvalue above the bound receives no gradient for its real part.
      learned_initial_state: Whether the state after a reset is a variable
        (zeros at first) rather than zeros.
      dtype: Keras dtype or policy of the projections; None for the global one.
      name: Name of the layer.

    Raises:
      ValueError: An argument is not as above.
    """
    super().__init__(name=name, dtype=dtype)
    if width < 1:
      raise ValueError(f'width is {width}; it must be at least 1.')
    if discretization not in tuple(options.Discretization):
      raise ValueError(
          f'discretization is {discretization!r}; it must be one of'
          f' {[str(a) for a in options.Discretization]}.'
      )
    if not 0.0 < min_step <= max_step:
      raise ValueError(
          f'min_step is {min_step} and max_step is {max_step}; they must'
          ' satisfy 0 < min_step <= max_step.'
      )
    if eigenvalue_clip is not None and eigenvalue_clip >= 0.0:
      raise ValueError(
          f'eigenvalue_clip is {eigenvalue_clip}; it must be negative or None.'
      )
    self._eigenvalues, self._vectors = hippo.block_diagonal(
        state_size, blocks, conjugate_symmetry
    )
    self._width = width
    self._state_size = state_size
    self._discretization = discretization
    self._min_step = min_step
    self._max_step = max_step
    self._conjugate_symmetry = conjugate_symmetry
    self._eigenvalue_clip = eigenvalue_clip
    self._has_learned_initial_state = learned_initial_state

  def build(self, input_shape: Shape) -> None:
    """Creates the variables; `input_shape` is any shape that ends in H."""
    width, state_size = self._width, self._state_size
    if tf.TensorShape(input_shape)[-1] != width:
      raise ValueError(
          f'{self.name} was built for inputs of shape {input_shape}; the last'
          f' dimension must be its width, {width}.'
      )
    constant = tf.keras.initializers.Constant

    def add(
        name: str,
        shape: list[int],
        initializer: Union[str, tf.keras.initializers.Initializer],
    ) -> tf.Variable:
      # In full precision also where Keras would cast it for its reader.
      return self.add_weight(
          name=name,
          shape=shape,
          dtype=tf.float32,
          initializer=initializer,
          experimental_autocast=False,
      )

    self.lambda_re = add(
        'lambda_re', [state_size], constant(self._eigenvalues.real)
    )
    self.lambda_im = add(
        'lambda_im', [state_size], constant(self._eigenvalues.imag)
    )
    self.b = add(
        'b',
        [state_size, width, 2],
        hippo.InputMatrixInitializer(self._vectors),
    )
    self.c = add(
        'c',
        [width, state_size, 2],
        hippo.OutputMatrixInitializer(self._vectors),
    )
    self.d = add('d', [width], tf.keras.initializers.RandomNormal(stddev=1.0))
    self.log_step = add(
        'log_step',
        [state_size, 1],
        tf.keras.initializers.RandomUniform(
            math.log(self._min_step), math.log(self._max_step)
        ),
    )
    self.learned_initial_state = None
    if self._has_learned_initial_state:
      self.learned_initial_state = add(
          'initial_state', [2, state_size], 'zeros'
      )
    super().build(input_shape)

  @property
  def ssm_variables(self) -> list[tf.Variable]:
    """The variables that want an optimiser group of their own.

    lambda_re, lambda_im, b, c, d, log_step and, if learned, the initial state.
    """
    self._require_built()
    variables = [
        self.lambda_re,
        self.lambda_im,
        self.b,
        self.c,
        self.d,
        self.log_step,
    ]
    if self.learned_initial_state is not None:
      variables.append(self.learned_initial_state)
    return variables

  @property
  def initial_state(self) -> tf.Tensor:
    """The state after a reset, float32 [2, P]."""
    if not self._has_learned_initial_state:
      return tf.zeros([2, self._state_size])
    self._require_built()
    return tf.convert_to_tensor(self.learned_initial_state)

  def discretize(self) -> DiscretizedSSM:
    """Returns the arrays that `step` reads, from the variables as they are."""
    self._require_built()
    lambda_re = tf.convert_to_tensor(self.lambda_re)
    if self._eigenvalue_clip is not None:
      lambda_re = tf.minimum(lambda_re, self._eigenvalue_clip)
    lambda_bar, b_bar = discretization_lib.discretize(
        tf.stack([lambda_re, self.lambda_im], axis=-1),
        self.b,
        tf.exp(self.log_step),
        self._discretization,
    )
    # Re(C x) = C_re x_re - C_im x_im.
    factor = 2.0 if self._conjugate_symmetry else 1.0
    c = self.c * tf.constant([factor, -factor])
    columns = 2 * self._state_size
    input_projection = tf.reshape(
        tf.transpose(b_bar, [1, 2, 0]), [self._width, columns]
    )
    output_projection = tf.reshape(
        tf.transpose(c, [2, 1, 0]), [columns, self._width]
    )
    return DiscretizedSSM(
        lambda_bar=tf.transpose(lambda_bar),
        input_projection=tf.cast(input_projection, self.compute_dtype),
        output_projection=tf.cast(output_projection, self.compute_dtype),
        skip=tf.convert_to_tensor(self.d),
        initial_state=self.initial_state,
    )

  def call(
      self, u: tf.Tensor, carry: tf.Tensor, is_reset: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs the layer over a sequence.

    Args:
      u: Floating [B, L, H], the inputs.
      carry: float32 [B, 2, P], the state before step 0.
      is_reset: bool [B, L], True where the state is replaced by
        `initial_state` before the step.

    Returns:
      The outputs y, float32 [B, L, H], and the states x, float32
      [B, L, 2, P].

    Raises:
      ValueError: A shape or a dtype is not as above.
    """
    discretized = self.discretize()
    x = self.states(u, carry, is_reset, discretized)
    return self.outputs(u, x, discretized), x

  def step(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: tf.Tensor,
      discretized: Optional[DiscretizedSSM] = None,
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs the layer for one step; agrees with `call`.

    Args:
      u: Floating [B, H], the input.
      carry: float32 [B, 2, P], the state before the step.
      is_reset: bool [B], True where the state is replaced by `initial_state`
        before the step.
      discretized: As `discretize` returned it; None computes it here. Give it
        where the step is inside a loop.

    Returns:
      The output y, float32 [B, H], and the state x, float32 [B, 2, P].

    Raises:
      ValueError: A shape or a dtype is not as above.
    """
    if discretized is None:
      discretized = self.discretize()
    u = self._checked(u, 2)
    x = scan.linear_recurrence_step(
        discretized.lambda_bar,
        self._project(u, discretized),
        is_reset,
        carry,
        discretized.initial_state,
    )
    return self.outputs(u, x, discretized), x

  def states(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: tf.Tensor,
      discretized: DiscretizedSSM,
  ) -> tf.Tensor:
    """The first half of `call`: the states x, float32 [B, L, 2, P]."""
    u = self._checked(u, 3)
    return scan.linear_recurrence(
        discretized.lambda_bar,
        self._project(u, discretized),
        is_reset,
        carry,
        discretized.initial_state,
    )

  def outputs(
      self, u: tf.Tensor, x: tf.Tensor, discretized: DiscretizedSSM
  ) -> tf.Tensor:
    """The second half: y = Re(C x) + D u, float32 [..., H].

    Args:
      u: Floating [..., H], the inputs.
      x: float32 [..., 2, P], the states.
      discretized: As `discretize` returned it.

    Raises:
      ValueError: `u` or `x` is not as above.
    """
    u, x = tf.convert_to_tensor(u), tf.convert_to_tensor(x)
    expected = [*u.shape[:-1], 2, self._state_size]
    if not x.shape.is_compatible_with(expected):
      raise ValueError(
          f'x has shape {x.shape}; with u of shape {u.shape} it must be'
          f' {tf.TensorShape(expected)}.'
      )
    flat = tf.reshape(x, [-1, 2 * self._state_size])
    y = tf.matmul(
        tf.cast(flat, self.compute_dtype), discretized.output_projection
    )
    y = tf.reshape(tf.cast(y, tf.float32), tf.shape(u))
    return y + discretized.skip * tf.cast(u, tf.float32)

  def _project(self, u: tf.Tensor, discretized: DiscretizedSSM) -> tf.Tensor:
    """B_bar u, float32 [..., 2, P], as one matrix product."""
    flat = tf.reshape(tf.cast(u, self.compute_dtype), [-1, self._width])
    inputs = tf.matmul(flat, discretized.input_projection)
    shape = [-1] + list(u.shape[1:-1]) + [2, self._state_size]
    return tf.reshape(tf.cast(inputs, tf.float32), shape)

  def _checked(self, u: tf.Tensor, rank: int) -> tf.Tensor:
    u = tf.convert_to_tensor(u)
    if u.shape.rank != rank or u.shape[-1] != self._width:
      raise ValueError(
          f'u has shape {u.shape}; it must have rank {rank} and end in the'
          f' width {self._width}.'
      )
    return u

  def _require_built(self) -> None:
    if not self.built:
      raise ValueError(
          f'{self.name} has no variables yet; call it, or its'
          f' build([None, {self._width}]), first.'
      )
