"""Pictures of what was foreseen: readable, and true to their numbers."""

import numpy as np
from PIL import Image
from PIL import ImageSequence
import pytest

from r2i_tf.pictures import open_loop


def _images(steps, *shape):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, [2, steps, *shape]).astype(np.uint8)


@pytest.mark.parametrize(
    'shape', [(8, 8, 1), (8, 8), (16, 9, 3), (100, 160, 3), (8, 8, 4)]
)
@pytest.mark.parametrize('steps', [2, 5, 90])
def test_images_of_every_shape_are_drawn(tmp_path, shape, steps):
  """As a strip and as an animation, of as many steps as can be seen."""
  truth = _images(steps, *shape)
  png, gif = tmp_path / 'a.png', tmp_path / 'a.gif'
  open_loop.draw_images(truth, truth + 9.0, -(-steps // 4), png, gif)
  with Image.open(png) as strip:
    assert strip.width < 2_000 and strip.height < 1_200
  with Image.open(gif) as moving:
    frames = len(list(ImageSequence.Iterator(moving)))
  assert frames == steps if steps <= 64 else 60 <= frames <= 64


def test_a_strip_shows_truth_prediction_and_difference(tmp_path):
  """Side by side, the shown steps apart from the imagined ones."""
  truth = np.zeros([1, 3, 8, 8, 3], np.uint8)
  truth[..., 0] = 200
  prediction = truth.astype(np.float32)
  prediction[:, 2, ..., 0] = 300  # Brighter than an image can be.
  png, gif = tmp_path / 'a.png', tmp_path / 'a.gif'
  open_loop.draw_images(truth, prediction, 1, png, gif)
  with Image.open(png) as picture:
    strip = np.asarray(picture.convert('RGB'))
  colors = {
      tuple(color): np.argwhere((strip == color).all(-1))
      for color in ([200, 0, 0], [255, 0, 0], [128, 128, 128], [178, 128, 128])
  }
  # Two rows of three images, but for the one that is predicted otherwise.
  assert len(colors[(200, 0, 0)]) == 5 * 64 * 64
  assert len(colors[(255, 0, 0)]) == 64 * 64
  assert len(colors[(128, 128, 128)]) == 2 * 64 * 64
  # The last column, below the truth and the prediction.
  top, left = colors[(255, 0, 0)].min(0)
  assert tuple(colors[(178, 128, 128)].min(0)) == (top + 66, left)
  # A black line through the picture, between the first column and the next.
  lines = np.flatnonzero((strip == 0).all((0, 2)))
  assert np.all((80 + 64 <= lines) & (lines < left - 64)) and len(lines)


def test_steps_that_are_left_out_are_none_of_those_that_tell():
  """The first, the last, the last shown and the first imagined are there."""
  for steps, shown in ((17, 1), (60, 15), (256, 64), (200, 199)):
    thinned = open_loop._thinned(steps, 16, shown - 1)
    assert {0, shown - 1, shown, steps - 1} <= set(thinned)
    assert len(thinned) <= 16 and thinned == sorted(thinned)


def test_of_many_components_those_that_move_most_are_drawn():
  """However large the numbers of others are."""
  vectors = np.full([2, 30, 20], 1e6)
  vectors[..., 7] += np.arange(30)  # A millionth of it.
  vectors[..., [3, 11]] = np.sin(np.arange(30))[:, np.newaxis]
  assert open_loop.moving(vectors, 2) == [3, 11]
  assert open_loop.moving(vectors, 3) == [3, 7, 11]


@pytest.mark.parametrize('components', [1, 3, 5, 12, 30])
def test_vectors_of_any_size_are_drawn(tmp_path, components):
  """Also where nothing moves, or is no number."""
  truth = np.zeros([3, 20, components])
  prediction = np.full_like(truth, np.nan)
  names = [f'x[{i}]' for i in range(components)]
  open_loop.draw_vectors(names, truth, prediction, 5, tmp_path / 'a.png')
  with Image.open(tmp_path / 'a.png') as picture:
    assert picture.width < 1_100 and picture.height < 1_700


def test_the_outlook_has_a_row_for_each_curve(tmp_path):
  """What nobody knows is left out."""
  curve = np.linspace(0, 1, 20)[np.newaxis].repeat(3, 0)
  unknown = np.where(curve > 0.5, curve, np.nan)
  heights = []
  for curves in (
      {'reward': (unknown, curve)},
      {'reward': (unknown, curve), 'value': (None, curve)},
  ):
    open_loop.draw_outlook(curves, 5, tmp_path / 'a.png')
    with Image.open(tmp_path / 'a.png') as picture:
      heights.append(picture.height)
  assert heights[1] > heights[0]


def test_curves_of_a_row_share_limits_that_hold_them_all(tmp_path, monkeypatch):
  """One that hardly moves stands before one that does."""
  drawn = []
  create = open_loop._panels

  def kept(*arguments, **options):
    picture, panels = create(*arguments, **options)
    drawn.append(panels)
    return picture, panels

  monkeypatch.setattr(open_loop, '_panels', kept)
  value = np.stack([np.full([8], 0.8), np.linspace(-1, 1, 8)])
  open_loop.draw_outlook({'value': (None, value)}, 3, tmp_path / 'a.png')
  for axes in drawn[0][0]:
    low, high = axes.get_ylim()
    assert low <= -1 and high >= 1
