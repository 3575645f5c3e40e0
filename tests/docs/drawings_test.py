"""The drawings of the documentation: made by code, and right."""

import pathlib
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import tensorflow as tf

from docs.drawings import __main__ as program
from docs.drawings import resets
from r2i_tf import ssm

_DRAWINGS = pathlib.Path(program.__file__).parent


@pytest.mark.parametrize('name', sorted(program.DRAWINGS))
def test_a_drawing_is_what_its_code_draws(name):
  """`python -m docs.drawings` was run after the last change."""
  committed = (_DRAWINGS / name).read_text(encoding='utf-8')
  assert committed == program.DRAWINGS[name]().text_of_file()


@pytest.mark.parametrize('name', sorted(program.DRAWINGS))
def test_a_drawing_has_words_for_who_does_not_see_it(name):
  """It is well-formed, with a title and a description."""
  tree = ElementTree.parse(_DRAWINGS / name)
  tags = [re.sub('{.*}', '', child.tag) for child in tree.getroot()]
  assert tags[:2] == ['title', 'desc']
  assert all(tree.getroot()[i].text for i in range(2))


@pytest.mark.parametrize('name', sorted(program.DRAWINGS))
def test_a_drawing_ends_where_its_page_ends(name):
  """No box and no line leaves the drawing."""
  root = ElementTree.parse(_DRAWINGS / name).getroot()
  width, height = map(float, root.get('viewBox').split()[2:])
  for box in root.iter('{*}rect'):
    x, y = float(box.get('x', 0)), float(box.get('y', 0))
    assert 0 <= x and x + float(box.get('width')) <= width
    assert 0 <= y and y + float(box.get('height')) <= height
  for line in root.iter('{*}polyline'):
    for point in line.get('points').split():
      x, y = map(float, point.split(','))
      assert 0 <= x <= width and 0 <= y <= height


def _states(inputs, initial=0.0):
  """Runs the scan in the drawing's chunks, with its resets and eigenvalue."""
  is_reset = np.isin(np.arange(resets.LENGTH), resets.RESETS)
  return ssm.linear_recurrence(
      tf.constant([[resets.MAGNITUDE], [0.0]]),
      tf.constant(inputs, tf.float32)[:, :, tf.newaxis, tf.newaxis]
      * [[1.0], [0.0]],
      tf.tile(is_reset[np.newaxis], [len(inputs), 1]),
      tf.zeros([len(inputs), 2, 1]),
      tf.constant([[initial], [0.0]]),
      chunk_length=resets.CHUNK_LENGTH,
  )[:, :, 0, 0].numpy()


def test_the_weights_of_the_drawing_are_those_of_the_scan():
  """What one input alone leaves at the end of its chunk."""
  states = _states(np.eye(resets.LENGTH))
  steps = np.arange(resets.LENGTH)
  ends = steps - steps % resets.CHUNK_LENGTH + resets.CHUNK_LENGTH - 1
  np.testing.assert_allclose(
      states[steps, ends], resets.left_weights(), atol=1e-6
  )


def test_a_state_knows_its_own_episode_alone():
  """As the last row of the drawing says."""
  states = _states(np.eye(resets.LENGTH))
  episode = np.searchsorted(resets.RESETS, np.arange(resets.LENGTH), 'right')
  steps = np.arange(resets.LENGTH)
  same = episode[:, np.newaxis] == episode
  assert ((states != 0) == same & (steps[:, np.newaxis] <= steps)).all()


def test_at_a_reset_the_initial_state_stands_for_the_one_before():
  """So it is there, times the eigenvalue, and fades from there."""
  (states,) = _states(np.zeros([1, resets.LENGTH]), initial=1.0)
  for reset in resets.RESETS:
    assert states[reset] == pytest.approx(resets.MAGNITUDE)
    assert states[reset + 1] == pytest.approx(resets.MAGNITUDE**2)
