"""docs/scalars.md lists what a train step reports."""

import pathlib
import re

from tests.agents import small

_DOCUMENT = pathlib.Path(__file__).parents[2] / 'docs' / 'scalars.md'


def test_every_scalar_is_explained():
  """Each has its row, and no row is of a scalar that there is not."""
  rows = re.findall(r'^\| `([^`]+)` \|', _DOCUMENT.read_text('utf-8'), re.M)
  info = small.agent().train(small.trajectories())
  assert sorted(rows) == sorted(['loss', *info.extra])
