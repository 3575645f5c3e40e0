"""Two domains through launch/train.py from end to end.

One with actions to choose from, one with numbers. `.ci/run` runs the others, by
`tests.acceptance.every_domain`: they take minutes.
"""

import math

import pytest

from tests.acceptance import every_domain


@pytest.mark.parametrize('domain', ['bsuite', 'dmc_proprio'])
def test_a_domain_is_collected_trained_exported_and_evaluated(domain, tmp_path):
  """Its real environment, specs and options go through all of a run."""
  try:
    result = every_domain.run(domain, tmp_path / 'run')
  except every_domain.Skipped as reason:
    pytest.skip(str(reason))
  assert math.isfinite(result.mean_return)
