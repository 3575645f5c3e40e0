"""Actor and critic learn where the world is known: no model is in the way."""

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec

from r2i_tf import config as agent_config
from r2i_tf import draws
from r2i_tf import networks
from r2i_tf.agents import optimizer as optimizer_lib
from r2i_tf.behavior import ActorCritic
from r2i_tf.behavior import Outcome
from r2i_tf.behavior import actions as actions_lib
from tests.behavior import whole

_STARTS, _HORIZON, _UPDATES = 64, 5, 300
_MLP = agent_config.MLPConfig(1, 16)
_CONFIG = agent_config.BehaviorConfig(
    actor=_MLP, critic=_MLP, horizon=_HORIZON, discount=0.9
)
# Left, stay and right; or a push of any size.
_DISCRETE = tensor_spec.BoundedTensorSpec([], tf.int32, 0, 2)
_CONTINUOUS = tensor_spec.BoundedTensorSpec([1], tf.float32, -1.0, 1.0)


def _push(action):
  """Encoded actions [N, A] -> how far each moves the point, [N, 1]."""
  if action.shape[-1] == 1:
    return 0.3 * action
  return tf.matmul(action, [[-0.3], [0.0], [0.3]])


def _rollout(behavior, point, seed):
  """A point on a line; the reward is minus its squared distance from 0."""
  points, actions = [point], []
  for t in range(_HORIZON):
    action = behavior.act(tf.stop_gradient(points[-1]), draws.Seed([seed, t]))
    points.append(points[-1] + _push(action))
    actions.append(action)
  return Outcome(
      features=tf.stack(points[:-1]),
      last_features=points[-1],
      action=tf.stack(actions),
      reward=-tf.square(tf.stack(points[1:])[..., 0]),
      continuation=tf.ones([_HORIZON + 1, _STARTS]),
      is_valid=tf.ones([_STARTS], tf.bool),
  )


@pytest.mark.parametrize('spec', [_DISCRETE, _CONTINUOUS])
def test_actor_learns_to_push_a_point_to_the_middle(spec):
  """By REINFORCE or through the dynamics, the policy leads to the reward."""
  tf.keras.utils.set_random_seed(0)
  behavior = ActorCritic(actions_lib.create(spec), 1, _CONFIG, bins=41)
  optimizers = [
      (
          variables,
          optimizer_lib.GroupAdam(
              networks.ParameterGroup(name, variables, 3e-3, 0.0), 1e-5
          ),
      )
      for name, variables in (
          ('actor', behavior.actor_variables),
          ('critic', behavior.critic_variables),
      )
  ]

  @tf.function(autograph=False)
  def update(seed):
    point = tf.random.stateless_uniform([_STARTS, 1], [seed, 99], -2.0, 2.0)
    with tf.GradientTape(persistent=True) as tape:
      losses = whole.losses(behavior, _rollout(behavior, point, seed))
    for (variables, optimizer), loss in zip(
        optimizers, (losses.actor, losses.critic)
    ):
      gradient = optimizer.join(
          tape.gradient(loss, variables, unconnected_gradients='zero')
      )
      optimizer.apply(gradient, tf.constant(True))
    behavior.normalizer.assign(losses.percentiles, tf.constant(True))
    behavior.update_slow_critic(tf.constant(True))
    return losses.error

  errors = [float(update(tf.constant(index))) for index in range(_UPDATES)]
  mode = behavior.policy(tf.constant([[-1.5], [-1.0], [1.0], [1.5]])).mode()
  push = _push(behavior.actions.flatten(mode))[:, 0]
  np.testing.assert_array_equal(np.sign(push), [1, 1, -1, -1])
  assert np.all(np.abs(push) > 0.2)
  assert np.mean(errors[-20:]) < 0.5 * np.mean(errors[:20])
