"""Tests of r2i_tf.behavior.actor_critic."""

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec

from r2i_tf import config as agent_config
from r2i_tf import distributions
from r2i_tf import draws
from r2i_tf.behavior import ActorCritic
from r2i_tf.behavior import Outcome
from r2i_tf.behavior import actions as actions_lib
from r2i_tf.behavior import returns as returns_lib
from tests.behavior import whole

_DISCRETE = tensor_spec.BoundedTensorSpec([], tf.int32, 0, 2)
_CONTINUOUS = tensor_spec.BoundedTensorSpec([2], tf.float32, -1.0, 1.0)
_MLP = agent_config.MLPConfig(1, 8)
_CONFIG = agent_config.BehaviorConfig(
    actor=_MLP,
    critic=_MLP,
    horizon=3,
    discount=0.9,
    entropy_scale=0.1,
    slow_critic_fraction=0.25,
    return_decay=0.5,
)
_FEATURES = 6
_SEED = draws.Seed([1, 2])


def _actor_critic(spec):
  """Actor and critic; the critics moved off zero and away from each other."""
  tf.keras.utils.set_random_seed(1)
  behavior = ActorCritic(actions_lib.create(spec), _FEATURES, _CONFIG, bins=41)
  for slow, fast in behavior._critic_pairs():
    for variable in (slow, fast):
      variable.assign(variable + 0.3 * tf.random.normal(variable.shape))
  return behavior


def _outcome(behavior, reward_scale=1.0, starts=5):
  rng = np.random.default_rng(2)

  def numbers(*shape):
    return tf.constant(rng.normal(size=shape), tf.float32)

  features = numbers(3, starts, _FEATURES)
  continuation = rng.uniform(0.5, 1, size=[4, starts]).astype(np.float32)
  continuation[0] = 1
  return Outcome(
      features=features,
      last_features=numbers(starts, _FEATURES),
      action=behavior.act(features, _SEED),
      reward=reward_scale * numbers(3, starts),
      continuation=tf.constant(continuation),
      is_valid=tf.ones([starts], tf.bool),
  )


def _replace(x, index, value):
  """Sets [:, index] of a time-major tensor, or [index] of a vector."""
  x = x.numpy()
  x[(slice(None), index) if x.ndim > 1 else index] = value
  return tf.constant(x)


def _replace_start(outcome, index, value):
  """Sets what is seen from one start on, at every step."""
  last = outcome.last_features.numpy()
  last[index] = value
  return outcome._replace(
      features=_replace(outcome.features, index, value),
      last_features=tf.constant(last),
  )


def _losses_and_gradients(behavior, outcome):
  variables = (behavior.actor_variables, behavior.critic_variables)
  with tf.GradientTape(persistent=True) as tape:
    losses = whole.losses(behavior, outcome)
  return (
      losses.actor,
      losses.critic,
      tape.gradient(losses.actor, variables[0]),
      tape.gradient(losses.critic, variables[1]),
  )


@pytest.mark.parametrize('spec', [_DISCRETE, _CONTINUOUS])
def test_losses_match_reference(spec):
  """Both losses are the sums of the paper, terms computed one by one."""
  behavior = _actor_critic(spec)
  outcome = _outcome(behavior, reward_scale=50.0)
  outcome = outcome._replace(
      is_valid=tf.constant([True, True, False, True, True]),
      continuation=_replace(outcome.continuation, 4, [0, 0.5, 0.6, 0.7]),
  )
  states = tf.concat([outcome.features, outcome.last_features[tf.newaxis]], 0)
  value = behavior.value(states).mean().numpy()
  returns = returns_lib.lambda_returns(
      outcome.reward,
      outcome.continuation[1:] * 0.9,
      value[1:],
      _CONFIG.lambda_,
  ).numpy()
  valid = outcome.is_valid.numpy()
  low, high = np.percentile(returns[:, valid], [5, 95]) * 0.5
  assert high - low > 1
  advantage = (returns - value[:-1]) / (high - low)
  policy = behavior.policy(outcome.features)
  taken = behavior.actions.unflatten(outcome.action)
  entropy = policy.entropy().numpy()
  objective = advantage
  if spec is _DISCRETE:
    objective = advantage * policy.log_prob(taken).numpy()
  critic = behavior.value(outcome.features)
  slow = distributions.SymlogTwoHot(behavior._slow_critic(outcome.features))
  surprise = critic.log_prob(returns) + critic.log_prob(slow.mean())
  actor_loss, critic_loss = 0, 0
  for n in np.flatnonzero(valid):
    weight = 1
    for t in range(3):
      weight *= outcome.continuation[t, n].numpy() * (0.9 if t else 1)
      actor_loss -= weight * (objective[t, n] + 0.1 * entropy[t, n])
      critic_loss -= weight * surprise[t, n].numpy()
  losses = whole.losses(behavior, outcome)
  np.testing.assert_allclose(losses.actor_value, actor_loss / 12, rtol=1e-4)
  np.testing.assert_allclose(losses.critic, critic_loss / 12, rtol=1e-4)
  np.testing.assert_allclose(losses.percentiles, [low, high], rtol=1e-4)


@pytest.mark.parametrize('spec', [_DISCRETE, _CONTINUOUS])
def test_invalid_starts_teach_nothing(spec):
  """What is imagined from padding changes no loss and no gradient."""
  behavior = _actor_critic(spec)
  outcome = _outcome(behavior, reward_scale=50.0)
  outcome = outcome._replace(is_valid=_replace(outcome.is_valid, 2, False))
  changed = _replace_start(outcome, 2, 7.0)._replace(
      reward=_replace(outcome.reward, 2, 1e6),
      continuation=_replace(outcome.continuation, 2, 0.1),
  )
  expected = _losses_and_gradients(behavior, outcome)
  actual = _losses_and_gradients(behavior, changed)
  tf.nest.map_structure(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
      actual,
      expected,
  )


def test_nothing_is_learned_beyond_the_end():
  """What is imagined from a terminal state teaches neither network."""
  behavior = _actor_critic(_DISCRETE)
  # Small returns, so that the scale is 1 whatever they are.
  outcome = _outcome(behavior, reward_scale=1e-3)
  for pair in behavior._critic_pairs():
    for variable in pair:
      variable.assign(tf.zeros_like(variable))
  ended = _replace(outcome.continuation, 3, [0, 1, 1, 1])
  outcome = outcome._replace(continuation=ended)
  changed = _replace_start(outcome, 3, 7.0)._replace(
      reward=_replace(outcome.reward, 3, 0.5),
  )
  expected = _losses_and_gradients(behavior, outcome)
  actual = _losses_and_gradients(behavior, changed)
  tf.nest.map_structure(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7),
      actual,
      expected,
  )


def test_no_valid_start():
  """A batch of padding alone gives losses and gradients of zero, not NaN."""
  behavior = _actor_critic(_DISCRETE)
  outcome = _outcome(behavior)
  outcome = outcome._replace(is_valid=tf.zeros([5], tf.bool))
  for x in tf.nest.flatten(_losses_and_gradients(behavior, outcome)):
    np.testing.assert_array_equal(x, np.zeros_like(x))


def test_discrete_actor_learns_what_pays():
  """REINFORCE raises the probability of the action with the high return."""
  behavior = _actor_critic(_DISCRETE)
  for variable in behavior.critic_variables:
    variable.assign(tf.zeros_like(variable))
  features = tf.ones([3, 300, _FEATURES])
  action = behavior.act(features, _SEED)
  outcome = Outcome(
      features=features,
      last_features=features[-1],
      action=action,
      reward=action[..., 1],
      continuation=tf.ones([4, 300]),
      is_valid=tf.ones([300], tf.bool),
  )
  before = behavior.policy(features[0, :1]).mean()[0, 0]
  _, _, gradients, _ = _losses_and_gradients(behavior, outcome)
  for variable, gradient in zip(behavior.actor_variables, gradients):
    variable.assign_sub(0.05 * gradient)
  after = behavior.policy(features[0, :1]).mean()[0, 0]
  assert after[1] > before[1] + 1e-3


def test_gradients_through_actions():
  """Continuous actions carry gradients into the model, discrete ones none."""
  features = tf.ones([3, _FEATURES])
  for spec, flows in ((_CONTINUOUS, True), (_DISCRETE, False)):
    behavior = _actor_critic(spec)
    with tf.GradientTape() as tape:
      loss = tf.reduce_sum(behavior.act(features, _SEED) ** 2)
    gradients = tape.gradient(loss, behavior.actor_variables)
    assert all((g is not None) == flows for g in gradients)


def test_continuous_actor_learns_through_the_model():
  """The actor's loss reaches it through rewards that its actions earn."""
  behavior = _actor_critic(_CONTINUOUS)
  features = tf.ones([3, 5, _FEATURES])
  target = tf.constant([0.9, -0.9])

  def outcome():
    action = behavior.act(features, _SEED)
    return Outcome(
        features=features,
        last_features=features[-1],
        action=action,
        reward=-tf.reduce_sum((action - target) ** 2, -1),
        continuation=tf.ones([4, 5]),
        is_valid=tf.ones([5], tf.bool),
    )

  def error():
    mode = behavior.policy(features[0, :1]).mode()
    return float(tf.reduce_sum((mode - target) ** 2))

  before = error()
  for _ in range(5):
    with tf.GradientTape() as tape:
      loss = whole.losses(behavior, outcome()).actor
    gradients = tape.gradient(loss, behavior.actor_variables)
    for variable, gradient in zip(behavior.actor_variables, gradients):
      variable.assign_sub(0.05 * gradient)
  assert error() < 0.9 * before


def test_each_loss_has_its_own_network():
  """The critic's loss does not move the actor, nor the actor's the slow one."""
  behavior = _actor_critic(_DISCRETE)
  outcome = _outcome(behavior)
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(outcome.features)
    losses = whole.losses(behavior, outcome)
  none = [*tape.gradient(losses.critic, behavior.actor_variables)]
  none += tape.gradient(losses.actor, behavior.critic_variables)
  none += tape.gradient(
      losses.actor + losses.critic, list(behavior._slow_critic.variables)
  )
  none.append(tape.gradient(losses.actor + losses.critic, outcome.features))
  assert all(gradient is None for gradient in none)


def test_slow_critic_follows():
  """Each step the slow copy goes its share of the way, if the step counts."""
  behavior = _actor_critic(_DISCRETE)
  pairs = [
      (slow.numpy(), fast.numpy()) for slow, fast in behavior._critic_pairs()
  ]
  behavior.update_slow_critic(tf.constant(False))
  for (slow, _), (before, _) in zip(behavior._critic_pairs(), pairs):
    np.testing.assert_array_equal(slow, before)
  behavior.update_slow_critic(tf.constant(True))
  for (slow, fast), (before, same) in zip(behavior._critic_pairs(), pairs):
    np.testing.assert_allclose(slow, 0.75 * before + 0.25 * same, atol=1e-6)
    np.testing.assert_array_equal(fast, same)


def test_slow_critic_starts_equal():
  """Before the first step both critics say the same."""
  tf.keras.utils.set_random_seed(1)
  behavior = ActorCritic(
      actions_lib.create(_DISCRETE), _FEATURES, _CONFIG, bins=41
  )
  assert len(behavior._critic_pairs()) == 5
  for slow, fast in behavior._critic_pairs():
    np.testing.assert_array_equal(slow, fast)
