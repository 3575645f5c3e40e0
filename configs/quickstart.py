"""A first run, for a laptop: see one bit, act on it a hundred steps later."""

import ml_collections

from r2i_tf import run_config


def get_config() -> ml_collections.ConfigDict:
  """Returns the run."""
  return run_config.recipe('quickstart')
