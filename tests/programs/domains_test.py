"""A domain through launch/train.py from end to end.

One with actions that are numbers; `programs_test` has one with choices. The
others take minutes: `.ci/run` runs them, by `tests.acceptance.every_domain`.
"""

import math

import pytest

from tests.acceptance import every_domain


def test_a_domain_is_collected_trained_exported_and_evaluated(tmp_path):
  """Its real environment, specs and options go through all of a run."""
  try:
    result = every_domain.run('dmc_proprio', tmp_path / 'run')
  except every_domain.Skipped as reason:
    pytest.skip(str(reason))
  assert math.isfinite(result.mean_return)
