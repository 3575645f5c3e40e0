"""The interface of a state-space layer: a state, and what is read off it.

  x_t = A_bar prev_t + B_bar u_t,   y_t = Re(C x_t) + D u_t

where prev_t is the initial state at a reset, else x_(t-1); in two forms that
agree, over a sequence and one step at a time. A kind says what its states are
(`states`, `next_state`) and what is read off them (`outputs`).
"""

import abc
from collections.abc import Sequence
from typing import Any, Optional, Union

import tensorflow as tf

DType = Union[str, tf.keras.mixed_precision.Policy]
Shape = Union[tf.TensorShape, Sequence[Optional[int]]]
# A kind's own NamedTuple of arrays. Two of its fields every kind has, and
# `outputs` reads no other: `output_projection` and `skip`.
Discretized = Any


class StateSpaceLayer(tf.keras.layers.Layer, abc.ABC):
  """The interface of a state-space layer; see the file's docstring.

  The variables are float32, the states float32 [..., K, P]: K = 2 planes of
  complex numbers, or K = 1 of real ones. Matrix products are computed in the
  compute dtype of the Keras policy. All else, discretisation and recurrence, is
  float32 under any policy: rounding errors of a recurrence live as long as its
  memory.

  Attributes:
    state_shape: [K, P], of the state of one sequence.
    learned_initial_state: float32 [K, P], or None if it is zeros.
  """

  # The attributes that hold the variables, but for the initial state.
  _PARAMETERS: tuple[str, ...]

  def __init__(
      self,
      width: int,
      state_shape: tuple[int, int],
      min_step: float,
      max_step: float,
      learned_initial_state: bool,
      dtype: Optional[DType],
      name: Optional[str],
  ):
    """Creates the layer; variables come with `build`.

    Args:
      width: H, the number of inputs and of outputs.
      state_shape: [K, P].
      min_step: Lower bound of the initial step lengths, positive.
      max_step: Upper bound of the initial step lengths.
      learned_initial_state: Whether the state after a reset is a variable
        (zeros at first) rather than zeros.
      dtype: Keras dtype or policy; None for the global one.
      name: Name of the layer.

    Raises:
      ValueError: An argument is not as above.
    """
    super().__init__(name=name, dtype=dtype)
    if width < 1:
      raise ValueError(f'width is {width}; it must be at least 1.')
    if not 0.0 < min_step <= max_step:
      raise ValueError(
          f'min_step is {min_step} and max_step is {max_step}; they must'
          ' satisfy 0 < min_step <= max_step.'
      )
    self.state_shape = tuple(state_shape)
    self._width = width
    self._min_step = min_step
    self._max_step = max_step
    self._has_learned_initial_state = learned_initial_state

  @abc.abstractmethod
  def _create_variables(self) -> None:
    """Creates the variables of `_PARAMETERS`, by `_add`."""

  @abc.abstractmethod
  def discretize(self) -> Discretized:
    """Returns the arrays that `step` reads, from the variables as they are."""

  def moduli(self) -> Optional[tf.Tensor]:
    """Returns what a step leaves of each state, a factor: float32 [P].

    |lambda_bar| of each channel. None where it is no number of a channel's own:
    because a step mixes the states, or because it depends on the input.
    """
    return None

  @abc.abstractmethod
  def states(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: Optional[tf.Tensor],
      discretized: Discretized,
  ) -> tf.Tensor:
    """The first half of `call`: the states x, float32 [B, L, K, P]."""

  @abc.abstractmethod
  def next_state(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: tf.Tensor,
      discretized: Discretized,
  ) -> tf.Tensor:
    """The first half of `step`: the state x, float32 [B, K, P]."""

  @abc.abstractmethod
  def outputs(
      self, u: tf.Tensor, x: tf.Tensor, discretized: Discretized
  ) -> tf.Tensor:
    """The second half of both: y, float32 [..., H].

    Args:
      u: Floating [..., H], the inputs.
      x: float32 [..., K, P], the states.
      discretized: As `discretize` returned it; of it this reads
        `output_projection` and `skip` alone.

    Raises:
      ValueError: `u` or `x` is not as above.
    """

  def build(self, input_shape: Shape) -> None:
    """Creates the variables; `input_shape` is any shape that ends in H."""
    if tf.TensorShape(input_shape)[-1] != self._width:
      raise ValueError(
          f'{self.name} was built for inputs of shape {input_shape}; the last'
          f' dimension must be its width, {self._width}.'
      )
    self._create_variables()
    self.learned_initial_state = None
    if self._has_learned_initial_state:
      self.learned_initial_state = self._add(
          'initial_state', self.state_shape, 'zeros'
      )
    super().build(input_shape)

  @property
  def ssm_variables(self) -> list[tf.Variable]:
    """The variables that want an optimiser group of their own: all there are.

    In the order of their creation; the initial state, if learned, is the last.
    """
    self._require_built()
    variables = [getattr(self, name) for name in self._PARAMETERS]
    if self.learned_initial_state is not None:
      variables.append(self.learned_initial_state)
    return variables

  @property
  def initial_state(self) -> tf.Tensor:
    """The state after a reset, float32 [K, P]."""
    if not self._has_learned_initial_state:
      return tf.zeros(self.state_shape)
    self._require_built()
    return tf.convert_to_tensor(self.learned_initial_state)

  def call(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: Optional[tf.Tensor] = None,
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs the layer over a sequence.

    Args:
      u: Floating [B, L, H], the inputs.
      carry: float32 [B, K, P], the state before step 0.
      is_reset: bool [B, L], True where the state is replaced by
        `initial_state` before the step; None for nowhere.

    Returns:
      The outputs y, float32 [B, L, H], and the states x, float32
      [B, L, K, P].

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
      discretized: Optional[Discretized] = None,
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs the layer for one step; agrees with `call`.

    Args:
      u: Floating [B, H], the input.
      carry: float32 [B, K, P], the state before the step.
      is_reset: bool [B], True where the state is replaced by `initial_state`
        before the step.
      discretized: As `discretize` returned it; None computes it here. Give it
        where the step is inside a loop.

    Returns:
      The output y, float32 [B, H], and the state x, float32 [B, K, P].

    Raises:
      ValueError: A shape or a dtype is not as above.
    """
    if discretized is None:
      discretized = self.discretize()
    x = self.next_state(u, carry, is_reset, discretized)
    return self.outputs(u, x, discretized), x

  def _add(
      self,
      name: str,
      shape: Sequence[int],
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

  def _checked(self, u: tf.Tensor, rank: int) -> tf.Tensor:
    u = tf.convert_to_tensor(u)
    if u.shape.rank != rank or u.shape[-1] != self._width:
      raise ValueError(
          f'u has shape {u.shape}; it must have rank {rank} and end in the'
          f' width {self._width}.'
      )
    return u

  def _checked_outputs(
      self, u: tf.Tensor, x: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    u, x = tf.convert_to_tensor(u), tf.convert_to_tensor(x)
    expected = [*u.shape[:-1], *self.state_shape]
    if not x.shape.is_compatible_with(expected):
      raise ValueError(
          f'x has shape {x.shape}; with u of shape {u.shape} it must be'
          f' {tf.TensorShape(expected)}.'
      )
    return u, x

  def _require_built(self) -> None:
    if not self.built:
      raise ValueError(
          f'{self.name} has no variables yet; call it, or its'
          f' build([None, {self._width}]), first.'
      )


def never(u: tf.Tensor) -> tf.Tensor:
  """Returns bool [B, L], False: no step of [B, L, H] is a reset."""
  return tf.zeros(tf.shape(u)[:2], tf.bool)
