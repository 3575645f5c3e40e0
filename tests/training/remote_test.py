"""A run whose replicas are no host's: as on a TPU, of which there is none."""

import dataclasses

import numpy as np

from r2i_tf.agents import acting
from r2i_tf.training import run
from r2i_tf.training import strategies
from tests.training import fakes


def test_it_acts_by_a_copy_that_is_renewed(tmp_path, monkeypatch):
  """Of the weights that the agent has after each round of train steps."""
  copies = []

  class Copy(acting.HostCopy):

    def __init__(self, original, config):
      copies.append((self, original))
      self.updates = 0
      super().__init__(original, config)

    def update(self):
      self.updates += 1
      super().update()

  monkeypatch.setattr(strategies, 'is_remote', lambda _: True)
  monkeypatch.setattr(acting, 'HostCopy', Copy)
  config = dataclasses.replace(fakes.r2i_config(), steps=128 + 50 * 2)
  summary = run.train(config, str(tmp_path))
  assert summary.train_steps == 50
  [(copy, original)] = copies
  assert copy.updates == 2 + 50  # Made, restored, and after each round.
  for mine, theirs in zip(
      copy.policy.acting_variables, original.acting_variables
  ):
    np.testing.assert_array_equal(mine, theirs)
