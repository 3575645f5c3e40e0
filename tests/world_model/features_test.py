"""Tests of r2i_tf.world_model.features: who sees what of a state."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf.world_model import State
from r2i_tf.world_model import features as features_lib

_SIZES = (2, 3, 4)
_STATE = State(
    output=tf.fill([5, 2], 1.0),
    latent=tf.fill([5, 3], 2.0),
    hidden=tf.fill([5, 4], 3.0),
)
_SEEN = {
    agent_config.PolicyInput.OUTPUT: [1, 1, 2, 2, 2],
    agent_config.PolicyInput.HIDDEN: [2, 2, 2, 3, 3, 3, 3],
    agent_config.PolicyInput.FULL: [1, 1, 2, 2, 2, 3, 3, 3, 3],
}


def test_heads_see_output_and_latent():
  """The heads see (h, z), never the hidden state."""
  heads = features_lib.of_heads(_SIZES)
  assert heads.size == 5
  np.testing.assert_array_equal(heads.of(_STATE)[0], [1, 1, 2, 2, 2])


@pytest.mark.parametrize('policy_input', agent_config.PolicyInput)
def test_policies_see_the_parts_of_the_paper(policy_input):
  """The latent always, and beside it h, x or both."""
  policy = features_lib.of_policy(_SIZES, policy_input)
  seen = policy.of(_STATE)
  assert seen.shape == (5, policy.size)
  np.testing.assert_array_equal(seen[0], _SEEN[policy_input])


def test_a_slice_of_what_all_see_is_what_each_sees():
  """One array of the joined stretch serves both of its networks."""
  everyone = [features_lib.of_heads(_SIZES)] + [
      features_lib.of_policy(_SIZES, it) for it in agent_config.PolicyInput
  ]
  for one, other in itertools.product(everyone, repeat=2):
    joined = one.joined(other)
    np.testing.assert_array_equal(
        one.within(joined, joined.of(_STATE)), one.of(_STATE)
    )
