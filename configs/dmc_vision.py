"""DeepMind Control from images with the published hyperparameters.

Variants: debug, a run of minutes on two cores; tiny, small, medium, large and
xlarge, the published run at another model size.
"""

import ml_collections

from r2i_tf import run_config


def get_config(variant: str = '') -> ml_collections.ConfigDict:
  """Returns the published run, or a variant of it."""
  return run_config.recipe('dmc_vision', variant)
