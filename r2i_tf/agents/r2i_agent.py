"""R2I as a TF-Agents agent: the wiring of world model and behaviour."""

from collections.abc import Sequence
import contextlib
from typing import Optional

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib
from tf_agents.typing import types

from r2i_tf import config as agent_config
from r2i_tf import networks
from r2i_tf.agents import experience as experience_lib
from r2i_tf.agents import optimizer as optimizer_lib
from r2i_tf.agents import r2i_policy
from r2i_tf.agents import replicas
from r2i_tf.agents import spec_checks
from r2i_tf.behavior import ActorCritic
from r2i_tf.behavior import Outcome
from r2i_tf.behavior import actions as actions_lib
from r2i_tf.ssm import rematerialization
from r2i_tf.world_model import Carry
from r2i_tf.world_model import Experience
from r2i_tf.world_model import Observed
from r2i_tf.world_model import WorldModel
from r2i_tf.world_model import layout


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
    spec_checks.check_specs(
        time_step_spec,
        action_spec,
        lambda path: layout.is_ignored(path, config.world_model),
    )
    self._config = config
    self._seed = seed
    dtype = config.precision.value
    dtype = tf.keras.mixed_precision.Policy(dtype)
    actions = actions_lib.create(tf.nest.flatten(action_spec)[0])
    self._world_model = WorldModel(
        time_step_spec.observation, actions.size, config.world_model, dtype
    )
    self._policy_features = self._world_model.policy_features(
        config.behavior.policy_input
    )
    self._behavior = ActorCritic(
        actions,
        self._policy_features.size,
        config.behavior,
        config.world_model.bins,
        dtype,
    )
    self._create_optimizers()
    self._compiled_step = tf.function(
        self._train_step, jit_compile=True, autograph=False
    )

    def policy(greedy: bool) -> r2i_policy.R2IPolicy:
      return r2i_policy.R2IPolicy(
          time_step_spec,
          action_spec,
          self._world_model,
          self._behavior,
          self._policy_features,
          greedy=greedy,
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

  def train_step_hlo(self, batch_size: int, sequence_length: int) -> bytes:
    """Returns the train step's program before any compiler's optimisation.

    For tools that compile it elsewhere, as the preflight for TPUs does, or
    count its operations. It is traced anew, which takes a while. The variables
    that it updates are aliased with the ones it reads.

    Args:
      batch_size: Sequences in a batch (B).
      sequence_length: Steps in a sequence (T).

    Returns:
      A serialized HloModuleProto, which is for one replica.
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
      return self._train_step(trajectory, None, step)

    # TensorFlow takes specs there only if every argument is one.
    program = tf.function(train_step, jit_compile=True, autograph=False)
    generate = program.experimental_get_compiler_ir(
        tf.TensorSpec([], tf.int32), *tf.nest.flatten(batch)
    )
    # Left to find the device out, TensorFlow draws a random number.
    device = self._world_model.variables[0].device
    return generate(stage='hlo_serialized', device_name=device)

  def _create_optimizers(self) -> None:
    config, model = self._config, self._world_model
    networks_of = {
        'world_model': (config.world_model_optimizer, model.other_variables),
        'actor': (config.actor_optimizer, self._behavior.actor_variables),
        'critic': (config.critic_optimizer, self._behavior.critic_variables),
    }
    # Groups whose gradients are clipped together, by name, and the norm.
    self._parts: dict[str, tuple[list[str], float]] = {}
    self._variables_of: dict[str, tuple[tf.Variable, ...]] = {}
    self._optimizers: dict[str, optimizer_lib.FlatAdam] = {}
    for name, (settings, variables) in networks_of.items():
      group = networks.ParameterGroup(
          name, variables, settings.learning_rate, settings.weight_decay
      )
      apart = model.parameter_groups if name == 'world_model' else ()
      groups = [group, *apart]
      self._parts[name] = [g.name for g in groups], settings.clip_norm
      for group in groups:
        self._variables_of[group.name] = group.variables
        self._optimizers[group.name] = optimizer_lib.FlatAdam(
            group, settings.epsilon
        )

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
    seed = self._step_seed(self.train_step_counter)
    loss, _, metrics = self._world_model_loss(experience, weights, seed)
    return replicas.share(tf_agent.LossInfo(loss, metrics))

  def _train(
      self,
      experience: trajectory_lib.Trajectory,
      weights: Optional[tf.Tensor] = None,
  ) -> tf_agent.LossInfo:
    # Several replicas exchange gradients within the step, which only the
    # strategy can compile.
    count = tf.distribute.get_strategy().num_replicas_in_sync
    train_step = self._compiled_step if count == 1 else self._train_step
    loss, extra = train_step(
        experience, weights, tf.cast(self.train_step_counter, tf.int32)
    )
    if self.summaries_enabled and count == 1:
      # Outside of the program; nothing where there is no default writer.
      for name, value in extra.items():
        tf.summary.scalar(name, value, step=self.train_step_counter)
    self.train_step_counter.assign_add(1)
    return replicas.share(tf_agent.LossInfo(loss, extra))

  # The train step ------------------------------------------------------------

  def _train_step(
      self,
      trajectory: trajectory_lib.Trajectory,
      weights: Optional[tf.Tensor],
      step: tf.Tensor,
  ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Learns from one batch; see the class. Everything in it is one program."""
    world_seed, start_seed, behavior_seed = tf.unstack(
        tf.random.experimental.stateless_split(self._step_seed(step), 3)
    )
    groups, _ = self._parts['world_model']
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      self._watch(tape, groups)
      world_loss, (experience, observed), metrics = self._world_model_loss(
          trajectory, weights, world_seed
      )
    gradients = self._gradients(tape, world_loss, groups)
    # Imagination after the world model's gradients: the activations of the two
    # then need no memory beside each other.
    (output, carry), gradients = rematerialization.together(
        ((observed.state.output, observed.carry), gradients)
    )
    output, carry, terminal, is_valid = self._starts(
        experience, output, carry, start_seed
    )
    with tf.GradientTape(
        persistent=True, watch_accessed_variables=False
    ) as tape:
      self._watch(tape, ['actor', 'critic'])
      # A gradient of the loop that nobody asks for is half of the tracing.
      differentiable = self._behavior.actions.differentiable
      recording = (
          contextlib.nullcontext if differentiable else tape.stop_recording
      )
      with recording():
        outcome = self._imagine(
            output, carry, terminal, is_valid, behavior_seed
        )
      losses = self._behavior.losses(outcome, replicas.gather)
    gradients.update(self._gradients(tape, losses.actor, ['actor']))
    gradients.update(self._gradients(tape, losses.critic, ['critic']))
    del tape
    finite, norms = self._apply(gradients)
    self._behavior.normalizer.assign(losses.percentiles, finite)
    self._behavior.update_slow_critic(finite)
    metrics = {**metrics, **losses.metrics, **norms}
    metrics['train/refused'] = 1 - tf.cast(finite, tf.float32)
    return world_loss + losses.actor + losses.critic, metrics

  def _world_model_loss(
      self,
      trajectory: trajectory_lib.Trajectory,
      weights: Optional[tf.Tensor],
      seed: tf.Tensor,
  ) -> tuple[tf.Tensor, tuple[Experience, Observed], dict[str, tf.Tensor]]:
    experience = experience_lib.from_trajectory(
        trajectory, self._behavior.actions.encode
    )
    loss, observed, metrics = self._world_model.loss(experience, seed, weights)
    return loss, (experience, observed), metrics

  def _starts(
      self,
      experience: Experience,
      output: tf.Tensor,
      carry: Carry,
      seed: tf.Tensor,
  ) -> tuple[tf.Tensor, Carry, tf.Tensor, tf.Tensor]:
    """Returns the steps that imagination starts from, and their flags.

    Args:
      experience: [B, T].
      output: h, float32 [B, T, D].
      carry: Of each step, [B, T].
      seed: A stateless seed, int32 [2].

    Returns:
      h, the carry, terminal and is_valid of the starts, all [N, ...].
    """
    picked = (output, carry, experience.terminal, experience.is_valid)
    picked = tf.nest.map_structure(tf.stop_gradient, picked)
    count = self._config.behavior.starts_per_sequence
    if count is not None:
      # At random: any pattern in time could fall in step with the episodes.
      draw = tf.random.stateless_uniform(tf.shape(experience.terminal), seed)
      chosen = tf.math.top_k(draw, min(count, draw.shape[1])).indices
      picked = tf.nest.map_structure(
          lambda x: tf.gather(x, chosen, batch_dims=1), picked
      )
    return tf.nest.map_structure(
        lambda x: tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0)), picked
    )

  def _imagine(
      self,
      output: tf.Tensor,
      carry: Carry,
      terminal: tf.Tensor,
      is_valid: tf.Tensor,
      seed: tf.Tensor,
  ) -> Outcome:
    imagined = self._world_model.imagine(
        output,
        carry,
        # The actor's gradient passes through its actions, not its inputs.
        lambda features, seed: self._behavior.act(
            tf.stop_gradient(features), seed
        ),
        self._policy_features,
        self._config.behavior.horizon,
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

  # Gradients -----------------------------------------------------------------

  def _watch(self, tape: tf.GradientTape, groups: Sequence[str]) -> None:
    tape.watch([v for group in groups for v in self._variables_of[group]])

  def _gradients(
      self, tape: tf.GradientTape, loss: tf.Tensor, groups: Sequence[str]
  ) -> dict[str, list[tf.Tensor]]:
    """Returns the gradients of the variables of each group."""
    variables = [list(self._variables_of[group]) for group in groups]
    gradients = tape.gradient(
        loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return dict(zip(groups, gradients))

  def _apply(
      self, gradients: dict[str, list[tf.Tensor]]
  ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Clips and applies all gradients, or none of them.

    Args:
      gradients: Those of each group.

    Returns:
      Whether they were applied, bool scalar, and their norms.
    """
    optimizers = self._optimizers
    flat = replicas.mean(
        {name: optimizers[name].flatten(gradients[name]) for name in optimizers}
    )
    clipped: dict[str, tf.Tensor] = {}
    norms: dict[str, tf.Tensor] = {}
    for name, (groups, clip_norm) in self._parts.items():
      parts, norm = tf.clip_by_global_norm(
          [flat[group] for group in groups], clip_norm
      )
      clipped.update(zip(groups, parts))
      norms[f'{name}/gradient_norm'] = norm
    finite = tf.reduce_all(tf.math.is_finite(tf.stack(list(norms.values()))))
    for name, optimizer in optimizers.items():
      optimizer.apply(clipped[name], finite)
    return finite, norms

  def _step_seed(self, step: tf.Tensor) -> tf.Tensor:
    """Returns the stateless seed of a train step on this replica, int32 [2]."""
    seed = tf.stack(
        [tf.constant(self._seed, tf.int32), tf.cast(step, tf.int32)]
    )
    return replicas.own_seed(seed)
