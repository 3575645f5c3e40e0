"""The world model learns, by remembering: docs/learning.md in small."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf import networks
from r2i_tf.agents import optimizer as optimizer_lib
from r2i_tf.world_model import Experience
from r2i_tf.world_model import WorldModel
from r2i_tf.world_model import losses

_BATCH, _DELAY, _UPDATES = 32, 4, 400


def _experience(random, cut):
  """One bit is shown at step 0 and paid out, as +1 or -1, `_DELAY` later."""
  bit = random.choice([-1.0, 1.0], _BATCH).astype(np.float32)
  shape = [_BATCH, _DELAY + 1]
  observation = np.zeros([*shape, 1], np.float32)
  observation[:, 0, 0] = bit
  reward = np.zeros(shape, np.float32)
  reward[:, -1] = bit
  is_first = np.zeros(shape, bool)
  is_first[:, 0] = True
  return Experience(
      observation=observation,
      previous_action=np.zeros([*shape, 1], np.float32),
      reward=reward,
      terminal=np.zeros(shape, bool),
      is_first=np.ones(shape, bool) if cut else is_first,
      is_valid=np.ones(shape, bool),
      outcome_known=np.ones(shape, bool),
  )


@pytest.mark.parametrize('cut', [False, True])
def test_reward_of_a_bit_seen_before(cut):
  """A reward is predicted from a bit seen earlier, and only by memory."""
  tf.keras.utils.set_random_seed(0)
  random = np.random.default_rng(0)
  config = agent_config.R2IConfig.preset('debug')
  model = WorldModel(tf.TensorSpec([1]), 1, config.world_model)
  variables = model.trainable_variables
  optimizer = optimizer_lib.GroupAdam(
      networks.ParameterGroup('model', variables, 3e-3, 0.0),
      config.world_model_optimizer.epsilon,
  )

  @tf.function(jit_compile=True, autograph=False)
  def update(experience, seed):
    with tf.GradientTape() as tape:
      loss, observed, _ = losses.loss(model, experience, seed)
    gradients = tape.gradient(loss, variables, unconnected_gradients='zero')
    optimizer.apply(optimizer.join(gradients), tf.constant(True))
    predicted = model.reward(model.features.of(observed.state)).mean()[:, -1]
    return predicted * experience.reward[:, -1] > 0

  right = [
      np.mean(update(_experience(random, cut), tf.constant([0, index])))
      for index in range(_UPDATES)
  ]
  share = np.mean(right[-50:])
  assert share < 0.65 if cut else share > 0.95
