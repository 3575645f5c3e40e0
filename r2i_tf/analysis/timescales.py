"""How long a layer's channels remember by themselves: half-lives in steps.

A step leaves |lambda_bar| of what a channel held, so that half of it is left
after ln(1/2) / ln |lambda_bar| steps. The layers before and after may add to
that, never to what a channel has forgotten.
"""

import math
from typing import Optional

import numpy as np


def half_lives(moduli: np.ndarray) -> list[Optional[float]]:
  """Returns the half-life of each channel in steps, ascending.

  Args:
    moduli: |lambda_bar|, [P].

  Returns:
    Those numbers; None, at the end, for channels that lose nothing or grow.
  """
  values = np.sort(np.asarray(moduli, np.float64))
  return [
      math.log(0.5) / math.log(value)
      if 0 < value < 1
      else (0.0 if value <= 0 else None)
      for value in values
  ]
