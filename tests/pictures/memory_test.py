"""Pictures of what is remembered, of all that can be asked for."""

from matplotlib import image
import numpy as np
import pytest

from r2i_tf.pictures import probes
from r2i_tf.pictures import timescales

_CURVES = {
    'x': [0.5, 1.0, None],
    'h': [0.5, 0.9, None],
    'z': [1.0, 0.5, None],
    'policy': [None, None, None],
    'present': [1.0, 0.5, 0.5],
}


def _pixels(path):
  """Returns the colours of a picture that are not white."""
  pixels = image.imread(path)[..., :3]
  return pixels[np.any(pixels < 0.95, -1)]


@pytest.mark.parametrize('count', [1, 2, 5])
def test_each_target_has_a_panel(tmp_path, count):
  """A score that is not known is a gap; more targets make it taller."""
  panel = probes.Panel('first bit', 'accuracy', 0.5, [0, 1, 2], _CURVES)
  path = tmp_path / 'probes.png'
  probes.draw([panel] * count, path)
  height, width, _ = image.imread(path).shape
  assert width == 552 * min(count, 2)
  assert height == pytest.approx(348 * -(-count // 2) + 108, abs=2)
  # Blue, of x, is there in each panel.
  blue = np.all(np.abs(_pixels(path) - [0.12, 0.47, 0.71]) < 0.02, -1)
  assert np.count_nonzero(blue) > 100 * count


def test_what_lives_for_ever_is_drawn(tmp_path):
  """In the last bin, beside what is gone at once in the first."""
  path = tmp_path / 'timescales.png'
  lives = ([1.0, 10.0, 100.0], [0.0, 10.0, None])
  timescales.draw_half_lives([lives, lives], path)
  assert len(_pixels(path)) > 1000


def test_a_gradient_of_zero_is_a_gap(tmp_path):
  """It has no logarithm, and is no error."""
  path = tmp_path / 'sensitivity.png'
  timescales.draw_sensitivity([0, 1, 2], [1.0, 0.1, 0.0], [0, 0, 0], path)
  assert len(_pixels(path)) > 1000
