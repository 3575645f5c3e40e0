"""The domains that draw nothing, through launch/train.py from end to end.

Those that MuJoCo draws take minutes without a GPU: `.ci/run` runs them, by
`tests.acceptance.every_domain`.
"""

import math

import pytest

from tests.acceptance import every_domain


@pytest.mark.parametrize(
    'domain', ['bsuite', 'popgym', 'atari100k', 'dmc_proprio']
)
def test_a_domain_is_collected_trained_exported_and_evaluated(domain, tmp_path):
  """Its real environment, specs and options go through all of a run."""
  try:
    result = every_domain.run(domain, tmp_path / 'run')
  except every_domain.Skipped as reason:
    pytest.skip(str(reason))
  assert math.isfinite(result.mean_return)
