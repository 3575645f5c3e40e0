"""What is probed of an observation, and what is not."""

import numpy as np

from r2i_tf.analysis import targets


def test_what_the_step_gives_away_is_left_out():
  """A clock and a constant are no memory; the rest has its own name."""
  rng = np.random.default_rng(0)
  observation = np.stack(
      [
          np.tile(np.arange(10.0), [20, 1]),
          np.ones([20, 10]),
          rng.normal(size=[20, 10]),
      ],
      -1,
  )
  found = targets.find(observation, {}, np.full([20], 10))
  assert [target.name for target in found.targets] == ['observation[2]']
  assert set(found.left_out) == {'observation[0]', 'observation[1]'}
  assert 'number of the step' in found.left_out['observation[0]']
  assert 'same at every step' in found.left_out['observation[1]']


def test_only_steps_at_which_episodes_differ_count():
  """A bit that is shown at first, and zero from then on, is no zero."""
  bits = np.zeros([20, 10])
  bits[:, 0] = np.where(np.arange(20) % 2, 1, -1)
  (target,) = targets.find(bits, {}, np.full([20], 10)).targets
  assert target.counts[:, 0].all() and not target.counts[:, 1:].any()
  first = target.of_first_step()
  np.testing.assert_array_equal(first.values[:, 9], target.values[:, 0])
  assert first.counts.all()


def test_padding_does_not_count():
  """Nor does it make a constant of something else."""
  values = np.where(np.arange(10) < 4, 3.0, 0.0) * np.ones([20, 1])
  found = targets.find(values, {}, np.full([20], 4))
  assert not found.targets and 'same' in found.left_out['observation']


def test_one_of_n_is_one_target():
  """And its parts have the names of their keys."""
  suits = np.random.default_rng(1).integers(0, 4, [20, 10])
  observation = {'card': np.eye(4, dtype=np.uint8)[suits]}
  (target,) = targets.find(observation, {}, np.full([20], 10)).targets
  assert (target.name, target.classes) == ('card', 4)
  np.testing.assert_array_equal(target.values, suits)


def test_an_image_is_its_brightness_in_cells():
  """A light in one corner is in that cell alone."""
  images = np.zeros([4, 3, 16, 16, 3], np.uint8)
  images[0, 0, :2, :2] = 255
  (target,) = targets.find(images, {}, np.full([4], 3)).targets
  assert target.values.shape == (4, 3, 64) and target.classes == 0
  assert target.values[0, 0, 0] == np.float32(1)
  assert np.count_nonzero(target.values) == 1


def test_ground_truth_is_probed_beside_the_observation():
  """By its own keys."""
  rng = np.random.default_rng(2)
  images = rng.integers(0, 255, [4, 3, 8, 8, 1], np.uint8)
  truths = {'agent_pos': rng.normal(size=[4, 3, 2])}
  found = targets.find(images, truths, np.full([4], 3))
  names = [target.name for target in found.targets]
  assert names == ['observation', 'agent_pos[0]', 'agent_pos[1]']


def test_a_truth_that_is_not_finite_is_left_out():
  """Nobody checks what an environment says; the rest is probed."""
  noise = np.random.default_rng(0).normal(size=[20, 10])
  unknown = np.where(noise > 2, np.nan, noise)
  found = targets.find(noise, {'info/unknown': unknown}, np.full([20], 10))
  assert [target.name for target in found.targets] == ['observation']
  assert 'finite' in found.left_out['info/unknown']


def test_what_moves_little_far_from_zero_is_no_constant():
  """As the time of day in seconds since 1970."""
  noise = np.random.default_rng(0).normal(size=[20, 10])
  found = targets.find(noise, {'info/time': 1.7e9 + noise}, np.full([20], 10))
  assert [t.name for t in found.targets] == ['observation', 'info/time']
  np.testing.assert_allclose(
      np.diff(found.targets[1].values[..., 0]), np.diff(noise), atol=1e-5
  )
