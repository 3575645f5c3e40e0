"""R2I as a TF-Agents agent: the wiring of world model and behaviour."""

from collections.abc import Sequence
import contextlib
import dataclasses
from typing import Any, Optional

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib
from tf_agents.typing import types

from r2i_tf import config as agent_config
from r2i_tf import networks
from r2i_tf.agents import acting
from r2i_tf.agents import foresight as foresight_lib
from r2i_tf.agents import r2i_policy
from r2i_tf.agents import replicas
from r2i_tf.agents import spec_checks
from r2i_tf.agents import train_step as train_step_lib
from r2i_tf.behavior import ActorCritic
from r2i_tf.behavior import actions as actions_lib
from r2i_tf.world_model import Carry
from r2i_tf.world_model import Features
from r2i_tf.world_model import WorldModel


class R2IAgent(tf_agent.TFAgent):
  """Recall to Imagine (arXiv 2403.04253).

  `train` takes trajectories [B, T] of any T >= 2, which may run across episode
  ends, and returns a `LossInfo` whose `extra` is a flat dict of float32
  scalars. On one replica the train step is one XLA program. Under a strategy of
  several, gradients are averaged, return percentiles are taken over all
  replicas, and each replica returns its share of loss and scalars: what
  `train.Learner` reports, their sum, is the mean. A step whose gradients are
  not finite changes no variable but the step counter; `extra['train/refused']`
  is 1 for it.
  """

  def __init__(
      self,
      time_step_spec: ts.TimeStep,
      action_spec: types.NestedTensorSpec,
      config: Optional[agent_config.R2IConfig] = None,
      seed: int = 0,
      train_step_counter: Optional[tf.Variable] = None,
      name: str = 'R2IAgent',
  ):
    """Creates the agent and all of its variables.

    Args:
      time_step_spec: Tensor specs of the environment's time steps; observations
        may be nested.
      action_spec: One bounded tensor spec: integers of rank 0 or 1, or floats.
      config: The hyperparameters; None for the paper's column Default.
      seed: Seed of every random draw of the train steps.
      train_step_counter: Counts the train steps; None for the global step.
      name: Name of the agent.

    Raises:
      UnsupportedSpecError: A spec is one that R2I cannot take.
      schema.ConfigError: The observation cannot be encoded as `config` says.
    """
    config = config or agent_config.R2IConfig()
    spec_checks.check_specs(time_step_spec, action_spec, config.world_model)
    options = networks.layer_options(config)
    actions = actions_lib.create(tf.nest.flatten(action_spec)[0])
    self._world_model = WorldModel(
        time_step_spec.observation, actions.size, config.world_model, options
    )
    self._policy_features = self._world_model.policy_features(
        config.behavior.policy_input
    )
    self._behavior = ActorCritic(
        actions,
        self._policy_features.size,
        config.behavior,
        config.world_model.bins,
        options,
    )
    self._config = config
    self._train_step = train_step_lib.TrainStep(
        self._world_model, self._behavior, self._policy_features, config, seed
    )
    self._foresight = foresight_lib.Foresight(
        self._world_model,
        self._behavior,
        self._policy_features,
        config.behavior.horizon,
    )

    def policy(greedy: bool) -> r2i_policy.R2IPolicy:
      return r2i_policy.R2IPolicy(
          time_step_spec,
          action_spec,
          self._world_model,
          self._behavior,
          self._policy_features,
          greedy=greedy,
          compiled=r2i_policy.compiled(config),
      )

    super().__init__(
        time_step_spec,
        action_spec,
        policy(greedy=True),
        policy(greedy=False),
        train_sequence_length=None,
        train_step_counter=train_step_counter,
    )
    tf.Module.__init__(self, name=name)

  @property
  def world_model(self) -> WorldModel:
    """The world model."""
    return self._world_model

  @property
  def behavior(self) -> ActorCritic:
    """Actor and critic."""
    return self._behavior

  @property
  def policy_features(self) -> Features:
    """The part of a state that actor and critic see."""
    return self._policy_features

  @property
  def horizon(self) -> int:
    """Steps of imagination (H)."""
    return self._config.behavior.horizon

  @property
  def trainable_variables(self) -> tuple[tf.Variable, ...]:
    """What the optimisers change; the slow critic only follows."""
    return self._train_step.updates.trained_variables

  def deterministic_policy(self) -> r2i_policy.R2IPolicy:
    """Returns the greedy policy of now that draws nothing, for an export.

    It takes the most likely latents, too. Its variables are copies, and its
    products are float32: what it is for, TensorFlow Lite, has no bfloat16.
    """
    config = dataclasses.replace(
        self._config, precision=agent_config.Precision.FLOAT32
    )
    return acting.HostCopy(self.collect_policy, config).policy.deterministic()

  def assess(
      self, is_first: tf.Tensor, before: Any, after: Any
  ) -> dict[str, tf.Tensor]:
    """Returns what the agent thinks of steps that one of its policies took.

    From the policy's own states, in which is what was drawn: it draws nothing,
    so that it changes nothing to ask.

    Args:
      is_first: bool [B], whether the time step was the first of an episode.
      before: The policy state that the policy was given, leaves [B, ...].
      after: The policy state that it returned.

    Returns:
      `value`, float32 [B], the return that the critic expects from there on,
      discounted, in units of the reward; and `entropy`, float32 [B], of the
      policy that explores, in nats.
    """
    state = self._world_model.observed_state(
        Carry(before['memory'], before['latent']),
        before['action'],
        is_first,
        Carry(after['memory'], after['latent']),
    )
    return self._behavior.assess(self._policy_features.of(state))

  def forecast(
      self, experience: trajectory_lib.Trajectory, seed: int = 0
  ) -> foresight_lib.Forecast:
    """Returns how well the world model does on sequences; it changes nothing.

    Args:
      experience: [B, T].
      seed: Of the draws.

    Returns:
      Its losses, and the errors of its predictions by steps ahead: each up to
      the horizon of imagination, and some beyond.
    """
    return self._foresight.forecast(experience, tf.constant(seed, tf.int32))

  def foresee(
      self,
      experience: trajectory_lib.Trajectory,
      first: Sequence[int],
      shown: int,
      steps: int,
      seed: int = 0,
  ) -> foresight_lib.Foreseen:
    """Returns what the agent says along one stretch of each sequence.

    It goes on without observations after the first of them, under the actions
    that were taken. It changes nothing.

    Args:
      experience: [B, T].
      first: The first step of each stretch, B of them.
      shown: Steps of a stretch that are shown (k), at least 1.
      steps: Steps of a stretch (W), more than k.
      seed: Of the draws.
    """
    return self._foresight.predict(
        experience,
        tf.constant(first, tf.int32),
        *(tf.constant(number, tf.int32) for number in (shown, steps, seed)),
    )

  def train_step_hlo(
      self, batch_size: int, sequence_length: int, replica_count: int = 1
  ) -> bytes:
    """Returns the train step's program before any compiler's optimisation.

    For tools that compile it elsewhere, as the preflight for TPUs does, or
    count its operations. It is traced anew, which takes a while. The variables
    that it updates are aliased with the ones it reads.

    Args:
      batch_size: Sequences of one replica (B).
      sequence_length: Steps in a sequence (T).
      replica_count: How many replicas there are. With several, the exchange
        between them is custom calls, which the module `replicas` explains.

    Returns:
      A serialized HloModuleProto, which is for one of the replicas.
    """
    batch = tf.nest.map_structure(
        lambda spec: tf.TensorSpec(
            [batch_size, sequence_length, *spec.shape], spec.dtype
        ),
        self.collect_data_spec,
    )

    def train_step(
        step: tf.Tensor, *flat: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
      trajectory = tf.nest.pack_sequence_as(batch, flat)
      return self._train_step.whole(trajectory, None, step)

    # TensorFlow takes specs there only if every argument is one.
    program = tf.function(train_step, jit_compile=True, autograph=False)
    with contextlib.ExitStack() as stack:
      if replica_count > 1:
        stack.enter_context(replicas.described(replica_count))
      generate = program.experimental_get_compiler_ir(
          tf.TensorSpec([], tf.int32), *tf.nest.flatten(batch)
      )
    # Left to find the device out, TensorFlow draws a random number.
    device = self._world_model.variables[0].device
    return generate(stage='hlo_serialized', device_name=device)

  # TF-Agents' hooks ----------------------------------------------------------

  def _initialize(self) -> None:
    pass

  def _loss(
      self,
      experience: trajectory_lib.Trajectory,
      weights: Optional[tf.Tensor] = None,
      training: bool = False,
  ) -> tf_agent.LossInfo:
    del training  # Nothing here behaves differently in training.
    step = tf.cast(self.train_step_counter, tf.int32)
    loss, metrics = self._train_step.world_model_loss(experience, weights, step)
    return tf_agent.LossInfo(loss, metrics)

  def _train(
      self,
      experience: trajectory_lib.Trajectory,
      weights: Optional[tf.Tensor] = None,
  ) -> tf_agent.LossInfo:
    step = tf.cast(self.train_step_counter, tf.int32)
    loss, extra = self._train_step(experience, weights, step)
    if self.summaries_enabled and replicas.reports_alone():
      # Outside of the program; nothing where there is no default writer.
      for name, value in extra.items():
        tf.summary.scalar(name, value, step=self.train_step_counter)
    self.train_step_counter.assign_add(1)
    return tf_agent.LossInfo(loss, extra)
