"""Gradients of reward predictions, against finite differences."""

import numpy as np
import tensorflow as tf

from r2i_tf import draws
from r2i_tf.agents import experience as experience_lib
from r2i_tf.analysis import episodes
from r2i_tf.analysis import sensitivity
from tests.agents import small

_STEP = 1e-2


def _episode(rewarded):
  """Returns one episode of five steps, rewarded at one of them."""
  steps = small.trajectories(action_spec=small.BOX, batch=1, length=5)
  reward = np.zeros([1, 5], np.float32)
  reward[0, rewarded - 1] = 1.0  # It comes with the step after.
  steps = steps._replace(
      step_type=np.array([[0, 1, 1, 1, 2]], np.int32),
      next_step_type=np.array([[1, 1, 1, 2, 0]], np.int32),
      reward=reward,
      discount=np.ones([1, 5], np.float32),
  )
  steps = tf.nest.map_structure(np.asarray, steps)
  return episodes.Episodes(steps, np.array([5]), {}, True)


def _agent():
  agent = small.agent(action_spec=small.BOX)
  # A new reward head predicts zero whatever it sees.
  rng = np.random.default_rng(0)
  for variable in agent.world_model.heads['reward'].trainable_variables:
    variable.assign(rng.normal(size=variable.shape) * 0.5)
  return agent


def test_the_gradient_to_actions_is_that_of_differences():
  """The norm at each lag is what a small change of that action makes."""
  agent, episode = _agent(), _episode(rewarded=3)
  found = sensitivity.of_rewards(agent, episode, seed=4)
  experience = experience_lib.from_trajectory(
      tf.nest.map_structure(tf.constant, episode.trajectory),
      agent.behavior.actions.encode,
  )
  model = agent.world_model

  @tf.function(autograph=False)
  def predicted(action):
    seed = draws.Seed(tf.constant([4, 0]), tf.constant(0))
    seen = model.observe(experience._replace(previous_action=action), seed)
    return model.reward(model.features.of(seen.state)).mean()[0, 3]

  action = experience.previous_action.numpy()
  differences = np.zeros_like(action[0])
  for place in np.ndindex(differences.shape):
    change = np.zeros_like(action)
    change[(0, *place)] = _STEP
    up, down = predicted(action + change), predicted(action - change)
    differences[place] = (up - down) / (2 * _STEP)
  norms = np.linalg.norm(differences, axis=-1)[3::-1]
  assert found.episodes == 1 and found.lags.tolist() == [0, 1, 2, 3]
  assert norms[:3].min() > 0
  np.testing.assert_allclose(found.action, norms, rtol=0.02, atol=1e-5)


def test_without_rewards_there_is_nothing_to_say():
  """Not a curve of zeros."""
  episode = _episode(rewarded=3)
  episode.trajectory.reward[:] = 0.0
  assert sensitivity.of_rewards(_agent(), episode, seed=0) is None
