"""The train step: what all replicas of a strategy learn from one batch.

Each replica has a part of the batch. Its work is four stages, between which the
replicas exchange numbers:

  count     how many steps and starts each loss is a mean over
              -> added over the replicas
  learn     world model: loss and gradients; imagination; critic: loss and
            gradients; the returns
              -> the returns of all replicas, for their percentiles
  improve   actor: loss and gradients, by the normalised returns
              -> gradients, added over the replicas
  update    clips the gradients and applies them, or refuses the step

Losses are divided by the counts of the whole batch, and every random number
belongs to an example (`draws`): however a batch is split, the update is the
same but for rounding. On one replica the four are one XLA program. On several
each is one, since the strategy exchanges between programs only; on TPUs, where
the strategy compiles exchanges as well, all is one program again.
"""

from collections.abc import Callable
from collections.abc import Sequence
import contextlib
from typing import Any, NamedTuple, Optional

import tensorflow as tf
from tf_agents.trajectories import trajectory as trajectory_lib

from r2i_tf import config as agent_config
from r2i_tf import draws
from r2i_tf import rematerialization
from r2i_tf.agents import experience as experience_lib
from r2i_tf.agents import optimizer as optimizer_lib
from r2i_tf.agents import replicas
from r2i_tf.agents import starts
from r2i_tf.agents import updates as updates_lib
from r2i_tf.behavior import ActorCritic
from r2i_tf.behavior import Critique
from r2i_tf.behavior import Outcome
from r2i_tf.behavior import Replayed
from r2i_tf.behavior import replayed as replayed_lib
from r2i_tf.behavior import returns as returns_lib
from r2i_tf.world_model import Carry
from r2i_tf.world_model import Experience
from r2i_tf.world_model import Features
from r2i_tf.world_model import WorldModel
from r2i_tf.world_model import imagination
from r2i_tf.world_model import losses

Metrics = dict[str, tf.Tensor]


class Counts(NamedTuple):
  """How much of a batch each loss is a mean over, float32 scalars.

  Attributes:
    world_model: By loss, as `losses.counts` has them.
    starts: Starts of imagination.
    replayed: Steps that the critic learns from as they were lived.
  """

  world_model: dict[str, tf.Tensor]
  starts: tf.Tensor
  replayed: tf.Tensor


class Learned(NamedTuple):
  """What the second stage leaves to the others.

  Attributes:
    gradients: Of the groups of world model and critic; of the actor, where
      actions are continuous, that of `critique.ascent`.
    outcome: Imagined trajectories, without gradient.
    critique: Of them.
    returns: float32 [M], those that the percentiles are taken of.
    counted: bool [M], which of them count.
    loss: Of world model and critic.
    metrics: Scalars to report.
  """

  gradients: updates_lib.Gradients
  outcome: Outcome
  critique: Critique
  returns: tf.Tensor
  counted: tf.Tensor
  loss: tf.Tensor
  metrics: Metrics


class Improved(NamedTuple):
  """What the third stage leaves to the last.

  Attributes:
    gradient: The actor's, in blocks.
    percentiles: The moving ones, with the returns of all replicas.
    scale: Of the returns by these percentiles.
    loss: Of the actor.
    metrics: Scalars to report.
  """

  gradient: optimizer_lib.Blocks
  percentiles: tf.Tensor
  scale: tf.Tensor
  loss: tf.Tensor
  metrics: Metrics


class TrainStep(tf.Module):
  """Trains world model, actor and critic; see the file's docstring.

  Attributes:
    program: The whole step of one replica, a compiled TensorFlow function of
      trajectory, weights and key: seed and step are no part of it, so that runs
      that differ in their seed have the same program.
    updates: The optimisers.
  """

  def __init__(
      self,
      world_model: WorldModel,
      behavior: ActorCritic,
      policy_features: Features,
      config: agent_config.R2IConfig,
      seed: int,
  ):
    """Creates the optimisers.

    Args:
      world_model: Its variables exist.
      behavior: Its variables exist.
      policy_features: What actor and critic see of a state.
      config: The hyperparameters.
      seed: Of every random draw.
    """
    super().__init__(name='train_step')
    self._world_model = world_model
    self._behavior = behavior
    self._policy_features = policy_features
    self._config = config.behavior
    self._seed = seed
    self.updates = updates_lib.Updates(world_model, behavior, config)

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
      return tf.function(function, jit_compile=True, autograph=False)

    self.program = compiled(self._whole)
    self._stages: list[Callable[..., Any]] = [
        self._count,
        self._learn,
        self._improve,
        self._update,
    ]
    self._programs = [compiled(stage) for stage in self._stages]

  def __call__(
      self,
      trajectory: trajectory_lib.Trajectory,
      weights: Optional[tf.Tensor],
      step: tf.Tensor,
  ) -> tuple[tf.Tensor, Metrics]:
    """Learns from one batch; on several replicas, within `strategy.run`.

    Args:
      trajectory: This replica's part of the batch, [B, T].
      weights: None, or float32, scalar or [B], on each sequence's loss of the
        world model.
      step: How many train steps there were, int32 scalar.

    Returns:
      The loss and scalars to report; of each, this replica's share.
    """
    key = self._key(step)
    if replicas.compiled_by_strategy():
      return self._whole(trajectory, weights, key)
    if replicas.count() == 1:
      return self.program(trajectory, weights, key)
    return self._run(self._programs, trajectory, weights, key)

  def whole(
      self,
      trajectory: trajectory_lib.Trajectory,
      weights: Optional[tf.Tensor],
      step: tf.Tensor,
  ) -> tuple[tf.Tensor, Metrics]:
    """Does what a call does, as a part of the program that calls it.

    Args:
      trajectory: As for a call.
      weights: As for a call.
      step: As for a call.
    """
    return self._whole(trajectory, weights, self._key(step))

  def world_model_loss(
      self,
      trajectory: trajectory_lib.Trajectory,
      weights: Optional[tf.Tensor],
      step: tf.Tensor,
  ) -> tuple[tf.Tensor, Metrics]:
    """Returns the world model's share of loss and scalars; learns nothing.

    Args:
      trajectory: As for a call.
      weights: As for a call.
      step: As for a call.
    """
    experience = self._experience(trajectory)
    counts = replicas.add(losses.counts(self._world_model, experience))
    seed, _, _ = self._seeds(self._key(step), replicas.index())
    loss, _, metrics = losses.loss(
        self._world_model, experience, seed, weights, counts
    )
    return loss, metrics

  def _whole(
      self,
      trajectory: trajectory_lib.Trajectory,
      weights: Optional[tf.Tensor],
      key: tf.Tensor,
  ) -> tuple[tf.Tensor, Metrics]:
    return self._run(self._stages, trajectory, weights, key)

  def _run(
      self,
      stages: Sequence[Callable[..., Any]],
      trajectory: trajectory_lib.Trajectory,
      weights: Optional[tf.Tensor],
      key: tf.Tensor,
  ) -> tuple[tf.Tensor, Metrics]:
    count, learn, improve, update = stages
    part = replicas.index()
    counts = replicas.add(count(trajectory, key, part))
    learned = learn(trajectory, weights, key, part, counts)
    returns = replicas.gather(learned.returns)
    counted = replicas.gather(learned.counted)
    improved = improve(learned, returns, counted, counts.starts)
    gradients = replicas.add({**learned.gradients, 'actor': improved.gradient})
    of_all = update(gradients, improved.percentiles)
    of_all['returns/scale'] = improved.scale
    metrics = {
        **learned.metrics,
        **improved.metrics,
        **replicas.share(of_all),
    }
    return learned.loss + improved.loss, metrics

  # The stages ----------------------------------------------------------------

  def _count(
      self,
      trajectory: trajectory_lib.Trajectory,
      key: tf.Tensor,
      part: tf.Tensor,
  ) -> Counts:
    experience = self._experience(trajectory)
    _, seed, _ = self._seeds(key, part)
    places = self._places(experience, seed)
    is_valid = starts.pick(experience.is_valid, places)
    return Counts(
        losses.counts(self._world_model, experience),
        tf.reduce_sum(tf.cast(is_valid, tf.float32)),
        tf.reduce_sum(tf.cast(_continues(experience), tf.float32)),
    )

  def _learn(
      self,
      trajectory: trajectory_lib.Trajectory,
      weights: Optional[tf.Tensor],
      key: tf.Tensor,
      part: tf.Tensor,
      counts: Counts,
  ) -> Learned:
    world_seed, start_seed, behavior_seed = self._seeds(key, part)
    experience = self._experience(trajectory)
    groups, updates = self.updates.of_world_model, self.updates
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      updates.watch(tape, groups)
      world_loss, observed, metrics = losses.loss(
          self._world_model, experience, world_seed, weights, counts.world_model
      )
    gradients = updates.gradients(tape, world_loss, groups)
    # Imagination after the world model's gradients: the activations of the two
    # then need no memory beside each other.
    (output, carry), gradients = rematerialization.together(
        ((observed.state.output, observed.carry), gradients)
    )
    places = self._places(experience, start_seed)
    start, start_carry, terminal, is_valid = starts.pick(
        (output, carry, experience.terminal, experience.is_valid), places
    )
    with tf.GradientTape(
        persistent=True, watch_accessed_variables=False
    ) as tape:
      updates.watch(tape, ['actor', 'critic'])
      # A gradient of the loop that nobody asks for is half of the tracing.
      differentiable = self._behavior.actions.differentiable
      recording = (
          contextlib.nullcontext if differentiable else tape.stop_recording
      )
      with recording():
        outcome = self._imagine(
            start, start_carry, terminal, is_valid, behavior_seed
        )
      critique = self._behavior.criticize(outcome, counts.starts)
      if self._config.replay_critic_scale:
        critique = self._behavior.criticize_replay(
            critique,
            self._replayed(output, carry, experience, critique, places),
            counts.replayed,
        )
    gradients.update(updates.gradients(tape, critique.loss, ['critic']))
    if differentiable:
      gradients.update(updates.gradients(tape, critique.ascent, ['actor']))
    del tape
    returns, counted = returns_lib.thinned(
        critique.returns,
        outcome.is_valid,
        (experience.is_valid if places is None else places).shape[1],
        replicas.count(),
    )
    return Learned(
        gradients,
        outcome,
        critique,
        returns,
        counted,
        world_loss + critique.loss,
        {**metrics, **critique.metrics},
    )

  def _improve(
      self,
      learned: Learned,
      returns: tf.Tensor,
      counted: tf.Tensor,
      count: tf.Tensor,
  ) -> Improved:
    normalizer = self._behavior.normalizer
    percentiles = normalizer.updated(returns, counted)
    _, scale = normalizer.scale(percentiles)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      self.updates.watch(tape, ['actor'])
      loss, metrics = self._behavior.actor_loss(
          learned.outcome, learned.critique, scale, count
      )
    gradient = self.updates.gradients(tape, loss, ['actor'])['actor']
    if self._behavior.actions.differentiable:
      gradient = [
          g - earlier / scale
          for g, earlier in zip(gradient, learned.gradients['actor'])
      ]
    return Improved(gradient, percentiles, scale, loss, metrics)

  def _update(
      self, gradients: updates_lib.Gradients, percentiles: tf.Tensor
  ) -> Metrics:
    finite, norms = self.updates.apply(gradients)
    self._behavior.normalizer.assign(percentiles, finite)
    self._behavior.update_slow_critic(finite)
    return {**norms, 'train/refused': 1 - tf.cast(finite, tf.float32)}

  # Their parts ---------------------------------------------------------------

  def _experience(self, trajectory: trajectory_lib.Trajectory) -> Experience:
    encode = self._behavior.actions.encode
    return experience_lib.from_trajectory(trajectory, encode)

  def _key(self, step: tf.Tensor) -> tf.Tensor:
    """Returns what all draws of a step follow from, int32 [2]."""
    return tf.stack([tf.constant(self._seed), tf.cast(step, tf.int32)])

  def _seeds(self, key: tf.Tensor, part: tf.Tensor) -> list[draws.Seed]:
    """Returns the seeds of world model, starts and behaviour in a step."""
    return draws.split(draws.Seed(key, part), 3)

  def _places(
      self, experience: Experience, seed: draws.Seed
  ) -> Optional[tf.Tensor]:
    """Returns the places of the starts, as `starts.draw` does."""
    count = self._config.starts_per_sequence
    return starts.draw(experience.is_valid, count, seed)

  def _imagine(
      self,
      output: tf.Tensor,
      carry: Carry,
      terminal: tf.Tensor,
      is_valid: tf.Tensor,
      seed: draws.Seed,
  ) -> Outcome:
    imagined = imagination.imagine(
        self._world_model,
        output,
        carry,
        # The actor's gradient passes through its actions, not its inputs.
        lambda features, seed: self._behavior.act(
            tf.stop_gradient(features), seed
        ),
        self._policy_features,
        self._config.horizon,
        seed,
    )
    known = 1 - tf.cast(terminal, tf.float32)
    return Outcome(
        features=imagined.features,
        last_features=imagined.last_features,
        action=imagined.action,
        reward=imagined.reward,
        continuation=tf.concat([known[tf.newaxis], imagined.continuation], 0),
        is_valid=is_valid,
    )

  def _replayed(
      self,
      output: tf.Tensor,
      carry: Carry,
      experience: Experience,
      critique: Critique,
      places: Optional[tf.Tensor],
  ) -> Replayed:
    """Returns the batch as the critic learns from it."""
    imagined, started = starts.put_back(
        critique.returns[0], places, tf.shape(experience.is_valid)
    )
    state = self._world_model.state(output, carry)
    return Replayed(
        features=self._policy_features.of(state),
        reward=experience.reward,
        terminal=experience.terminal,
        continues=_continues(experience),
        imagined=imagined,
        started=started,
    )


def _continues(experience: Experience) -> tf.Tensor:
  return replayed_lib.continues(experience.is_valid, experience.is_first)
