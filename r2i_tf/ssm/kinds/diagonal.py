"""What the diagonal kinds share: eigenvalues, their bound, and the states.

A diagonal model with constant coefficients computes the states of a sequence by
a scan or by a convolution; the kinds differ in what enters and leaves a state.
"""

import abc
from typing import NamedTuple, Optional

import tensorflow as tf

from r2i_tf.ssm import convolution
from r2i_tf.ssm import options
from r2i_tf.ssm import scan
from r2i_tf.ssm.kinds import interface


class DiscretizedSSM(NamedTuple):
  """The arrays that a step of a diagonal layer reads.

  Attributes:
    lambda_bar: float32 [2, P], the discretised eigenvalues.
    input_projection: B_bar. mimo: [H, 2 P] in the compute dtype, real parts
      first, so that B_bar u is one real product; siso: float32 [2, P].
    output_projection: What makes Re(C x), twice that with conjugate symmetry.
      mimo: [2 P, H] in the compute dtype; siso: float32 [2, P].
    skip: float32 [H], D.
    initial_state: float32 [2, P], the state after a reset.
  """

  lambda_bar: tf.Tensor
  input_projection: tf.Tensor
  output_projection: tf.Tensor
  skip: tf.Tensor
  initial_state: tf.Tensor


class DiagonalLayer(interface.StateSpaceLayer):
  """A layer with x_t = lambda_bar prev_t + B_bar u_t, channel by channel."""

  def __init__(
      self,
      width: int,
      state_size: int,
      discretization: options.Discretization,
      min_step: float,
      max_step: float,
      conjugate_symmetry: bool,
      eigenvalue_clip: Optional[float],
      learned_initial_state: bool,
      computation: options.Computation,
      dtype: Optional[interface.DType],
      name: Optional[str],
  ):
    """Creates the layer.

    Args:
      width: H.
      state_size: P, the number of complex state channels.
      discretization: The rule that turns continuous time into steps.
      min_step: See `StateSpaceLayer`.
      max_step: See `StateSpaceLayer`.
      conjugate_symmetry: Whether the state holds one of each conjugate pair,
        its twin implied, so that y = 2 Re(C x) + D u.
      eigenvalue_clip: Upper bound for the real part of the eigenvalues,
        negative, which keeps the layer stable; None for no bound. An
        eigenvalue above the bound receives no gradient for its real part.
      learned_initial_state: See `StateSpaceLayer`.
      computation: How the states of a sequence are computed.
      dtype: See `StateSpaceLayer`.
      name: See `StateSpaceLayer`.

    Raises:
      ValueError: An argument is not as above.
    """
    super().__init__(
        width,
        (2, state_size),
        min_step,
        max_step,
        learned_initial_state,
        dtype,
        name,
    )
    if discretization not in tuple(options.Discretization):
      raise ValueError(
          f'discretization is {discretization!r}; it must be one of'
          f' {[str(a) for a in options.Discretization]}.'
      )
    if eigenvalue_clip is not None and eigenvalue_clip >= 0.0:
      raise ValueError(
          f'eigenvalue_clip is {eigenvalue_clip}; it must be negative or None.'
      )
    self._discretization = discretization
    self._conjugate_symmetry = conjugate_symmetry
    self._eigenvalue_clip = eigenvalue_clip
    self._computation = computation

  @abc.abstractmethod
  def _project(
      self, u: tf.Tensor, discretized: interface.Discretized
  ) -> tf.Tensor:
    """B_bar u, float32 [..., 2, P]."""

  def moduli(self) -> Optional[tf.Tensor]:
    """See `StateSpaceLayer.moduli`."""
    return tf.norm(self.discretize().lambda_bar, axis=0)

  def states(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: Optional[tf.Tensor],
      discretized: interface.Discretized,
  ) -> tf.Tensor:
    """See `StateSpaceLayer.states`."""
    u = self._checked(u, 3)
    inputs = self._project(u, discretized)
    if self._computation is options.Computation.CONVOLUTION:
      if is_reset is not None:
        raise ValueError(
            'is_reset was given, but a convolution cannot reset inside of a'
            ' sequence: give None, or compute by a scan.'
        )
      return convolution.convolved(discretized.lambda_bar, inputs, carry)
    return scan.linear_recurrence(
        discretized.lambda_bar,
        inputs,
        interface.never(u) if is_reset is None else is_reset,
        carry,
        discretized.initial_state,
    )

  def next_state(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: tf.Tensor,
      discretized: interface.Discretized,
  ) -> tf.Tensor:
    """See `StateSpaceLayer.next_state`."""
    return scan.linear_recurrence_step(
        discretized.lambda_bar,
        self._project(self._checked(u, 2), discretized),
        is_reset,
        carry,
        discretized.initial_state,
    )

  def _bounded(self, lambda_re: tf.Variable) -> tf.Tensor:
    """The real parts of the eigenvalues, at most `eigenvalue_clip`."""
    bounded = tf.convert_to_tensor(lambda_re)
    if self._eigenvalue_clip is not None:
      bounded = tf.minimum(bounded, self._eigenvalue_clip)
    return bounded
