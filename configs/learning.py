"""Tasks that two cores learn, by remembering, moving and seeing.

Variants: repeat_previous, cartpole_balance, catch_images, as in
--config=configs/learning.py:repeat_previous.
"""

import ml_collections

from r2i_tf import run_config


def get_config(variant: str = '') -> ml_collections.ConfigDict:
  """Returns the run of a variant."""
  return run_config.recipe('learning', variant)
