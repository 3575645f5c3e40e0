"""The choices that a state-space layer offers; imports no TensorFlow.

Configurations name these choices, and are read before TensorFlow is loaded.
docs/ablations.md explains and compares them.
"""

import enum
from typing import Optional


class Discretization(enum.Enum):
  """How the input and the state move between two steps.

  BILINEAR: the trapezoidal rule; stable wherever the continuous system is.
  ZERO_ORDER_HOLD: exact for an input that stays constant during a step.
  """

  BILINEAR = 'bilinear'
  ZERO_ORDER_HOLD = 'zoh'


class StateSpaceKind(enum.Enum):
  """Which state-space model a layer runs.

  MIMO: one diagonal state for all inputs and outputs (S5), as R2I has it.
  SISO: a diagonal state for each channel (S4D).
  SISO_DPLR: a state for each channel, diagonal plus low rank (S4).
  SELECTIVE: a state for each channel, its steps chosen by the input (Mamba).
  """

  MIMO = 'mimo'
  SISO = 'siso'
  SISO_DPLR = 'siso_dplr'
  SELECTIVE = 'selective'


class Computation(enum.Enum):
  """How the states of a sequence are computed.

  SCAN: from step to step, with resets.
  CONVOLUTION: with the powers of lambda_bar, by FFT; without resets.
  """

  SCAN = 'scan'
  CONVOLUTION = 'convolution'


class NormPosition(enum.Enum):
  """Where the LayerNorm of an S3M layer stands.

  POST: over the sum of a layer's input and what it adds.
  PRE: over what the state-space model sees, inside the residual branch.
  """

  POST = 'post'
  PRE = 'pre'


# What a kind cannot do, as (kind, option, value); why, and the remedy.
_REFUSED = {
    (StateSpaceKind.SISO_DPLR, 'computation', Computation.CONVOLUTION): (
        'what is carried into a sequence would have to go through it step by'
        ' step all the same: set it to scan'
    ),
    (StateSpaceKind.SELECTIVE, 'computation', Computation.CONVOLUTION): (
        'its steps are not alike: set it to scan'
    ),
    (
        StateSpaceKind.SISO_DPLR,
        'discretization',
        Discretization.ZERO_ORDER_HOLD,
    ): 'the exponential of its matrix has no low rank: set it to bilinear',
    (StateSpaceKind.SELECTIVE, 'discretization', Discretization.BILINEAR): (
        'a long step would not forget, but flip the state: set it to zoh'
    ),
    (StateSpaceKind.SELECTIVE, 'conjugate_symmetry', True): (
        'its states are real: set it to False'
    ),
}


def refusal(
    kind: StateSpaceKind,
    discretization: Discretization,
    computation: Computation,
    conjugate_symmetry: bool,
    eigenvalue_clip: Optional[float],
) -> Optional[str]:
  """Returns why options do not go together, in one sentence, or None.

  Args:
    kind: The kind of state-space model.
    discretization: As of that kind's layer.
    computation: As of that kind's layer.
    conjugate_symmetry: As of that kind's layer.
    eigenvalue_clip: As of that kind's layer.
  """
  if eigenvalue_clip is not None and eigenvalue_clip >= 0.0:
    return f'eigenvalue_clip is {eigenvalue_clip}; it must be negative or None.'
  if kind is StateSpaceKind.SELECTIVE and eigenvalue_clip is not None:
    return (
        f'eigenvalue_clip is {eigenvalue_clip}, which the kind selective does'
        ' not take, since its eigenvalues are negative by their form: set it'
        ' to None.'
    )
  for name, value in (
      ('computation', computation),
      ('discretization', discretization),
      ('conjugate_symmetry', conjugate_symmetry),
  ):
    reason = _REFUSED.get((kind, name, value))
    if reason is not None:
      shown = value.value if isinstance(value, enum.Enum) else value
      return (
          f'{name} is {shown}, which the kind {kind.value} does not take, since'
          f' {reason}.'
      )
  return None
