"""What the agent foresees of trajectories, for those who look at a run.

Nothing here is a part of the train step, nor compiled by XLA: that takes
seconds, and this runs seldom. Each function is traced once for a length.
"""

from typing import NamedTuple

import tensorflow as tf
from tf_agents.trajectories import trajectory as trajectory_lib

from r2i_tf import draws
from r2i_tf.agents import experience as experience_lib
from r2i_tf.behavior import ActorCritic
from r2i_tf.world_model import Carry
from r2i_tf.world_model import Experience
from r2i_tf.world_model import Features
from r2i_tf.world_model import State
from r2i_tf.world_model import WorldModel
from r2i_tf.world_model import losses as losses_lib
from r2i_tf.world_model import masking
from r2i_tf.world_model import open_loop

# Steps ahead at which errors are told one by one.
HORIZONS = open_loop.HORIZONS


class Forecast(NamedTuple):
  """How well the world model does on some sequences.

  Attributes:
    errors: Of its open-loop predictions.
    losses: The world model's scalars on these sequences, by the names that a
      train step has for them, `world_model/...`.
  """

  errors: open_loop.Errors
  losses: dict[str, tf.Tensor]


class Foreseen(NamedTuple):
  """What the agent says along a stretch of each sequence, all [B, W].

  Attributes:
    observation: By key, float32 [B, W, ...], the expected parts of o_t in the
      units of the environment; an image in [0, 255], before it is clipped.
    reward: float32 [B, W], the expected r_t.
    continuation: float32 [B, W], the probability that the episode goes on.
    value: float32 [B, W], the critic's v(s_t).
  """

  observation: dict[str, tf.Tensor]
  reward: tf.Tensor
  continuation: tf.Tensor
  value: tf.Tensor


class Foresight:
  """World model and critic, asked about what came."""

  def __init__(
      self,
      world_model: WorldModel,
      behavior: ActorCritic,
      policy_features: Features,
      horizon: int,
  ):
    """Traces nothing yet.

    Args:
      world_model: Of the agent.
      behavior: Of the agent.
      policy_features: What the behaviour sees of a state.
      horizon: Steps of imagination, up to which every error is asked for.
    """
    self._model, self._behavior = world_model, behavior
    self._policy_features = policy_features
    self._horizon = horizon

  def forecast(
      self, trajectory: trajectory_lib.Trajectory, seed: tf.Tensor
  ) -> Forecast:
    """Returns errors and losses.

    Args:
      trajectory: [B, T].
      seed: int32 scalar, of all draws.
    """
    observed = self._observe(trajectory, seed)
    errors = self._errors(observed.experience, observed.carry, seed)
    return Forecast(errors, observed.losses)

  def predict(
      self,
      trajectory: trajectory_lib.Trajectory,
      first: tf.Tensor,
      shown: tf.Tensor,
      steps: tf.Tensor,
      seed: tf.Tensor,
  ) -> Foreseen:
    """Returns what the agent says; see `open_loop.predict`.

    Args:
      trajectory: [B, T].
      first: int32 [B].
      shown: int32 scalar, k.
      steps: int32 scalar, W.
      seed: int32 scalar, of all draws.
    """
    observed = self._observe(trajectory, seed)
    return self._predict(
        observed.experience,
        observed.state,
        observed.carry,
        first,
        shown,
        steps,
        seed,
    )

  # Apart, since tracing is most of what a short run pays: what both need is
  # traced once.

  @tf.function(autograph=False)
  def _observe(
      self, trajectory: trajectory_lib.Trajectory, seed: tf.Tensor
  ) -> '_Observed':
    experience = masking.blanked(
        experience_lib.from_trajectory(
            trajectory, self._behavior.actions.encode
        )
    )
    _, observed, losses = losses_lib.loss(
        self._model, experience, draws.fold_in(_seed(seed), 0)
    )
    return _Observed(experience, observed.state, observed.carry, losses)

  @tf.function(autograph=False)
  def _errors(
      self, experience: Experience, carry: Carry, seed: tf.Tensor
  ) -> open_loop.Errors:
    length = experience.is_first.shape[1]
    return open_loop.errors(
        self._model,
        experience,
        carry,
        open_loop.steps_ahead(length, self._horizon),
        draws.fold_in(_seed(seed), 1),
    )

  @tf.function(autograph=False)
  def _predict(
      self,
      experience: Experience,
      state: State,
      carry: Carry,
      first: tf.Tensor,
      shown: tf.Tensor,
      steps: tf.Tensor,
      seed: tf.Tensor,
  ) -> Foreseen:
    seen = self._policy_features.joined(self._model.features)
    predictions = open_loop.predict(
        self._model,
        experience,
        state,
        carry,
        seen,
        first,
        shown,
        steps,
        draws.fold_in(_seed(seed), 1),
    )
    value = self._behavior.value(
        self._policy_features.within(seen, predictions.features)
    )
    return Foreseen(
        observation=predictions.observation,
        reward=predictions.reward,
        continuation=predictions.continuation,
        value=value.mean(),
    )


class _Observed(NamedTuple):
  """The model's view of trajectories, all [B, T], and its losses."""

  experience: Experience
  state: State
  carry: Carry
  losses: dict[str, tf.Tensor]


def _seed(seed: tf.Tensor) -> draws.Seed:
  return draws.Seed(tf.stack([seed, 0]), tf.constant(0))
