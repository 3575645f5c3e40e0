"""The world model: what is seen, remembered, expected and predicted.

Data flows top to bottom as in this file; `losses` teaches what is here, and
`imagination` uses it. With o_t the observation, a_t the action, z_t the latent,
and h_t the output, m_t the memory and x_t the hidden state of the sequence
model (arXiv 2403.04253, section 3):

  encoder       e_t = e(o_t)
  posterior     z_t ~ q(z_t | e_t)                 non-recurrent
                z_t ~ q(z_t | h_t, e_t)            recurrent
  sequence      h_t, m_t = f(m_(t-1), z_(t-1), a_(t-1)), and x_t seen of m_t
  prior         z_t ~ p(z_t | h_t)
  decoder       o_t ~ p(o_t | z_t, h_t)
  reward, cont  r_t, c_t ~ p(. | z_t, h_t)
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from r2i_tf import config as agent_config
from r2i_tf import networks
from r2i_tf.world_model import features as features_lib
from r2i_tf.world_model import heads
from r2i_tf.world_model import inference
from r2i_tf.world_model import latents as latents_lib
from r2i_tf.world_model import layout as layout_lib
from r2i_tf.world_model import observations
from r2i_tf.world_model import sequence_models
from r2i_tf.world_model import structures


class Observed(NamedTuple):
  """The model's view of a batch of sequences, all [B, T].

  Attributes:
    state: The part of each step that networks may see.
    carry: The part that goes on to the next step.
    posterior: q(z_t | o_t), or q(z_t | h_t, o_t).
    prior: p(z_t | h_t).
  """

  state: structures.State
  carry: structures.Carry
  posterior: tfd.Distribution
  prior: tfd.Distribution


class WorldModel(tf.Module):
  """All of the world model; see the file's docstring.

  Attributes:
    config: Sizes and loss scales.
    action_size: A.
    features: The part of a state that decoder and heads see.
    carry_spec: A `Carry` of `tf.TensorSpec`, without batch axes.
  """

  def __init__(
      self,
      observation_spec: Any,
      action_size: int,
      config: agent_config.WorldModelConfig,
      options: networks.LayerOptions = networks.FLOAT32,
      acting_only: bool = False,
  ):
    """Creates the model and all of its variables.

    Args:
      observation_spec: A nest of tensor specs.
      action_size: A, the size of an encoded action.
      config: Sizes and loss scales.
      options: Of the layers.
      acting_only: Whether to create `acting_variables` alone, with which it can
        do no more than `initial` and `observe_step`.

    Raises:
      schema.ConfigError: The observation cannot be encoded as `config` says.
    """
    super().__init__(name='world_model')
    self.config = config
    self._latents = latents_lib.Latents(config.latent)
    layout = layout_lib.create(observation_spec, config)
    self.action_size = action_size

    latent_mlp = agent_config.MLPConfig(1, config.sequence_model.width)
    self._encoder = observations.Encoder(
        layout, config.encoder, config.cnn_depth, options
    )
    self._posterior = networks.Head(
        latent_mlp,
        self._latents.size,
        options,
        name='posterior',
    )
    self._sequence_model = sequence_models.create(
        config.sequence_model, options
    )
    self._prior = networks.Head(
        latent_mlp,
        self._latents.size,
        options,
        name='prior',
    )
    self._decoder = observations.Decoder(
        layout, config.decoder, config.cnn_depth, options
    )
    self._heads = heads.create(config, options)
    self._sizes = (
        self._sequence_model.output_size,
        self._latents.size,
        self._sequence_model.hidden_size,
    )
    self.features = features_lib.of_heads(self._sizes)
    self._inference = inference.Inference(
        self._sequence_model,
        self._posterior,
        self._latents,
        config.has_recurrent_posterior,
    )
    self.carry_spec = self._inference.carry_spec
    self._create_variables(observation_spec, acting_only)

  def _create_variables(self, observation_spec: Any, acting_only: bool) -> None:
    observation = tf.nest.map_structure(
        lambda spec: tf.zeros([1, *spec.shape], spec.dtype), observation_spec
    )
    carry, action = self.initial(1), tf.zeros([1, self.action_size])
    is_first = tf.constant([True])
    # By itself and first: initial weights are random numbers of one generator,
    # in the order of their creation.
    inputs = tf.concat([carry.latent, action], -1)
    self._sequence_model.step(inputs, carry.memory, is_first)
    state, _ = self.observe_step(carry, action, observation, is_first)
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

  @property
  def decoder(self) -> observations.Decoder:
    """p(o_t | z_t, h_t)."""
    return self._decoder

  @property
  def heads(self) -> Mapping[str, heads.PredictionHead]:
    """The other predictions, by the names of their losses."""
    return self._heads

  def moduli(self) -> Sequence[tf.Tensor]:
    """What a step leaves of x_t; see `SequenceModel.moduli`."""
    return self._sequence_model.moduli()

  # Distributions ------------------------------------------------------------

  def embed(self, observation: Any) -> tf.Tensor:
    """Returns e_t, float32 [..., E].

    Args:
      observation: o_t, with any batch axes.
    """
    return self._encoder(observation)

  def posterior(
      self, embedding: tf.Tensor, output: Optional[tf.Tensor] = None
  ) -> tfd.Distribution:
    """Returns q(z_t | o_t) or q(z_t | h_t, o_t), event [G, K].

    Args:
      embedding: e_t, float32 [..., E].
      output: h_t, float32 [..., D]; the non-recurrent posterior needs none.
    """
    logits = self._inference.logits(embedding, output)
    return self._latents.distribution(logits)

  def prior(self, output: tf.Tensor) -> tfd.Distribution:
    """Returns p(z_t | h_t), event [G, K]."""
    return self._latents.distribution(self._prior(output))

  def reward(self, features: tf.Tensor) -> tfd.Distribution:
    """Returns p(r_t | z_t, h_t), over scalars."""
    return self._heads['reward'](features)

  def continuation(self, features: tf.Tensor) -> tfd.Distribution:
    """Returns p(c_t | z_t, h_t), a Bernoulli; 1: the episode goes on."""
    return self._heads['continuation'](features)

  def decode(self, features: tf.Tensor) -> list[observations.Decoded]:
    """Returns p(o_t | z_t, h_t); see `observations.Decoder.call`."""
    return self._decoder(features)

  # One step -----------------------------------------------------------------

  def initial(self, batch_size: Any) -> structures.Carry:
    """Returns the carry into the first step of an episode, [B, ...].

    Args:
      batch_size: B, an int or an int32 scalar.
    """
    return self._inference.initial(batch_size)

  def observe_step(
      self,
      carry: structures.Carry,
      action: tf.Tensor,
      observation: Any,
      is_first: tf.Tensor,
      noise: Optional[tf.Tensor] = None,
      prepared: Any = None,
  ) -> tuple[structures.State, structures.Carry]:
    """Takes in one observation.

    Args:
      carry: From step t - 1, batch [B]; ignored where `is_first`.
      action: float32 [B, A], a_(t-1), encoded; ignored where `is_first`.
      observation: o_t, leaves [B, ...].
      is_first: bool [B].
      noise: The numbers of the latent's draw, as `latent_noise` has them; None
        takes the most likely latent.
      prepared: The result of `prepare`; None has the step compute it.

    Returns:
      s_t, with the latent drawn from the posterior, and its carry.
    """

    def draw(posterior: tfd.Distribution) -> tf.Tensor:
      if noise is None:
        return self._latents.mode(posterior)
      return self._latents.drawn_with(posterior, noise)

    output, carry, _ = self._inference.step(
        carry, action, self.embed(observation), is_first, draw, prepared
    )
    return self.state(output, carry), carry

  def latent_noise(
      self, batch_size: Any, seed: Optional[int] = None
  ) -> tf.Tensor:
    """Returns numbers to draw latents with, of TensorFlow's global generator.

    Args:
      batch_size: B, an int or an int32 scalar.
      seed: Of the operation, beside the global one.

    Returns:
      float32 [B, G, 1], from [0, 1).
    """
    return tf.random.uniform(
        [batch_size, self._latents.config.groups, 1], seed=seed
    )

  def observed_state(
      self,
      before: structures.Carry,
      action: tf.Tensor,
      is_first: tf.Tensor,
      after: structures.Carry,
  ) -> structures.State:
    """Returns the state of a step that was taken, from the carries around it.

    It draws nothing, and needs no observation: what came of that is in z_t.

    Args:
      before: What `observe_step` was given, batch [B].
      action: As there, float32 [B, A].
      is_first: As there, bool [B].
      after: The carry that it returned.
    """
    output, _ = self._inference.remember(before, action, is_first)
    return self.state(output, after)

  def prepare(self) -> Any:
    """Returns the values that a loop of `imagine_step` can share."""
    return self._sequence_model.prepare()

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
      seed: Of the latent's draw, one of `draws`, or as TFP takes them.
      prepared: The result of `prepare`, in a loop of steps; else None.

    Returns:
      s_t and its carry.
    """
    inputs = tf.concat([carry.latent, action], -1)
    is_first = tf.zeros(tf.shape(inputs)[:1], tf.bool)
    output, memory = self._sequence_model.step(
        inputs, carry.memory, is_first, prepared
    )
    carry = structures.Carry(
        memory, self._latents.draw(self.prior(output), seed)
    )
    return self.state(output, carry), carry

  def state(
      self, output: tf.Tensor, carry: structures.Carry
  ) -> structures.State:
    """Returns the part of a step that networks may see.

    Args:
      output: h_t, float32 [..., D].
      carry: From step t, the same batch axes.
    """
    hidden = self._sequence_model.hidden(carry.memory)
    return structures.State(output, carry.latent, hidden)

  # Sequences ----------------------------------------------------------------

  def observe(self, experience: structures.Experience, seed: Any) -> Observed:
    """Runs the model along a batch of sequences.

    In parallel over time; with the recurrent posterior, all but encoder and
    prior in a loop over it (`inference`).

    Args:
      experience: [B, T].
      seed: Of the draws of the latents, one of `draws`; with the non-recurrent
        posterior also as TFP takes them.
    """
    return self.observe_embedded(
        self.embed(experience.observation), experience, seed
    )

  def observe_embedded(
      self, embedding: tf.Tensor, experience: structures.Experience, seed: Any
  ) -> Observed:
    """Runs the model along sequences whose observations are embedded already.

    Args:
      embedding: e_t, float32 [B, T, E].
      experience: [B, T]; its observations are not read.
      seed: As for `observe`.
    """
    output, carry, posterior = self._inference.sequence(
        embedding, experience, seed
    )
    state = self.state(output, carry)
    return Observed(state, carry, posterior, self.prior(output))
