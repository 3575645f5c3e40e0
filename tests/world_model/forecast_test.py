"""What the world model is said to foresee."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf import draws
from r2i_tf.world_model import forecast
from tests.world_model import small

_SPEC = {'a': tf.TensorSpec([2]), 'b': tf.TensorSpec([8, 8, 1], tf.uint8)}
_SEED = draws.Seed(tf.constant([1, 2]), 0)


def _observation(experience, change):
  return experience._replace(
      observation=tf.nest.map_structure(change, experience.observation)
  )


def test_it_has_an_error_for_each_step_ahead():
  """Of every part of an observation, for the model and for standing still."""
  model = small.model(_SPEC)
  experience = small.experience(_SPEC, np.eye(1, 8)[[0, 0, 0]])
  errors = forecast.errors(model, experience, 3, _SEED)
  assert errors.count == 3
  assert errors.forecast.shape == errors.persistence.shape == [3]
  vector = np.array(experience.observation['a'])
  symlog = np.sign(vector) * np.log1p(np.abs(vector))
  image = np.array(experience.observation['b'], np.float64) / 255
  expected = [
      np.mean(
          np.sum((symlog[:, 5 + h] - symlog[:, 4]) ** 2, -1)
          + np.sum((image[:, 5 + h] - image[:, 4]) ** 2, (-3, -2, -1))
      )
      for h in range(3)
  ]
  np.testing.assert_allclose(errors.persistence, expected, rtol=1e-4)
  spread = (
      np.var(symlog[:, 5:], (0, 1)).sum() + np.var(image[:, 5:], (0, 1)).sum()
  )
  np.testing.assert_allclose(errors.spread, spread, rtol=1e-4)


def test_what_does_not_change_is_foreseen_by_standing_still():
  """And that alone knows it."""
  model = small.model(_SPEC)
  experience = small.experience(_SPEC, np.eye(1, 8)[[0, 0]])
  experience = _observation(
      experience, lambda x: tf.repeat(x[:, :1], x.shape[1], 1)
  )
  errors = forecast.errors(model, experience, 4, _SEED)
  np.testing.assert_allclose(errors.persistence, np.zeros(4), atol=1e-9)
  assert np.all(errors.forecast > 0)


def test_no_look_goes_over_the_end_of_an_episode():
  """Nor into padding, whatever numbers are there."""
  model = small.model(_SPEC)
  is_first = np.zeros([4, 8], bool)
  is_first[:, 0] = is_first[1, 6] = is_first[2, 3] = True
  experience = small.experience(_SPEC, is_first)
  is_valid = np.ones([4, 8], bool)
  is_valid[3, 6:] = False
  experience = experience._replace(is_valid=tf.constant(is_valid))
  errors = forecast.errors(model, experience, 3, _SEED)
  assert errors.count == 2
  spoiled = np.array(experience.observation['a'])
  spoiled[[1, 3], 6:] = np.nan
  observation = {**experience.observation, 'a': tf.constant(spoiled)}
  again = forecast.errors(
      model, experience._replace(observation=observation), 3, _SEED
  )
  for left, right in zip(errors, again):
    np.testing.assert_array_equal(left, right)
  nothing = forecast.errors(
      model, experience._replace(is_first=tf.ones([4, 8], bool)), 3, _SEED
  )
  assert nothing.count == 0 and not np.any(nothing.forecast)


@pytest.mark.parametrize('posterior', agent_config.Posterior)
def test_actions_are_those_that_were_taken(posterior):
  """A forecast answers to them."""
  model = small.model(_SPEC, posterior=posterior)
  experience = small.experience(_SPEC, np.eye(1, 8)[[0, 0]])
  action = np.array(experience.previous_action)
  errors = forecast.errors(model, experience, 3, _SEED)
  action[:, 7] += 3
  last = forecast.errors(
      model, experience._replace(previous_action=action), 3, _SEED
  )
  np.testing.assert_array_equal(errors.forecast[:2], last.forecast[:2])
  assert errors.forecast[2] != last.forecast[2]
