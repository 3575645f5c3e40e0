"""docs/scalars.md lists what a train step reports."""

import pathlib
import re

import numpy as np

from tests.agents import small

_DOCUMENT = pathlib.Path(__file__).parents[2] / 'docs' / 'scalars.md'


def test_every_scalar_is_explained():
  """Each has its row, and no row is of a scalar that there is not.

  With the one option that adds a scalar. The parts of the loss add up.
  """
  rows = re.findall(r'^\| `([^`]+)` \|', _DOCUMENT.read_text('utf-8'), re.M)
  agent = small.agent(replay_critic_scale=0.3)
  info = agent.train(small.trajectories())
  assert sorted(rows) == sorted(['loss', *info.extra])
  loss = sum(
      info.extra[f'{part}/loss'] for part in ('world_model', 'actor', 'critic')
  )
  np.testing.assert_allclose(info.loss, loss, rtol=1e-5)
