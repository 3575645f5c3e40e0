"""The state-space model of S4: diagonal plus low rank, HiPPO-LegS itself.

  x_h'(t) = (diag(lambda_h) - p_h p_h^H) x_h(t) + b_h u_h(t)
  y_h = Re(c_h^T x_h) + d_h u_h

for each of H channels, with N complex states (arXiv 2111.00396). With
conjugate symmetry the sum p^H x runs over both of each pair. The bilinear rule
makes of it, by Woodbury's identity, with D = (2 / step - lambda)^(-1) and
s = 1 / (1 + p^H D p),

  A_bar = (I - step / 2 A)^(-1) (I + step / 2 A)
        = diag(lambda_bar) - (4 / step) s D p (D conj(p))^T
  B_bar = 2 (D b - s D p (p^H D b))

which is once more diagonal less rank one: `low_rank` runs that, step by step,
and says why. Of the kinds that train over a sequence in parallel this is the
only one with L steps in sequence on any device.
"""

from typing import NamedTuple, Optional, Union

import tensorflow as tf

from r2i_tf.ssm import low_rank
from r2i_tf.ssm import options
from r2i_tf.ssm import planes
from r2i_tf.ssm.kinds import interface
from r2i_tf.ssm.kinds import siso


class DiscretizedLowRankSSM(NamedTuple):
  """The arrays that a step of a `LowRankSSM` reads, all float32.

  Attributes:
    matrix: A_bar of each channel.
    input_projection: [2, H N], B_bar.
    output_projection: [2, H N], c, twice that with conjugate symmetry.
    skip: [H], D.
    initial_state: [2, H N], the state after a reset.
  """

  matrix: low_rank.LowRankMap
  input_projection: tf.Tensor
  output_projection: tf.Tensor
  skip: tf.Tensor
  initial_state: tf.Tensor


class LowRankSSM(siso.ChannelSSM):
  """S4, with the matrix of HiPPO-LegS to begin with.

  Variables as of `ChannelSSM`, and `p` [H, N, 2].
  """

  _PARAMETERS: tuple[str, ...] = (
      'lambda_re',
      'lambda_im',
      'p',
      'b',
      'c',
      'd',
      'log_step',
  )

  def __init__(
      self,
      width: int,
      state_size: int,
      min_step: float = 0.001,
      max_step: float = 0.1,
      conjugate_symmetry: bool = False,
      eigenvalue_clip: Optional[float] = None,
      learned_initial_state: bool = True,
      dtype: Optional[interface.DType] = None,
      name: Optional[str] = None,
  ):
    """Creates the layer; arguments as of `ChannelSSM`, rule and form given."""
    super().__init__(
        width,
        state_size,
        min_step=min_step,
        max_step=max_step,
        conjugate_symmetry=conjugate_symmetry,
        eigenvalue_clip=eigenvalue_clip,
        learned_initial_state=learned_initial_state,
        discretization=options.Discretization.BILINEAR,
        computation=options.Computation.SCAN,
        dtype=dtype,
        name=name,
    )

  def _create_variables(self) -> None:
    super()._create_variables()
    self.p = self._add(
        'p',
        [self._width, self._channel_size, 2],
        siso.each_channel(self._p),
    )

  def discretize(self) -> DiscretizedLowRankSSM:
    """Returns the arrays that `step` reads, from the variables as they are."""
    self._require_built()
    one = tf.broadcast_to([1.0, 0.0], tf.shape(self.b))
    # The rule gives 2 D of what it takes for b.
    lambda_bar, columns = self._discretized(
        tf.stack([self.b, self.p, one], axis=2)
    )
    twice_db, twice_dp, twice_d = (planes.split(x) for x in columns)
    p, b = (
        planes.split(tf.transpose(tf.reshape(x, [-1, 2])))
        for x in (self.p, self.b)
    )
    right = _scaled(0.5, planes.multiply(planes.conjugate(p), twice_d))
    inner_re, inner_im = self._channel_sums(planes.multiply(right, p))
    denominator = (1.0 + inner_re, inner_im)
    square = denominator[0] ** 2 + denominator[1] ** 2
    s = (denominator[0] / square, -denominator[1] / square)
    s_dp = _scaled(0.5, planes.multiply(s, twice_dp))
    along_b = self._channel_sums(planes.multiply(right, b))
    b_bar = planes.add(twice_db, _scaled(-2.0, planes.multiply(s_dp, along_b)))
    rate = 4.0 * tf.repeat(
        tf.exp(-self.log_step[:, 0]), self._channel_size, axis=0
    )
    return DiscretizedLowRankSSM(
        matrix=low_rank.LowRankMap(
            diagonal=lambda_bar,
            left=planes.join(_scaled(rate, s_dp)),
            right=planes.join(right),
        ),
        input_projection=planes.join(b_bar),
        output_projection=self._output_projection(),
        skip=tf.convert_to_tensor(self.d),
        initial_state=self.initial_state,
    )

  def moduli(self) -> None:
    """None: a step mixes the states of a channel."""

  def states(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: Optional[tf.Tensor],
      discretized: DiscretizedLowRankSSM,
  ) -> tf.Tensor:
    """See `StateSpaceLayer.states`."""
    u = self._checked(u, 3)
    return low_rank.low_rank_recurrence(
        discretized.matrix,
        self._project(u, discretized),
        interface.never(u) if is_reset is None else is_reset,
        carry,
        discretized.initial_state,
        self._channel_size,
        self._conjugate_symmetry,
    )

  def next_state(
      self,
      u: tf.Tensor,
      carry: tf.Tensor,
      is_reset: tf.Tensor,
      discretized: DiscretizedLowRankSSM,
  ) -> tf.Tensor:
    """See `StateSpaceLayer.next_state`."""
    return low_rank.low_rank_recurrence_step(
        discretized.matrix,
        self._project(self._checked(u, 2), discretized),
        is_reset,
        carry,
        discretized.initial_state,
        self._channel_size,
        self._conjugate_symmetry,
    )

  def _channel_sums(self, x: planes.Planes) -> planes.Pair:
    """The sum over each channel's states, for all of them; planes [H N]."""
    re, im = (
        tf.repeat(
            tf.reduce_sum(tf.reshape(part, [-1, self._channel_size]), axis=-1),
            self._channel_size,
        )
        for part in x
    )
    if self._conjugate_symmetry:
      return 2.0 * re, tf.zeros_like(im)
    return re, im


def _scaled(factor: Union[float, tf.Tensor], x: planes.Planes) -> planes.Planes:
  return tuple(factor * part for part in x)
