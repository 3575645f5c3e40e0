"""What the world model is said to foresee."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf import draws
from r2i_tf.world_model import open_loop
from tests.world_model import small

_SPEC = {'a': tf.TensorSpec([2]), 'b': tf.TensorSpec([8, 8, 1], tf.uint8)}
_SEED = draws.Seed(tf.constant([1, 2]), 0)
_LENGTH, _STARTS = 8, [1, 3, 4, 6]


def _observation(experience, change):
  return experience._replace(
      observation=tf.nest.map_structure(change, experience.observation)
  )


def _errors(model, experience, steps=(1, 2, 5)):
  observed = model.observe(experience, draws.fold_in(_SEED, 0))
  return open_loop.errors(model, experience, observed.carry, steps, _SEED)


def test_errors_are_told_as_far_as_a_sequence_goes():
  """Each up to the horizon of imagination, and some beyond."""
  assert open_loop.steps_ahead(256, 3) == [1, 2, 3, 5, 15, 50]
  assert open_loop.steps_ahead(64, 1) == [1, 5, 15, 50]
  assert open_loop.steps_ahead(32, 2) == [1, 2, 5, 15]
  assert open_loop.steps_ahead(_LENGTH, 15) == [1, 2, 3, 4, 5, 6]
  assert open_loop.steps_ahead(2, 15) == [1]


def test_errors_by_horizon():
  """Over all starts from which a sequence goes on for so long."""
  model = small.model(_SPEC)
  experience = small.experience(_SPEC, np.eye(1, _LENGTH)[[0, 0, 0]])
  steps = (1, 2, 5)
  errors = _errors(model, experience, steps)
  np.testing.assert_array_equal(errors.steps, steps)
  vector = np.array(experience.observation['a'])
  symlog = np.sign(vector) * np.log1p(np.abs(vector))
  image = np.array(experience.observation['b'], np.float64) / 255
  image = image.reshape([3, _LENGTH, -1])
  for index, ahead in enumerate(steps):
    starts = [start for start in _STARTS if start + ahead < _LENGTH]
    assert errors.count[index] == 3 * len(starts)
    came = [start + ahead for start in starts]
    last = sum(
        np.sum((x[:, came] - x[:, starts]) ** 2, -1) for x in (symlog, image)
    )
    mean = sum(
        np.sum((x[:, came] - x.mean((0, 1))) ** 2, -1) for x in (symlog, image)
    )
    np.testing.assert_allclose(errors.last[index], last.mean(), rtol=1e-4)
    np.testing.assert_allclose(errors.mean[index], mean.mean(), rtol=1e-4)


def test_a_model_that_is_right_has_no_error(monkeypatch):
  """Its errors are those of the observation that it expects."""
  model = small.model({'a': tf.TensorSpec([2])})
  experience = small.experience(
      {'a': tf.TensorSpec([2])}, np.eye(1, _LENGTH)[[0, 0]]
  )
  # The same observation at each step, which is the decoder's bias.
  experience = _observation(experience, lambda x: tf.ones_like(x) * (np.e - 1))
  head = model.decoder._vector_head._output
  head.kernel.assign(tf.zeros_like(head.kernel))
  head.bias.assign(tf.ones_like(head.bias))
  errors = _errors(model, experience)
  np.testing.assert_allclose(errors.model, np.zeros(3), atol=1e-9)
  head.bias.assign(1.5 * tf.ones_like(head.bias))
  errors = _errors(model, experience)
  np.testing.assert_allclose(errors.model, [0.5] * 3, rtol=1e-5)
  np.testing.assert_allclose(errors.last, np.zeros(3), atol=1e-9)


def test_no_error_goes_over_the_end_of_an_episode():
  """Nor into padding, whatever numbers are there."""
  model = small.model(_SPEC)
  is_first = np.zeros([4, _LENGTH], bool)
  is_first[:, 0] = is_first[1, 6] = is_first[2, 4] = True
  experience = small.experience(_SPEC, is_first)
  is_valid = np.ones([4, _LENGTH], bool)
  is_valid[3, 6:] = False
  experience = experience._replace(is_valid=tf.constant(is_valid))
  errors = _errors(model, experience)
  # Of each sequence, the starts 1, 3, 4 and 6 from which it goes on.
  np.testing.assert_array_equal(
      errors.count, [4 + 4 + 3 + 3, 3 + 2 + 2 + 2, 1 + 0 + 0 + 0]
  )
  spoiled = np.array(experience.observation['a'])
  spoiled[3, 7] = np.nan
  observation = {**experience.observation, 'a': tf.constant(spoiled)}
  again = _errors(model, experience._replace(observation=observation))
  for left, right in zip(errors, again):
    np.testing.assert_array_equal(left, right)
  nothing = _errors(
      model, experience._replace(is_first=tf.ones([4, _LENGTH], bool))
  )
  assert not np.any(nothing.count) and not np.any(nothing.model)


@pytest.mark.parametrize('posterior', agent_config.Posterior)
def test_actions_are_those_that_were_taken(posterior):
  """An imagined step answers to them."""
  model = small.model(_SPEC, posterior=posterior)
  experience = small.experience(_SPEC, np.eye(1, _LENGTH)[[0, 0]])
  action = np.array(experience.previous_action)
  errors = _errors(model, experience, (1, 2, 5, 6))
  action[:, 7] += 3
  other = experience._replace(previous_action=tf.constant(action))
  last = _errors(model, other, (1, 2, 5, 6))
  # Five steps after step 1 is step 6; six steps after it, that action shows.
  assert errors.model[2] == last.model[2]
  assert errors.model[3] != last.model[3]


def _predict(model, experience, first, shown, steps):
  observed = model.observe(experience, draws.fold_in(_SEED, 0))
  return open_loop.predict(
      model,
      experience,
      observed.state,
      observed.carry,
      model.features,
      tf.constant(first),
      tf.constant(shown),
      tf.constant(steps),
      _SEED,
  )


@pytest.mark.parametrize('posterior', agent_config.Posterior)
def test_what_is_imagined_was_not_shown(posterior):
  """Observations after the first k of a stretch change nothing in it."""
  model = small.model(_SPEC, posterior=posterior)
  experience = small.experience(_SPEC, np.eye(1, _LENGTH)[[0, 0]])
  first, shown, steps = [0, 2], 2, 5
  seen = _predict(model, experience, first, shown, steps)
  assert seen.reward.shape == seen.continuation.shape == [2, 5]
  assert seen.observation['a'].shape == [2, 5, 2]
  assert seen.observation['b'].shape == [2, 5, 8, 8, 1]
  vector = np.array(experience.observation['a'])
  for sequence, begin in enumerate(first):
    vector[sequence, begin + shown :] += 5
  observation = {**experience.observation, 'a': tf.constant(vector)}
  same = _predict(
      model,
      experience._replace(observation=observation),
      first,
      shown,
      steps,
  )
  np.testing.assert_array_equal(seen.features, same.features)
  # Some of what was shown: in 16 sequences, a latent or two.
  many = small.experience(_SPEC, np.eye(1, _LENGTH)[[0] * 16])
  seen = _predict(model, many, [1] * 16, shown, steps)
  vector = np.array(many.observation['a'])
  vector[:, 1 + shown - 1] *= -5
  observation = {**many.observation, 'a': tf.constant(vector)}
  other = _predict(
      model,
      many._replace(observation=observation),
      [1] * 16,
      shown,
      steps,
  )
  changed = np.any(seen.features != other.features, (0, 2))
  np.testing.assert_array_equal(changed, [False, True, True, True, True])


def test_predictions_come_in_the_units_of_the_environment():
  """A decoder that knows the observation gives it back."""
  spec = {**_SPEC, 'c': tf.TensorSpec([8, 8], tf.uint8)}
  model = small.model(spec, image_keys='[bc]')
  decoder, layout = model.decoder, model.decoder.layout
  observation = small.experience(spec, [[True, False]]).observation
  groups = [layout.vectors, *layout.images]
  parts = {k: v for g in groups for k, v in g.parts(g.of(observation)).items()}
  assert list(parts) == ['a', 'b', 'c']
  for key, part in parts.items():
    np.testing.assert_allclose(part, observation[key], rtol=1e-5, atol=1e-4)
  expected = decoder.expected(tf.zeros([1, 2, model.features.size]))
  assert {k: v.shape for k, v in expected.items()} == {
      k: v.shape for k, v in observation.items()
  }
