"""Seeds of a run that has several starts, and several hosts."""

import numpy as np


def of_start(seed: int, step: int, host: int = 0) -> int:
  """Returns the seed of a start of the run that goes on from `step`.

  A run that goes on must not live through the episodes of its beginning again,
  nor a host through those of another.

  Args:
    seed: Of the run.
    step: 0 at the first start.
    host: The number of this one of several.
  """
  words = [seed, step, host] if host else [seed, step]
  state = np.random.SeedSequence(words).generate_state(1)
  return int(state[0]) % 2**31
