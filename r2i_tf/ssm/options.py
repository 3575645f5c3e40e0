"""The choices that a state-space layer offers; imports no TensorFlow.

Configurations name these choices, and are read before TensorFlow is loaded.
"""

import enum


class Discretization(enum.Enum):
  """How the input and the state move between two steps.

  BILINEAR: the trapezoidal rule; stable wherever the continuous system is.
  ZERO_ORDER_HOLD: exact for an input that stays constant during a step.
  """

  BILINEAR = 'bilinear'
  ZERO_ORDER_HOLD = 'zoh'
