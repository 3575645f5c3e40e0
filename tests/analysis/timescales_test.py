"""Half-lives are steps after which half is left."""

import numpy as np
import pytest

from r2i_tf.analysis import timescales


def test_half_is_left_after_a_half_life():
  """|lambda_bar|^n = 1/2, and the channels are in order."""
  moduli = np.array([0.999, 0.5, 0.9], np.float32)
  lives = timescales.half_lives(moduli)
  assert lives == sorted(lives)
  np.testing.assert_allclose(np.sort(moduli) ** lives, 0.5, rtol=1e-6)


def test_what_is_not_forgotten_has_none():
  """Nor has what grows; what is gone at once has zero."""
  assert timescales.half_lives(np.array([0.0, 1.0, 1.1])) == [0.0, None, None]
  assert timescales.half_lives(np.array([0.25])) == [pytest.approx(0.5)]
