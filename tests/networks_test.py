"""Tests of r2i_tf.networks: the choice of the norm."""

import pytest
import tensorflow as tf
from tf_agents.trajectories import time_step as ts

from r2i_tf import config as agent_config
from r2i_tf import norms
from r2i_tf.agents import R2IAgent
from tests.agents import small


@pytest.mark.parametrize('kind', agent_config.SequenceModelKind)
def test_one_field_changes_every_norm(kind):
  """No LayerNorm is left but those of the S3M's layers, in any network."""
  image = {'camera': tf.TensorSpec([8, 8, 3], tf.uint8), 'speed': small.VECTOR}
  agent = R2IAgent(
      ts.time_step_spec(image),
      small.DISCRETE,
      small.config(kind=kind, norm=agent_config.Norm.RMS),
  )
  modules = [
      *agent.world_model.submodules,
      *agent.behavior.submodules,
  ]
  found = [m for m in modules if isinstance(m, norms.RMSNorm)]
  others = [m for m in modules if isinstance(m, norms.LayerNorm)]
  assert len(found) > 10
  s3m = kind is agent_config.SequenceModelKind.S3M
  assert len(others) == (1 if s3m else 0)  # Of its one layer.
