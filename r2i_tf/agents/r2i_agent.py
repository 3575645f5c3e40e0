"""R2I as a TF-Agents agent: the wiring of world model and behaviour."""

import contextlib
from typing import Dict, Optional, Tuple

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory as trajectory_lib
from tf_agents.typing import types

from r2i_tf import config as agent_config
from r2i_tf.agents import experience as experience_lib
from r2i_tf.agents import optimizer as optimizer_lib
from r2i_tf.agents import r2i_policy
from r2i_tf.agents import spec_checks
from r2i_tf.behavior import ActorCritic
from r2i_tf.behavior import Outcome
from r2i_tf.behavior import actions as actions_lib
from r2i_tf.ssm import rematerialization
from r2i_tf.world_model import Experience
from r2i_tf.world_model import State
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
      config: The hyperparameters; None for the paper's.
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
    features = r2i_policy.policy_features(
        self._world_model.initial_state(1), config.behavior.policy_input
    )
    self._behavior = ActorCritic(
        actions,
        features.shape[-1],
        config.behavior,
        config.world_model.bins,
        dtype,
    )
    self._create_optimizers()
    self._compiled_step = tf.function(
        self._train_step, jit_compile=True, autograph=False
    )

    def policy(greedy):
      return r2i_policy.R2IPolicy(
          time_step_spec,
          action_spec,
          self._world_model,
          self._behavior,
          config.behavior.policy_input,
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

    For tools that compile it elsewhere, as `launch/tpu_preflight.py` does, or
    count what it does. It is traced anew, which takes a while. The
    variables it updates are aliased with the ones it reads.

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

    def train_step(step, *flat):
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
    config = self._config
    world, actor, critic = (
        config.world_model_optimizer,
        config.actor_optimizer,
        config.critic_optimizer,
    )
    # (optimizer config, [(variables, learning rate, weight decay)])
    groups = {
        'world_model': (
            world,
            self._world_model.other_variables,
            world.learning_rate,
            world.weight_decay,
        ),
        'ssm': (
            world,
            self._world_model.ssm_variables,
            config.world_model.sequence_model.s3m.learning_rate,
            0.0,
        ),
        'actor': (
            actor,
            self._behavior.actor_variables,
            actor.learning_rate,
            actor.weight_decay,
        ),
        'critic': (
            critic,
            self._behavior.critic_variables,
            critic.learning_rate,
            critic.weight_decay,
        ),
    }
    self._optimizers, self._variables_of = {}, {}
    for name, (group, variables, rate, decay) in groups.items():
      if not variables:
        continue
      self._optimizers[name] = optimizer_lib.FlatAdam(
          variables, group, rate, decay, f'{name}_adam'
      )
      self._variables_of[name] = variables

  # TF-Agents' hooks ----------------------------------------------------------

  def _initialize(self):
    pass

  def _loss(self, experience, weights=None, training=False):
    del training  # Nothing here behaves differently in training.
    seed = self._step_seed(self.train_step_counter)
    loss, _, metrics = self._world_model_loss(experience, weights, seed)
    return _share_of_replica(tf_agent.LossInfo(loss, metrics))

  def _train(self, experience, weights=None):
    # Several replicas exchange gradients within the step, which only the
    # strategy can compile.
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    train_step = self._compiled_step if replicas == 1 else self._train_step
    loss, extra = train_step(
        experience, weights, tf.cast(self.train_step_counter, tf.int32)
    )
    if self.summaries_enabled and replicas == 1:
      # Outside of the program; nothing where there is no default writer.
      for name, value in extra.items():
        tf.summary.scalar(name, value, step=self.train_step_counter)
    self.train_step_counter.assign_add(1)
    return _share_of_replica(tf_agent.LossInfo(loss, extra))

  # The train step ------------------------------------------------------------

  def _train_step(
      self,
      trajectory: trajectory_lib.Trajectory,
      weights: Optional[tf.Tensor],
      step: tf.Tensor,
  ) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
    """Learns from one batch; see the class. Everything in it is one program."""
    world_seed, start_seed, behavior_seed = tf.unstack(
        tf.random.experimental.stateless_split(self._step_seed(step), 3)
    )
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      variables = self._watch(tape, 'world_model', 'ssm')
      world_loss, (experience, states), metrics = self._world_model_loss(
          trajectory, weights, world_seed
      )
    gradients = dict(
        zip(('world_model', 'ssm'), _gradients(tape, world_loss, variables))
    )
    # Imagination after the world model's gradients: the activations of the two
    # then need no memory beside each other.
    states, gradients = rematerialization.together((states, gradients))
    start, terminal, is_valid = self._starts(experience, states, start_seed)
    with tf.GradientTape(
        persistent=True, watch_accessed_variables=False
    ) as tape:
      variables = self._watch(tape, 'actor', 'critic')
      # A gradient of the loop that nobody asks for is half of the tracing.
      differentiable = self._behavior.actions.differentiable
      recording = (
          contextlib.nullcontext if differentiable else tape.stop_recording
      )
      with recording():
        outcome = self._imagine(start, terminal, is_valid, behavior_seed)
      losses = self._behavior.losses(outcome, _gather)
    for name, loss in (('actor', losses.actor), ('critic', losses.critic)):
      gradients[name] = tape.gradient(
          loss,
          self._variables_of[name],
          unconnected_gradients=tf.UnconnectedGradients.ZERO,
      )
    del tape
    finite, norms = self._apply(gradients)
    self._behavior.normalizer.assign(losses.percentiles, finite)
    self._behavior.update_slow_critic(finite)
    metrics = {**metrics, **losses.metrics, **norms}
    metrics['train/refused'] = 1 - tf.cast(finite, tf.float32)
    return world_loss + losses.actor + losses.critic, metrics

  def _world_model_loss(self, trajectory, weights, seed):
    experience = experience_lib.from_trajectory(
        trajectory, self._behavior.actions.encode
    )
    loss, states, metrics = self._world_model.loss(experience, seed, weights)
    return loss, (experience, states), metrics

  def _starts(
      self, experience: Experience, states: State, seed: tf.Tensor
  ) -> Tuple[State, tf.Tensor, tf.Tensor]:
    """Returns states as imagination starts [N], and their flags."""
    flags = (experience.terminal, experience.is_valid)
    picked = tf.nest.map_structure(tf.stop_gradient, (states, flags))
    count = self._config.behavior.starts_per_sequence
    if count is not None:
      # At random: any pattern in time could fall in step with the episodes.
      draw = tf.random.stateless_uniform(tf.shape(experience.terminal), seed)
      chosen = tf.math.top_k(draw, min(count, draw.shape[1])).indices
      picked = tf.nest.map_structure(
          lambda x: tf.gather(x, chosen, batch_dims=1), picked
      )
    states, (terminal, is_valid) = tf.nest.map_structure(
        lambda x: tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0)), picked
    )
    return states, terminal, is_valid

  def _imagine(self, start, terminal, is_valid, seed) -> Outcome:
    policy_input = self._config.behavior.policy_input
    sees_hidden = policy_input is not agent_config.PolicyInput.OUTPUT
    everything = agent_config.PolicyInput.FULL if sees_hidden else policy_input

    def features(state):
      return r2i_policy.policy_features(state, policy_input)

    imagined = self._world_model.imagine(
        start,
        # The actor's gradient passes through its actions, not its inputs.
        lambda state, seed: self._behavior.act(
            tf.stop_gradient(features(state)), seed
        ),
        self._config.behavior.horizon,
        seed,
        # The largest array of a train step: written once, as what all networks
        # see, each of them a slice of it.
        keep=lambda state: r2i_policy.policy_features(state, everything),
    )
    output_size = self._world_model.output_size

    def of_heads(seen):
      return seen[..., : output_size + self._world_model.latent_size]

    def of_policy(seen):
      hidden_only = policy_input is agent_config.PolicyInput.HIDDEN
      return seen[..., output_size:] if hidden_only else seen

    def arriving(head):
      """Returns what a head expects with s_1 to s_H."""
      rest = head(of_heads(imagined.state))[1:]
      last = head(of_heads(imagined.last))
      return tf.concat([rest, last[tf.newaxis]], 0)

    model = self._world_model
    continuation = arriving(lambda seen: model.continuation(seen).mean())
    known = 1 - tf.cast(terminal, tf.float32)
    return Outcome(
        features=of_policy(imagined.state),
        last_features=of_policy(imagined.last),
        action=imagined.action,
        reward=arriving(lambda seen: model.reward(seen).mean()),
        continuation=tf.concat([known[tf.newaxis], continuation], 0),
        is_valid=is_valid,
    )

  def _apply(self, gradients) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
    """Clips and applies all gradients, or none of them.

    Returns:
      Whether they were applied, bool scalar, and their norms.
    """
    optimizers = self._optimizers
    gradients = _mean_over_replicas(
        {name: optimizers[name].flatten(gradients[name]) for name in optimizers}
    )
    config = self._config
    clips = (
        ('world_model', ('world_model', 'ssm'), config.world_model_optimizer),
        ('actor', ('actor',), config.actor_optimizer),
        ('critic', ('critic',), config.critic_optimizer),
    )
    clipped, norms = {}, {}
    for name, groups, group_config in clips:
      groups = [group for group in groups if group in optimizers]
      parts, norm = tf.clip_by_global_norm(
          [gradients[group] for group in groups], group_config.clip_norm
      )
      clipped.update(zip(groups, parts))
      norms[f'{name}/gradient_norm'] = norm
    finite = tf.reduce_all(tf.math.is_finite(tf.stack(list(norms.values()))))
    for name, optimizer in optimizers.items():
      optimizer.apply(clipped[name], finite)
    return finite, norms

  def _watch(self, tape: tf.GradientTape, *groups: str):
    variables = [list(self._variables_of.get(group, ())) for group in groups]
    tape.watch(tf.nest.flatten(variables))
    return variables

  def _step_seed(self, step: tf.Tensor) -> tf.Tensor:
    """Returns the stateless seed of a train step on this replica, int32 [2]."""
    seed = tf.stack(
        [tf.constant(self._seed, tf.int32), tf.cast(step, tf.int32)]
    )
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
      return seed
    return tf.random.experimental.stateless_fold_in(
        seed, tf.cast(context.replica_id_in_sync_group, tf.int32)
    )


def _gradients(tape, loss, variables):
  return tape.gradient(
      loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
  )


def _share_of_replica(info: tf_agent.LossInfo) -> tf_agent.LossInfo:
  """Divides by the number of replicas: a `Learner` adds what they return."""
  replicas = tf.distribute.get_strategy().num_replicas_in_sync
  if replicas == 1:
    return info
  return tf.nest.map_structure(lambda x: x / replicas, info)


def _gather(x: tf.Tensor) -> tf.Tensor:
  """Returns the vectors of all replicas end to end."""
  context = tf.distribute.get_replica_context()
  if context.num_replicas_in_sync == 1:
    return x
  if x.dtype == tf.bool:
    return tf.cast(context.all_gather(tf.cast(x, tf.int32), axis=0), tf.bool)
  return context.all_gather(x, axis=0)


def _mean_over_replicas(gradients):
  context = tf.distribute.get_replica_context()
  if context.num_replicas_in_sync == 1:
    return gradients
  flat = context.all_reduce(
      tf.distribute.ReduceOp.MEAN, tf.nest.flatten(gradients)
  )
  return tf.nest.pack_sequence_as(gradients, flat)
