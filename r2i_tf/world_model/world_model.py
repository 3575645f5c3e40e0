"""The world model: latents, memory, predictions, losses, imagination.

Data flows top to bottom as in this file. With o_t the observation, a_t the
action, z_t the latent, h_t the output and x_t the hidden state of the sequence
model (arXiv 2403.04253, section 3):

  posterior     z_t ~ q(z_t | o_t)                 non-recurrent
  sequence      h_t, x_t = f(x_(t-1), z_(t-1), a_(t-1))
  prior         z_t ~ p(z_t | h_t)
  decoder       o_t ~ p(o_t | z_t, h_t)
  reward, cont  r_t, c_t ~ p(. | z_t, h_t)
"""

from typing import Any, Callable, Dict, NamedTuple, Tuple

import tensorflow as tf
import tensorflow_probability as tfp

from r2i_tf import config as agent_config
from r2i_tf import distributions
from r2i_tf import networks
from r2i_tf.world_model import layout as layout_lib
from r2i_tf.world_model import observations
from r2i_tf.world_model import sequence_model as sequence_model_lib

tfd = tfp.distributions


class Experience(NamedTuple):
  """A batch of sequences as the world model wants them, all [B, T, ...].

  Everything at index t is what arrived together with o_t.

  Attributes:
    observation: A nest; o_t.
    previous_action: float32 [B, T, A], encoded a_(t-1); zeros where is_first.
    reward: float32 [B, T], r_t; 0 where is_first.
    terminal: bool [B, T], whether the episode ended here for good.
    is_first: bool [B, T], where memory starts anew; True at t = 0.
    is_valid: bool [B, T], False at padding.
    outcome_known: bool [B, T], False where reward and terminal are unknown.
  """

  observation: object
  previous_action: tf.Tensor
  reward: tf.Tensor
  terminal: tf.Tensor
  is_first: tf.Tensor
  is_valid: tf.Tensor
  outcome_known: tf.Tensor


class State(NamedTuple):
  """The model's state after a step, [...] standing for the batch axes.

  Attributes:
    hidden: x_t, float32 [..., S].
    output: h_t, float32 [..., D].
    latent: z_t, float32 [..., G * K], one-hot groups laid end to end.
  """

  hidden: tf.Tensor
  output: tf.Tensor
  latent: tf.Tensor


class Imagined(NamedTuple):
  """Trajectories of the model alone, time-major.

  The last state stands apart: no action was taken in it, and the others can be
  used as one array, without a slice of the largest array of a train step.

  Attributes:
    state: What was kept of s_0 (the start) to s_(H-1), [H, N, ...]; of a whole
      `State` by default.
    action: float32 [H, N, A], a_0 to a_(H-1).
    last: What was kept of s_H, [N, ...].
  """

  state: Any
  action: tf.Tensor
  last: Any


class WorldModel(tf.Module):
  """All of the world model; see the file's docstring.

  Attributes:
    hidden_size: S.
    latent_size: G * K.
    output_size: D.
  """

  def __init__(
      self,
      observation_spec,
      action_size: int,
      config: agent_config.WorldModelConfig,
      dtype: networks.DType = 'float32',
  ):
    """Creates the model and all of its variables.

    Args:
      observation_spec: A nest of tensor specs.
      action_size: A, the size of an encoded action.
      config: Sizes and loss scales.
      dtype: Keras dtype or policy of the matrix products.

    Raises:
      schema.ConfigError: The observation cannot be encoded as `config` says.
    """
    super().__init__(name='world_model')
    self._config = config
    latent = config.latent
    layout = layout_lib.create(observation_spec, config)
    self.latent_size = latent.groups * latent.classes
    self.output_size = config.sequence_model.output_size
    self.action_size = action_size

    latent_mlp = agent_config.MLPConfig(1, config.sequence_model.width)
    self._encoder = observations.Encoder(
        layout, config.encoder, config.cnn_depth, dtype
    )
    self._posterior = networks.Head(
        latent_mlp,
        self.latent_size,
        dtype,
        name='posterior',
    )
    self._sequence_model = sequence_model_lib.create(
        config.sequence_model, dtype
    )
    self._prior = networks.Head(
        latent_mlp,
        self.latent_size,
        dtype,
        name='prior',
    )
    self._decoder = observations.Decoder(
        layout, config.decoder, config.cnn_depth, dtype
    )
    self._reward_head = networks.Head(
        config.reward_head, config.bins, dtype, output_scale=0.0, name='reward'
    )
    self._continuation_head = networks.Head(
        config.continuation_head, 1, dtype, name='continuation'
    )
    self.hidden_size = self._sequence_model.hidden_size
    self._create_variables(observation_spec)

  def _create_variables(self, observation_spec) -> None:
    observation = tf.nest.map_structure(
        lambda spec: tf.zeros([1, *spec.shape], spec.dtype), observation_spec
    )
    state = self.initial_state(1)
    state = self.observe_step(
        state,
        tf.zeros([1, self.action_size]),
        observation,
        tf.constant([True]),
        seed=tf.constant([0, 0]),
    )
    features = self.features(state)
    self.prior(state.output)
    self._decoder(features)
    self._reward_head(features)
    self._continuation_head(features)

  @property
  def ssm_variables(self) -> Tuple[tf.Variable, ...]:
    """The state-space parameters, an optimiser group of their own."""
    return tuple(self._sequence_model.ssm_variables)

  @property
  def other_variables(self) -> Tuple[tf.Variable, ...]:
    """Every trainable variable that is not one of `ssm_variables`."""
    ssm = {v.ref() for v in self.ssm_variables}
    return tuple(v for v in self.trainable_variables if v.ref() not in ssm)

  # States -------------------------------------------------------------------

  def initial_state(self, batch_size) -> State:
    """Returns the state before the first step of an episode."""
    return State(
        hidden=self._sequence_model.initial(batch_size),
        output=tf.zeros([batch_size, self.output_size]),
        latent=tf.zeros([batch_size, self.latent_size]),
    )

  def features(self, state: State) -> tf.Tensor:
    """Returns what the heads see, (h, z): float32 [..., D + G * K]."""
    return tf.concat([state.output, state.latent], -1)

  def posterior(self, observation) -> tfd.Distribution:
    """Returns q(z_t | o_t), event [G, K]."""
    return self._latent_distribution(
        self._posterior(self._encoder(observation))
    )

  def prior(self, output: tf.Tensor) -> tfd.Distribution:
    """Returns p(z_t | h_t), event [G, K]."""
    return self._latent_distribution(self._prior(output))

  def reward(self, features: tf.Tensor) -> tfd.Distribution:
    """Returns p(r_t | z_t, h_t), over scalars."""
    return distributions.SymlogTwoHot(self._reward_head(features))

  def continuation(self, features: tf.Tensor) -> tfd.Distribution:
    """Returns p(c_t | z_t, h_t), a Bernoulli; 1: the episode goes on."""
    logits = self._continuation_head(features)[..., 0]
    return tfd.Bernoulli(logits=logits, dtype=tf.float32)

  def decode(self, features: tf.Tensor):
    """Returns p(o_t | z_t, h_t); see `observations.Decoder.call`."""
    return self._decoder(features)

  def _latent_distribution(self, logits: tf.Tensor) -> tfd.Distribution:
    latent = self._config.latent
    shape = [latent.groups, latent.classes]
    grouped = tf.reshape(logits, tf.concat([tf.shape(logits)[:-1], shape], 0))
    grouped.set_shape([*logits.shape[:-1], *shape])
    return distributions.one_hot_groups(grouped, latent.unimix)

  def _sample(self, distribution: tfd.Distribution, seed) -> tf.Tensor:
    sample = distribution.sample(seed=seed)
    batch = sample.shape[:-2]
    flat = tf.reshape(
        sample, tf.concat([tf.shape(sample)[:-2], [self.latent_size]], 0)
    )
    flat.set_shape([*batch, self.latent_size])
    return flat

  # One step -----------------------------------------------------------------

  def observe_step(
      self, state: State, action: tf.Tensor, observation, is_first, seed
  ) -> State:
    """Takes in one observation.

    Args:
      state: s_(t-1), batch [B]; ignored where `is_first`.
      action: float32 [B, A], a_(t-1), encoded; ignored where `is_first`.
      observation: o_t, leaves [B, ...].
      is_first: bool [B].
      seed: A stateless seed, int32 [2], or None.

    Returns:
      s_t, with the latent drawn from the posterior.
    """
    inputs = _mask_first(tf.concat([state.latent, action], -1), is_first)
    output, hidden = self._sequence_model.step(inputs, state.hidden, is_first)
    latent = self._sample(self.posterior(observation), seed)
    return State(hidden, output, latent)

  def imagine_step(
      self, state: State, action: tf.Tensor, seed, prepared=None
  ) -> State:
    """Goes one step on without an observation, the latent from the prior."""
    inputs = tf.concat([state.latent, action], -1)
    is_first = tf.zeros(tf.shape(inputs)[:1], tf.bool)
    output, hidden = self._sequence_model.step(
        inputs, state.hidden, is_first, prepared
    )
    return State(hidden, output, self._sample(self.prior(output), seed))

  # Sequences ----------------------------------------------------------------

  def observe(
      self, experience: Experience, seed
  ) -> Tuple[State, tfd.Distribution, tfd.Distribution]:
    """Runs the model along a batch of sequences, in parallel over time.

    Args:
      experience: [B, T].
      seed: A stateless seed, int32 [2].

    Returns:
      The states [B, T], the posteriors and the priors.
    """
    posterior = self.posterior(experience.observation)
    latent = self._sample(posterior, seed)
    previous = tf.concat([tf.zeros_like(latent[:, :1]), latent[:, :-1]], 1)
    inputs = _mask_first(
        tf.concat([previous, experience.previous_action], -1),
        experience.is_first,
    )
    hidden = self._sequence_model.initial(tf.shape(inputs)[0])
    output, hidden = self._sequence_model(inputs, hidden, experience.is_first)
    return State(hidden, output, latent), posterior, self.prior(output)

  def loss(
      self, experience: Experience, seed, weights=None
  ) -> Tuple[tf.Tensor, State, Dict[str, tf.Tensor]]:
    """The world model's loss (arXiv 2403.04253, section 3).

    Reconstruction, reward and continuation by maximum likelihood, and the KL
    between posterior and prior twice, each side held fixed once, free below
    `free_nats`.

    Args:
      experience: [B, T].
      seed: A stateless seed, int32 [2].
      weights: None, or float32, scalar or [B], on each sequence's loss.

    Returns:
      The scalar loss, the states [B, T], and scalars to report.
    """
    config = self._config
    experience = _blank_masked(experience)
    state, posterior, prior = self.observe(experience, seed)
    features = self.features(state)
    fixed_posterior = _stop_gradient(posterior)
    fixed_prior = _stop_gradient(prior)
    dynamics = tfd.kl_divergence(fixed_posterior, prior)
    representation = tfd.kl_divergence(posterior, fixed_prior)
    continues = 1 - tf.cast(experience.terminal, tf.float32)
    losses = {
        'reconstruction': -self._decoder.log_prob(
            features, experience.observation
        ),
        'reward': -self.reward(features).log_prob(experience.reward),
        'continuation': -self.continuation(features).log_prob(continues),
        'dynamics': tf.maximum(dynamics, config.free_nats),
        'representation': tf.maximum(representation, config.free_nats),
    }
    scales = {
        'dynamics': config.dynamics_scale,
        'representation': config.representation_scale,
    }
    valid = tf.cast(experience.is_valid, tf.float32)
    known = valid * tf.cast(experience.outcome_known, tf.float32)
    masks = {'reward': known, 'continuation': known}
    if weights is not None:
      weights = tf.reshape(tf.cast(weights, tf.float32), [-1, 1])
    total, metrics = 0.0, {}
    for name, loss in losses.items():
      mask = masks.get(name, valid)
      mean = masked_mean(loss, mask, weights)
      metrics[f'world_model/{name}_loss'] = mean
      total += scales.get(name, 1.0) * mean
    metrics['world_model/loss'] = total
    metrics['world_model/kl'] = masked_mean(dynamics, valid)
    metrics['world_model/prior_entropy'] = masked_mean(prior.entropy(), valid)
    metrics['world_model/posterior_entropy'] = masked_mean(
        posterior.entropy(), valid
    )
    return total, state, metrics

  def imagine(
      self,
      start: State,
      policy: Callable[[State, tf.Tensor], tf.Tensor],
      horizon: int,
      seed: tf.Tensor,
      keep: Callable[[State], Any] = lambda state: state,
  ) -> Imagined:
    """Rolls the model forward under a policy, as one compiled loop.

    Args:
      start: s_0, batch [N].
      policy: (state, stateless seed) -> encoded action, float32 [N, A].
      horizon: H, the number of steps.
      seed: A stateless seed, int32 [2].
      keep: What of each state is kept; all of it by default.

    Returns:
      What was kept of the states, and the actions.
    """
    prepared = self._sequence_model.prepare()
    fold_in = tf.random.experimental.stateless_fold_in

    def act(t, state):
      return policy(state, fold_in(seed, 2 * t))

    arrays = tf.nest.map_structure(
        lambda x: tf.TensorArray(x.dtype, size=horizon, element_shape=x.shape),
        (keep(start), act(0, start)),
    )

    def body(t, state, arrays):
      action = act(t, state)
      arrays = tf.nest.map_structure(
          lambda x, array: array.write(t, x), (keep(state), action), arrays
      )
      state = self.imagine_step(
          state, action, fold_in(seed, 2 * t + 1), prepared
      )
      return t + 1, state, arrays

    _, last, arrays = tf.while_loop(
        lambda t, *_: t < horizon,
        body,
        (tf.constant(0), start, arrays),
        maximum_iterations=horizon,
    )
    state, action = tf.nest.map_structure(lambda a: a.stack(), arrays)
    return Imagined(state, action, keep(last))


def masked_mean(x: tf.Tensor, mask: tf.Tensor, weights=None) -> tf.Tensor:
  """Returns the mean of `x` where `mask` is 1, each term times its weight."""
  weighted = mask if weights is None else mask * weights
  # Masked terms may be anything, infinities included.
  x = tf.where(mask > 0, x, tf.zeros_like(x))
  return tf.reduce_sum(x * weighted) / tf.maximum(tf.reduce_sum(mask), 1.0)


def _blank_masked(experience: Experience) -> Experience:
  """Returns the experience with zeros where masked steps hold numbers.

  Masking the losses alone is not enough: a NaN would pass it in the gradient,
  as 0 * NaN.
  """
  valid = experience.is_valid
  known = valid & experience.outcome_known

  def blank(x):
    if not x.dtype.is_floating:
      return x
    keep = valid[(...,) + (tf.newaxis,) * (x.shape.rank - 2)]
    return tf.where(keep, x, tf.zeros_like(x))

  return experience._replace(
      observation=tf.nest.map_structure(blank, experience.observation),
      previous_action=blank(experience.previous_action),
      reward=tf.where(known, experience.reward, 0.0),
  )


def _mask_first(x: tf.Tensor, is_first: tf.Tensor) -> tf.Tensor:
  return x * (1 - tf.cast(is_first, x.dtype)[..., tf.newaxis])


def _stop_gradient(distribution: tfd.Independent) -> tfd.Independent:
  """Returns the same latents, with no gradient to what made them."""
  logits = tf.stop_gradient(distribution.distribution.logits)
  return distributions.one_hot_groups(logits, unimix=0.0)
