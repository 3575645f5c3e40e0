"""Tests of r2i_tf.behavior.replayed, and of the critic's loss on it."""

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import tensor_spec

from r2i_tf import config as agent_config
from r2i_tf import distributions
from r2i_tf.behavior import ActorCritic
from r2i_tf.behavior import Critique
from r2i_tf.behavior import Replayed
from r2i_tf.behavior import actions as actions_lib
from r2i_tf.behavior import replayed as replayed_lib

_DISCOUNT, _LAMBDA = 0.9, 0.8
_F = 4


def _sequence():
  """Two episodes and a third that has begun, with padding behind the first.

  place     0  1  2  3  4  5  6  7  8
  episode   a  a  a  a  -  b  b  b  c      a ends at a time limit, b for good
  """
  is_valid = np.array([[1, 1, 1, 1, 0, 1, 1, 1, 1]], bool)
  is_first = np.array([[1, 0, 0, 0, 0, 1, 0, 0, 1]], bool)
  terminal = np.array([[0, 0, 0, 0, 0, 0, 0, 1, 0]], bool)
  return is_valid, is_first, terminal


def _replayed(
    reward, is_valid, is_first, terminal, imagined=None, started=None
):
  reward = np.asarray(reward, np.float32)
  rng = np.random.default_rng(3)
  if imagined is None:
    imagined = np.zeros_like(reward)
  if started is None:
    started = np.ones_like(is_valid)
  return Replayed(
      features=tf.constant(rng.normal(size=[*reward.shape, _F]), tf.float32),
      reward=tf.constant(reward),
      terminal=tf.constant(terminal),
      continues=replayed_lib.continues(
          tf.constant(is_valid), tf.constant(is_first)
      ),
      imagined=tf.constant(imagined, tf.float32),
      started=tf.constant(started),
  )


def test_by_hand():
  """Returns of a sequence with a time limit, padding, an end and a cut."""
  steps = _sequence()
  reward = [[np.nan, 1, 2, 3, np.nan, np.nan, 4, 5, np.nan]]
  value = np.array([[10, 20, 30, 40, np.nan, 50, 60, np.nan, 70]], np.float32)
  replayed = _replayed(reward, *steps)
  np.testing.assert_array_equal(replayed.continues, [[1, 1, 1, 0, 0, 1, 1, 0]])
  found = replayed_lib.returns(replayed, value, _DISCOUNT, _LAMBDA)
  # a: the last of it counts in full; b: nothing is to be had after its end.
  a2 = 3 + 0.9 * 40
  a1 = 2 + 0.9 * (0.2 * 30 + 0.8 * a2)
  a0 = 1 + 0.9 * (0.2 * 20 + 0.8 * a1)
  b6 = 5
  b5 = 4 + 0.9 * (0.2 * 60 + 0.8 * b6)
  np.testing.assert_allclose(found, [[a0, a1, a2, 0, 0, b5, b6, 0]], rtol=1e-6)


def test_a_sequence_that_is_cut_is_worth_what_follows():
  """The last known step counts by its value alone."""
  ones = np.ones([1, 3], bool)
  replayed = _replayed([[9, 1, 2]], ones, ~ones, ~ones)
  value = np.array([[10, 20, 30]], np.float32)
  found = replayed_lib.returns(replayed, value, _DISCOUNT, _LAMBDA)
  last = 2 + 0.9 * 30
  first = 1 + 0.9 * (0.2 * 20 + 0.8 * last)
  np.testing.assert_allclose(found, [[first, last]], rtol=1e-6)


def test_many_steps_match_the_recursion():
  """The tree of maps is the recursion from the end, episode after episode."""
  rng = np.random.default_rng(0)
  shape = [3, 200]
  is_valid, is_first = rng.random(shape) > 0.1, rng.random(shape) < 0.1
  terminal = rng.random(shape) < 0.2
  reward, value = rng.normal(size=[2, *shape]).astype(np.float32)
  replayed = _replayed(reward, is_valid, is_first, terminal)
  found = replayed_lib.returns(replayed, value, _DISCOUNT, _LAMBDA)
  for b in range(3):
    known = np.zeros(200, bool)  # Whether R_t has a meaning.
    following = np.zeros(200)
    for t in reversed(range(199)):
      if not (is_valid[b, t] and is_valid[b, t + 1] and not is_first[b, t + 1]):
        assert found[b, t] == 0
        continue
      behind = value[b, t + 1]
      if known[t + 1]:
        behind = 0.2 * behind + 0.8 * following[t + 1]
      following[t] = reward[b, t + 1]
      following[t] += 0.9 * (not terminal[b, t + 1]) * behind
      known[t] = True
      np.testing.assert_allclose(found[b, t], following[t], rtol=1e-4)


def _behavior(**changes):
  tf.keras.utils.set_random_seed(1)
  mlp = agent_config.MLPConfig(1, 8)
  spec = tensor_spec.BoundedTensorSpec([], tf.int32, 0, 2)
  config = agent_config.BehaviorConfig(
      actor=mlp,
      critic=mlp,
      discount=_DISCOUNT,
      lambda_=_LAMBDA,
      replay_critic_scale=0.3,
      **changes,
  )
  behavior = ActorCritic(actions_lib.create(spec), _F, config, bins=41)
  for pair in behavior._critic_pairs():
    for variable in pair:
      variable.assign(variable + 0.3 * tf.random.normal(variable.shape))
  return behavior


def _critique():
  nothing = tf.zeros([])
  return Critique(
      tf.constant(2.0),
      nothing,
      nothing,
      nothing,
      nothing,
      {'critic/value': 7.0},
  )


def _case():
  steps = _sequence()
  rng = np.random.default_rng(1)
  reward, imagined = rng.normal(size=[2, 1, 9])
  started = np.array([[1, 0, 1, 0, 0, 1, 0, 1, 0]], bool)
  return _replayed(reward, *steps, imagined, started)


def test_the_loss_is_its_formula():
  """Both terms of each step that has a return, by hand, over how many."""
  behavior, replayed = _behavior(), _case()
  slow = distributions.SymlogTwoHot(
      behavior._slow_critic(replayed.features)
  ).mean()
  bootstrap = np.where(replayed.started, replayed.imagined, slow)
  target = replayed_lib.returns(replayed, bootstrap, _DISCOUNT, _LAMBDA)
  critic = behavior.value(replayed.features[:, :-1])
  each = -critic.log_prob(target) - critic.log_prob(slow[:, :-1])
  expected = sum(each[0, t].numpy() for t in (0, 1, 2, 5, 6)) / 5
  critique = behavior.criticize_replay(_critique(), replayed, tf.constant(5.0))
  np.testing.assert_allclose(
      critique.metrics['critic/replay_loss'], expected, rtol=1e-5
  )
  np.testing.assert_allclose(critique.loss, 2 + 0.3 * expected, rtol=1e-5)
  assert critique.metrics['critic/loss'] == critique.loss
  assert critique.metrics['critic/value'] == 7


def test_it_teaches_the_critic_alone():
  """Neither slow critic, nor actor, nor the states get a gradient."""
  behavior, replayed = _behavior(), _case()
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(replayed.features)
    loss = behavior.criticize_replay(_critique(), replayed, 5.0).loss
  assert all(np.any(g) for g in tape.gradient(loss, behavior.critic_variables))
  others = [replayed.features, *behavior.actor_variables]
  others += behavior._slow_critic.variables
  assert all(g is None for g in tape.gradient(loss, others))


@pytest.mark.parametrize('value', [np.nan, 1e30])
def test_what_does_not_count_is_not_seen(value):
  """Rewards and imagined returns of padding and boundaries change nothing."""
  behavior, replayed = _behavior(), _case()

  def filled(x, places):
    x = x.numpy()
    x[0, places] = value
    return tf.constant(x)

  # No r of a first step is used, no v of one or of an end.
  changed = replayed._replace(
      reward=filled(replayed.reward, [0, 4, 5, 8]),
      imagined=filled(replayed.imagined, [0, 4, 5, 7, 8]),
  )
  results = []
  for each in (replayed, changed):
    with tf.GradientTape() as tape:
      loss = behavior.criticize_replay(_critique(), each, 5.0).loss
    results.append((loss, tape.gradient(loss, behavior.critic_variables)))
  tf.nest.map_structure(np.testing.assert_array_equal, *results)


def test_a_batch_without_a_return_teaches_nothing():
  """Padding alone gives a loss and gradients of zero."""
  behavior = _behavior()
  none = np.zeros([1, 9], bool)
  replayed = _replayed(np.ones([1, 9]), none, none, none)
  with tf.GradientTape() as tape:
    critique = behavior.criticize_replay(_critique(), replayed, tf.zeros([]))
  assert critique.metrics['critic/replay_loss'] == 0
  for gradient in tape.gradient(critique.loss, behavior.critic_variables):
    assert not np.any(gradient)
