"""The state-space layers, one file for each kind."""

from typing import Any, Callable, Optional

from r2i_tf.ssm import options
from r2i_tf.ssm.kinds import mimo
from r2i_tf.ssm.kinds import selective
from r2i_tf.ssm.kinds import siso
from r2i_tf.ssm.kinds import siso_dplr
from r2i_tf.ssm.kinds.interface import Discretized
from r2i_tf.ssm.kinds.interface import DType
from r2i_tf.ssm.kinds.interface import Shape
from r2i_tf.ssm.kinds.interface import StateSpaceLayer
from r2i_tf.ssm.kinds.interface import never

__all__ = [
    'DType',
    'Discretized',
    'Shape',
    'StateSpaceLayer',
    'create',
    'never',
]

_Kind = options.StateSpaceKind
# Each kind's class, and the options that it has beside those of all.
_DIAGONAL = (
    'discretization',
    'conjugate_symmetry',
    'eigenvalue_clip',
    'computation',
)
_CLASSES: dict[_Kind, tuple[Callable[..., StateSpaceLayer], Any]] = {
    _Kind.MIMO: (mimo.DiagonalSSM, ('blocks', *_DIAGONAL)),
    _Kind.SISO: (siso.ChannelSSM, _DIAGONAL),
    _Kind.SISO_DPLR: (
        siso_dplr.LowRankSSM,
        ('conjugate_symmetry', 'eigenvalue_clip'),
    ),
    _Kind.SELECTIVE: (selective.SelectiveSSM, ()),
}


def create(
    kind: options.StateSpaceKind,
    width: int,
    state_size: int,
    blocks: int,
    discretization: options.Discretization,
    min_step: float,
    max_step: float,
    conjugate_symmetry: bool,
    eigenvalue_clip: Optional[float],
    learned_initial_state: bool,
    computation: options.Computation,
    dtype: Optional[DType],
    name: str,
) -> StateSpaceLayer:
  """Returns a layer of a kind.

  Args:
    kind: Which; its class takes those of the arguments below that it has.
    width: See the class, as for all that follow.
    state_size: Of the layer, or of each of its channels.
    blocks: Of the kind mimo.
    discretization: See above.
    min_step: See above.
    max_step: See above.
    conjugate_symmetry: See above.
    eigenvalue_clip: See above.
    learned_initial_state: See above.
    computation: See above.
    dtype: See above.
    name: See above.

  Raises:
    ValueError: The kind does not take an option's value.
  """
  reason = options.refusal(
      kind, discretization, computation, conjugate_symmetry, eigenvalue_clip
  )
  if reason is not None:
    raise ValueError(reason)
  given = {
      'blocks': blocks,
      'discretization': discretization,
      'conjugate_symmetry': conjugate_symmetry,
      'eigenvalue_clip': eigenvalue_clip,
      'computation': computation,
  }
  layer_class, options_of_kind = _CLASSES[kind]
  return layer_class(
      width=width,
      state_size=state_size,
      min_step=min_step,
      max_step=max_step,
      learned_initial_state=learned_initial_state,
      dtype=dtype,
      name=name,
      **{option: given[option] for option in options_of_kind},
  )
