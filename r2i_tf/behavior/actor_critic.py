"""Actor and critic, learned on imagined trajectories.

DreamerV3 (arXiv 2301.04104): the critic learns the distribution of the
lambda-returns; the actor ascends the normalised returns, by REINFORCE where
actions are discrete and by backpropagation through the model where they are
continuous.
"""

from typing import NamedTuple

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from r2i_tf import config as agent_config
from r2i_tf import distributions
from r2i_tf import draws
from r2i_tf import networks
from r2i_tf.behavior import actions as actions_lib
from r2i_tf.behavior import replayed as replayed_lib
from r2i_tf.behavior import returns as returns_lib


class Outcome(NamedTuple):
  """Imagined trajectories, time-major, with the expectations of the model.

  Attributes:
    features: float32 [H, N, F], s_0 to s_(H-1) as actor and critic see them.
    last_features: float32 [N, F], the same of s_H.
    action: float32 [H, N, A], a_0 to a_(H-1), encoded.
    reward: float32 [H, N], r_1 to r_H.
    continuation: float32 [H + 1, N], c_0 to c_H; c_0 is known, 0 or 1.
    is_valid: bool [N], whether the start is one to learn from.
  """

  features: tf.Tensor
  last_features: tf.Tensor
  action: tf.Tensor
  reward: tf.Tensor
  continuation: tf.Tensor
  is_valid: tf.Tensor


class Critique(NamedTuple):
  """What the critic makes of imagined trajectories.

  All means are over the valid starts of the whole batch and all steps; of a
  part of it, they are this part's share.

  Attributes:
    loss: The critic's loss, a scalar.
    ascent: The mean advantage, by the weights, not normalised; a scalar. Where
      actions are continuous its gradient passes through them to the actor.
    advantage: float32 [H, N], R_t - v(s_t), without gradient.
    weights: float32 [H, N], how much each step counts.
    returns: float32 [H, N], R_t, without gradient.
    metrics: Scalars to report.
  """

  loss: tf.Tensor
  ascent: tf.Tensor
  advantage: tf.Tensor
  weights: tf.Tensor
  returns: tf.Tensor
  metrics: dict[str, tf.Tensor]


class ActorCritic(tf.Module):
  """Actor, critic, the critic's slow copy and the return normaliser.

  Attributes:
    actions: The codec of the environment's actions.
    actor: Features to the parameters of the policy.
    normalizer: The moving percentiles of the returns.
  """

  def __init__(
      self,
      actions: actions_lib.ActionCodec,
      feature_size: int,
      config: agent_config.BehaviorConfig,
      bins: int,
      options: networks.LayerOptions = networks.FLOAT32,
  ):
    """Creates all networks and their variables.

    Args:
      actions: The codec of the environment's actions.
      feature_size: F.
      config: Sizes and scales.
      bins: Bins of the critic's distribution.
      options: Of the layers.
    """
    super().__init__(name='behavior')
    self._config = config
    self.actions = actions
    self.actor = actions_lib.Actor(actions, config.actor, options)
    self._critic = networks.Head(config.critic, bins, options, 0.0, 'critic')
    self._slow_critic = networks.Head(
        config.critic, bins, options, 0.0, 'slow_critic'
    )
    self.normalizer = returns_lib.ReturnNormalizer(config.return_decay)
    features = tf.zeros([1, feature_size])
    self.actor(features)
    self._critic(features)
    self._slow_critic(features)
    for slow, fast in self._critic_pairs():
      slow.assign(fast)

  @property
  def actor_variables(self) -> tuple[tf.Variable, ...]:
    """The variables of the actor's optimiser."""
    return tuple(self.actor.trainable_variables)

  @property
  def critic_variables(self) -> tuple[tf.Variable, ...]:
    """The variables of the critic's optimiser."""
    return tuple(self._critic.trainable_variables)

  def _critic_pairs(self) -> list[tuple[tf.Variable, tf.Variable]]:
    return list(zip(self._slow_critic.variables, self._critic.variables))

  def policy(self, features: tf.Tensor) -> tfd.Distribution:
    """Returns the policy over the model's own actions."""
    return self.actions.distribution(self.actor(features))

  def act(self, features: tf.Tensor, seed: draws.Seed) -> tf.Tensor:
    """Returns an encoded action [..., A]; gradient only where it is useful.

    Args:
      features: float32 [..., F].
      seed: Of the draw.
    """
    action = self.actions.flatten(
        self.actions.draw(self.policy(features), seed)
    )
    return action if self.actions.differentiable else tf.stop_gradient(action)

  def value(self, features: tf.Tensor) -> tfd.Distribution:
    """Returns the critic's distribution over returns."""
    return distributions.SymlogTwoHot(self._critic(features))

  def assess(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns what is thought of states, each float32 [...].

    Args:
      features: float32 [..., F].

    Returns:
      `value`, the return that the critic expects from there, in units of the
      reward; and `entropy` of the policy, in nats. That of continuous actions
      belongs to their density, and may be negative.
    """
    return {
        'value': self.value(features).mean(),
        'entropy': self.policy(features).entropy(),
    }

  def criticize(self, outcome: Outcome, starts: tf.Tensor) -> Critique:
    """The critic's loss, and the advantages that the actor learns from.

    Args:
      outcome: Imagined trajectories. Its gradients to the actor's variables,
        through the actions, are kept where actions are continuous.
      starts: How many valid starts the whole batch has, a float32 scalar.
    """
    config = self._config
    fixed_features = tf.stop_gradient(outcome.features)
    critic = self.value(fixed_features)
    last_value = self.value(outcome.last_features).mean()
    if self.actions.differentiable:
      # The actor's gradient passes through the values of the states.
      value = self.value(outcome.features).mean()
    else:
      value = tf.stop_gradient(critic.mean())
    returns = returns_lib.lambda_returns(
        outcome.reward,
        outcome.continuation[1:] * config.discount,
        tf.concat([value[1:], last_value[tf.newaxis]], 0),
        config.lambda_,
    )
    valid = tf.cast(outcome.is_valid, tf.float32)
    weights = tf.stop_gradient(
        returns_lib.trajectory_weights(outcome.continuation, config.discount)
    )
    weights = weights[:-1] * valid
    advantage = returns - value
    target = tf.stop_gradient(returns)
    slow = tf.stop_gradient(self._slow_value(fixed_features))
    surprise = -critic.log_prob(target) - critic.log_prob(slow)

    def mean(x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
      return self._mean(x, weights, starts)

    loss = mean(surprise, weights)
    metrics = {
        'critic/loss': loss,
        'critic/value': mean(value, valid),
        'critic/error': mean(tf.abs(advantage), valid),
        'returns/mean': mean(returns, valid),
    }
    return Critique(
        loss=loss,
        ascent=mean(advantage, weights),
        advantage=tf.stop_gradient(advantage),
        weights=weights,
        returns=target,
        metrics=metrics,
    )

  def _slow_value(self, features: tf.Tensor) -> tf.Tensor:
    """Returns what the slow critic expects, float32 [...]."""
    return distributions.SymlogTwoHot(self._slow_critic(features)).mean()

  def criticize_replay(
      self,
      critique: Critique,
      replayed: replayed_lib.Replayed,
      steps: tf.Tensor,
  ) -> Critique:
    """Adds the critic's loss on replayed sequences, by its scale.

    The loss is that on imagined ones, with the returns of `replayed.returns`
    for targets. A step is worth the return that was imagined from there; where
    imagination did not start, what the slow critic expects. The gradient is the
    critic's alone.

    Args:
      critique: Of what was imagined.
      replayed: The sequences.
      steps: How many steps of the whole batch have a return, a float32 scalar.
    """
    config = self._config
    features = tf.stop_gradient(replayed.features)
    slow = tf.stop_gradient(self._slow_value(features))
    target = replayed_lib.returns(
        replayed,
        tf.where(replayed.started, replayed.imagined, slow),
        config.discount,
        config.lambda_,
    )
    critic = self.value(features[:, :-1])
    surprise = -critic.log_prob(tf.stop_gradient(target)) - critic.log_prob(
        slow[:, :-1]
    )
    surprise = tf.where(replayed.continues, surprise, 0.0)
    of_replay = tf.reduce_sum(surprise) / tf.maximum(steps, 1.0)
    loss = critique.loss + config.replay_critic_scale * of_replay
    metrics = {
        **critique.metrics,
        'critic/loss': loss,
        'critic/replay_loss': of_replay,
    }
    return critique._replace(loss=loss, metrics=metrics)

  def actor_loss(
      self,
      outcome: Outcome,
      critique: Critique,
      scale: tf.Tensor,
      starts: tf.Tensor,
  ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The actor's loss: minus the normalised returns, minus the entropy.

    Where actions are continuous its gradient is that of the entropy alone;
    the other part, -grad(ascent) / scale, is had with the critique, through the
    actions.

    Args:
      outcome: Imagined trajectories.
      critique: Of them.
      scale: What the advantage is divided by, a scalar.
      starts: How many valid starts the whole batch has, a float32 scalar.

    Returns:
      The loss, of a part of a batch its share, and scalars to report.
    """
    policy = self.policy(tf.stop_gradient(outcome.features))
    entropy = policy.entropy()
    advantage = critique.advantage / scale
    if self.actions.differentiable:
      objective = advantage
    else:
      taken = self.actions.unflatten(outcome.action)
      objective = policy.log_prob(taken) * advantage
    objective += self._config.entropy_scale * entropy
    loss = -self._mean(objective, critique.weights, starts)
    valid = tf.cast(outcome.is_valid, tf.float32)
    metrics = {
        'actor/loss': loss,
        'actor/entropy': self._mean(entropy, valid, starts),
        'actor/advantage': self._mean(advantage, valid, starts),
    }
    return loss, metrics

  def _mean(
      self, x: tf.Tensor, weights: tf.Tensor, starts: tf.Tensor
  ) -> tf.Tensor:
    """Returns the weighted sum of [H, N] over how many steps there are."""
    steps = tf.maximum(starts, 1.0) * self._config.horizon
    return tf.reduce_sum(x * weights) / steps

  def update_slow_critic(self, condition: tf.Tensor) -> None:
    """Moves the slow copy towards the critic where `condition` holds."""
    fraction = tf.where(condition, self._config.slow_critic_fraction, 0.0)
    for slow, fast in self._critic_pairs():
      slow.assign_add(fraction * (fast - slow))
