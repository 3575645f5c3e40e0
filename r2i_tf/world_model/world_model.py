"""The world model: latents, memory, predictions, losses, imagination.

Data flows top to bottom as in this file. With o_t the observation, a_t the
action, z_t the latent, and h_t the output, m_t the memory and x_t the hidden
state of the sequence model (arXiv 2403.04253, section 3):

  posterior     z_t ~ q(z_t | o_t)                 non-recurrent
  sequence      h_t, m_t = f(m_(t-1), z_(t-1), a_(t-1)), and x_t seen of m_t
  prior         z_t ~ p(z_t | h_t)
  decoder       o_t ~ p(o_t | z_t, h_t)
  reward, cont  r_t, c_t ~ p(. | z_t, h_t)
"""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from r2i_tf import config as agent_config
from r2i_tf import distributions
from r2i_tf import draws
from r2i_tf import networks
from r2i_tf.world_model import features as features_lib
from r2i_tf.world_model import heads
from r2i_tf.world_model import layout as layout_lib
from r2i_tf.world_model import masking
from r2i_tf.world_model import observations
from r2i_tf.world_model import sequence_models
from r2i_tf.world_model import structures


class Observed(NamedTuple):
  """The model's view of a batch of sequences, all [B, T].

  Attributes:
    state: The part of each step that networks may see.
    carry: The part that goes on to the next step.
    posterior: q(z_t | o_t).
    prior: p(z_t | h_t).
  """

  state: structures.State
  carry: structures.Carry
  posterior: tfd.Distribution
  prior: tfd.Distribution


class WorldModel(tf.Module):
  """All of the world model; see the file's docstring.

  Attributes:
    action_size: A.
    features: The part of a state that decoder and heads see.
    carry_spec: A `Carry` of `tf.TensorSpec`, without batch axes.
  """

  def __init__(
      self,
      observation_spec: Any,
      action_size: int,
      config: agent_config.WorldModelConfig,
      dtype: networks.DType = 'float32',
      acting_only: bool = False,
  ):
    """Creates the model and all of its variables.

    Args:
      observation_spec: A nest of tensor specs.
      action_size: A, the size of an encoded action.
      config: Sizes and loss scales.
      dtype: Keras dtype or policy of the matrix products.
      acting_only: Whether to create `acting_variables` alone, with which it can
        do no more than `initial` and `observe_step`.

    Raises:
      schema.ConfigError: The observation cannot be encoded as `config` says.
    """
    super().__init__(name='world_model')
    self._config = config
    latent = config.latent
    layout = layout_lib.create(observation_spec, config)
    self._latent_size = latent.groups * latent.classes
    self.action_size = action_size

    latent_mlp = agent_config.MLPConfig(1, config.sequence_model.width)
    self._encoder = observations.Encoder(
        layout, config.encoder, config.cnn_depth, dtype
    )
    self._posterior = networks.Head(
        latent_mlp,
        self._latent_size,
        dtype,
        name='posterior',
    )
    self._sequence_model = sequence_models.create(config.sequence_model, dtype)
    self._prior = networks.Head(
        latent_mlp,
        self._latent_size,
        dtype,
        name='prior',
    )
    self._decoder = observations.Decoder(
        layout, config.decoder, config.cnn_depth, dtype
    )
    self._heads = heads.create(config, dtype)
    self._sizes = (
        self._sequence_model.output_size,
        self._latent_size,
        self._sequence_model.hidden_size,
    )
    self.features = features_lib.of_heads(self._sizes)
    self.carry_spec = structures.Carry(
        self._sequence_model.memory_spec,
        tf.TensorSpec([self._latent_size], tf.float32, 'latent'),
    )
    self._create_variables(observation_spec, acting_only)

  def _create_variables(self, observation_spec: Any, acting_only: bool) -> None:
    observation = tf.nest.map_structure(
        lambda spec: tf.zeros([1, *spec.shape], spec.dtype), observation_spec
    )
    state, _ = self.observe_step(
        self.initial(1),
        tf.zeros([1, self.action_size]),
        observation,
        tf.constant([True]),
        seed=tf.constant([0, 0]),
    )
    if acting_only:
      return
    features = self.features.of(state)
    self.prior(state.output)
    self._decoder(features)
    for head in self._heads.values():
      head(features)

  def policy_features(
      self, policy_input: agent_config.PolicyInput
  ) -> features_lib.Features:
    """Returns the part of a state that a policy sees.

    Args:
      policy_input: The parts beside the latent.
    """
    return features_lib.of_policy(self._sizes, policy_input)

  @property
  def acting_variables(self) -> tuple[tf.Variable, ...]:
    """Those that `observe_step` reads: no prior, decoder or head."""
    return (
        *self._encoder.variables,
        *self._posterior.variables,
        *self._sequence_model.variables,
    )

  @property
  def parameter_groups(self) -> tuple[networks.ParameterGroup, ...]:
    """The variables that train at a rate of their own, in groups."""
    return tuple(self._sequence_model.parameter_groups())

  @property
  def other_variables(self) -> tuple[tf.Variable, ...]:
    """Every trainable variable that is in none of `parameter_groups`."""
    apart = {v.ref() for g in self.parameter_groups for v in g.variables}
    return tuple(v for v in self.trainable_variables if v.ref() not in apart)

  # Distributions ------------------------------------------------------------

  def posterior(self, observation: Any) -> tfd.Distribution:
    """Returns q(z_t | o_t), event [G, K]."""
    return self._latent_distribution(
        self._posterior(self._encoder(observation))
    )

  def prior(self, output: tf.Tensor) -> tfd.Distribution:
    """Returns p(z_t | h_t), event [G, K]."""
    return self._latent_distribution(self._prior(output))

  def reward(self, features: tf.Tensor) -> tfd.Distribution:
    """Returns p(r_t | z_t, h_t), over scalars."""
    return self._heads['reward'](features)

  def continuation(self, features: tf.Tensor) -> tfd.Distribution:
    """Returns p(c_t | z_t, h_t), a Bernoulli; 1: the episode goes on."""
    return self._heads['continuation'](features)

  def decode(self, features: tf.Tensor) -> list[observations.Decoded]:
    """Returns p(o_t | z_t, h_t); see `observations.Decoder.call`."""
    return self._decoder(features)

  def _latent_distribution(self, logits: tf.Tensor) -> tfd.Distribution:
    latent = self._config.latent
    shape = [latent.groups, latent.classes]
    grouped = networks.with_batch_of(logits, 1, logits, shape)
    return distributions.one_hot_groups(grouped, latent.unimix)

  def _sample(self, distribution: tfd.Independent, seed: Any) -> tf.Tensor:
    groups = distribution.distribution
    if isinstance(seed, draws.Seed):
      shape = tf.concat([tf.shape(groups.logits)[:-1], [1]], 0)
      sample = groups.sample_at(draws.uniform(shape, seed))
    else:
      sample = groups.sample(seed=seed)
    return self._flat(sample)

  def _flat(self, latent: tf.Tensor) -> tf.Tensor:
    """Returns the groups end to end, [..., G, K] -> [..., G * K]."""
    return networks.with_batch_of(latent, 2, latent, [self._latent_size])

  # One step -----------------------------------------------------------------

  def initial(self, batch_size: Any) -> structures.Carry:
    """Returns the carry into the first step of an episode, [B, ...].

    Args:
      batch_size: B, an int or an int32 scalar.
    """
    return structures.Carry(
        memory=self._sequence_model.initial(batch_size),
        latent=tf.zeros([batch_size, self._latent_size]),
    )

  def observe_step(
      self,
      carry: structures.Carry,
      action: tf.Tensor,
      observation: Any,
      is_first: tf.Tensor,
      seed: Any,
      latent_mode: bool = False,
  ) -> tuple[structures.State, structures.Carry]:
    """Takes in one observation.

    Args:
      carry: From step t - 1, batch [B]; ignored where `is_first`.
      action: float32 [B, A], a_(t-1), encoded; ignored where `is_first`.
      observation: o_t, leaves [B, ...].
      is_first: bool [B].
      seed: Of the draw of the latent: one of `draws`, or as TFP takes them.
      latent_mode: Whether to take the most likely latent instead.

    Returns:
      s_t, with the latent drawn from the posterior, and its carry.
    """
    inputs = _mask_first(tf.concat([carry.latent, action], -1), is_first)
    output, memory = self._sequence_model.step(inputs, carry.memory, is_first)
    posterior = self.posterior(observation)
    if latent_mode:
      latent = self._flat(posterior.mode())
    else:
      latent = self._sample(posterior, seed)
    carry = structures.Carry(memory, latent)
    return self._state(output, carry), carry

  def imagine_step(
      self,
      carry: structures.Carry,
      action: tf.Tensor,
      seed: Any,
      prepared: Any = None,
  ) -> tuple[structures.State, structures.Carry]:
    """Goes one step on without an observation, the latent from the prior.

    Args:
      carry: From step t - 1, batch [N].
      action: float32 [N, A], a_(t-1), encoded.
      seed: As for `observe_step`.
      prepared: The result of the sequence model's `prepare`, in a loop of
        steps; else None.

    Returns:
      s_t and its carry.
    """
    inputs = tf.concat([carry.latent, action], -1)
    is_first = tf.zeros(tf.shape(inputs)[:1], tf.bool)
    output, memory = self._sequence_model.step(
        inputs, carry.memory, is_first, prepared
    )
    carry = structures.Carry(memory, self._sample(self.prior(output), seed))
    return self._state(output, carry), carry

  def _state(
      self, output: tf.Tensor, carry: structures.Carry
  ) -> structures.State:
    hidden = self._sequence_model.hidden(carry.memory)
    return structures.State(output, carry.latent, hidden)

  # Sequences ----------------------------------------------------------------

  def observe(self, experience: structures.Experience, seed: Any) -> Observed:
    """Runs the model along a batch of sequences, in parallel over time.

    Args:
      experience: [B, T].
      seed: Of the draws of the latents, as for `observe_step`.
    """
    posterior = self.posterior(experience.observation)
    latent = self._sample(posterior, seed)
    previous = tf.concat([tf.zeros_like(latent[:, :1]), latent[:, :-1]], 1)
    inputs = _mask_first(
        tf.concat([previous, experience.previous_action], -1),
        experience.is_first,
    )
    memory = self._sequence_model.initial(tf.shape(inputs)[0])
    output, memory = self._sequence_model(inputs, memory, experience.is_first)
    carry = structures.Carry(memory, latent)
    state = self._state(output, carry)
    return Observed(state, carry, posterior, self.prior(output))

  def counts(self, experience: structures.Experience) -> dict[str, tf.Tensor]:
    """Returns how many steps each mean of `loss` is over, float32 scalars.

    Args:
      experience: [B, T].
    """
    masks = {'steps': experience.is_valid}
    masks.update((name, h.mask(experience)) for name, h in self._heads.items())
    return {name: masking.count(mask) for name, mask in masks.items()}

  def loss(
      self,
      experience: structures.Experience,
      seed: Any,
      weights: Optional[tf.Tensor] = None,
      counts: Optional[Mapping[str, tf.Tensor]] = None,
  ) -> tuple[tf.Tensor, Observed, dict[str, tf.Tensor]]:
    """The world model's loss (arXiv 2403.04253, section 3).

    Reconstruction and heads by maximum likelihood, and the KL between posterior
    and prior twice, each side held fixed once, free below `free_nats`.

    Args:
      experience: [B, T].
      seed: Of the draws of the latents, as for `observe_step`.
      weights: None, or float32, scalar or [B], on each sequence's loss.
      counts: Those of the whole batch, if this is a part of it: the sums over
        the parts, of loss and scalars, are then the means over the batch. None
        takes this for the whole batch.

    Returns:
      The scalar loss, the model's view of the sequences, and scalars to report.
    """
    config = self._config
    experience = masking.blanked(experience)
    if counts is None:
      counts = self.counts(experience)
    observed = self.observe(experience, seed)
    posterior, prior = observed.posterior, observed.prior
    features = self.features.of(observed.state)
    fixed_posterior = _stop_gradient(posterior)
    fixed_prior = _stop_gradient(prior)
    dynamics = tfd.kl_divergence(fixed_posterior, prior)
    representation = tfd.kl_divergence(posterior, fixed_prior)
    valid = experience.is_valid
    reconstruction = -self._decoder.log_prob(features, experience.observation)
    steps = (valid, counts['steps'])
    # (loss [B, T], where it counts, how many do, its scale)
    losses = {
        'reconstruction': (reconstruction, *steps, 1.0),
        **{
            name: (
                head.loss(features, experience),
                head.mask(experience),
                counts[name],
                head.scale,
            )
            for name, head in self._heads.items()
        },
        'dynamics': (
            tf.maximum(dynamics, config.free_nats),
            *steps,
            config.dynamics_scale,
        ),
        'representation': (
            tf.maximum(representation, config.free_nats),
            *steps,
            config.representation_scale,
        ),
    }
    if weights is not None:
      weights = tf.reshape(tf.cast(weights, tf.float32), [-1, 1])
    total, metrics = 0.0, {}
    for name, (loss, mask, count, scale) in losses.items():
      mean = masking.masked_mean(loss, mask, count, weights)
      metrics[f'world_model/{name}_loss'] = mean
      total += scale * mean
    metrics['world_model/loss'] = total
    for name, values in {
        'kl': dynamics,
        'prior_entropy': prior.entropy(),
        'posterior_entropy': posterior.entropy(),
    }.items():
      metrics[f'world_model/{name}'] = masking.masked_mean(values, *steps)
    return total, observed, metrics

  def imagine(
      self,
      output: tf.Tensor,
      carry: structures.Carry,
      policy: Callable[[tf.Tensor, draws.Seed], tf.Tensor],
      policy_features: features_lib.Features,
      horizon: int,
      seed: draws.Seed,
  ) -> structures.Imagined:
    """Rolls the model forward under a policy, as one compiled loop.

    Args:
      output: float32 [N, D], h of the start s_0.
      carry: From s_0, batch [N].
      policy: (features, seed) -> encoded action: float32 [N, F] to float32 [N,
        A].
      policy_features: The part of a state that the policy sees.
      horizon: H, the number of steps.
      seed: Of all draws.

    Returns:
      The features and actions of the policy, and the outcomes that the model
      expects.
    """
    prepared = self._sequence_model.prepare()
    # The largest array of a train step: written once, for all networks,
    # each of them a slice of it.
    seen = policy_features.joined(self.features)
    start = self._state(output, carry)

    def act(t: tf.Tensor, state: structures.State) -> tf.Tensor:
      return policy(policy_features.of(state), draws.fold_in(seed, 2 * t))

    arrays = tf.nest.map_structure(
        lambda x: tf.TensorArray(x.dtype, size=horizon, element_shape=x.shape),
        (seen.of(start), act(0, start)),
    )

    # Of a state only h is not carried: the loop has nothing twice.
    def body(
        t: tf.Tensor, output: tf.Tensor, carry: structures.Carry, arrays: Any
    ) -> tuple[tf.Tensor, tf.Tensor, structures.Carry, Any]:
      state = self._state(output, carry)
      action = act(t, state)
      arrays = tf.nest.map_structure(
          lambda x, array: array.write(t, x), (seen.of(state), action), arrays
      )
      state, carry = self.imagine_step(
          carry, action, draws.fold_in(seed, 2 * t + 1), prepared
      )
      return t + 1, state.output, carry, arrays

    _, output, carry, arrays = tf.while_loop(
        lambda t, *_: t < horizon,
        body,
        (tf.constant(0), output, carry, arrays),
        maximum_iterations=horizon,
    )
    values, action = tf.nest.map_structure(lambda a: a.stack(), arrays)
    last = seen.of(self._state(output, carry))

    def arriving(head: heads.PredictionHead) -> tf.Tensor:
      """Returns the expectations of a head for s_1 to s_H, [H, N]."""
      rest = head(self.features.within(seen, values)).mean()[1:]
      end = head(self.features.within(seen, last)).mean()
      return tf.concat([rest, end[tf.newaxis]], 0)

    return structures.Imagined(
        features=policy_features.within(seen, values),
        last_features=policy_features.within(seen, last),
        action=action,
        reward=arriving(self._heads['reward']),
        continuation=arriving(self._heads['continuation']),
    )


def _mask_first(x: tf.Tensor, is_first: tf.Tensor) -> tf.Tensor:
  return x * (1 - tf.cast(is_first, x.dtype)[..., tf.newaxis])


def _stop_gradient(distribution: tfd.Independent) -> tfd.Independent:
  """Returns the same latents, with no gradient to their logits."""
  logits = tf.stop_gradient(distribution.distribution.logits)
  return distributions.one_hot_groups(logits, unimix=0.0)
