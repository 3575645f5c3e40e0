"""Tests of r2i_tf.world_model.world_model, for both sequence models."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from r2i_tf import config as agent_config
from r2i_tf import distributions
from r2i_tf import draws
from r2i_tf.world_model import WorldModel
from r2i_tf.world_model import imagination
from r2i_tf.world_model import latents
from r2i_tf.world_model import losses
from tests.world_model import small

_VECTOR = tf.TensorSpec([3], tf.float32)
_RESETS = [[1, 0, 0, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 1, 0]]
_SEED = draws.Seed([1, 2])
_VARIANTS = {
    f'{kind.value}-{posterior.value}': {'kind': kind, 'posterior': posterior}
    for kind in agent_config.SequenceModelKind
    for posterior in agent_config.Posterior
}
_EVERY_VARIANT = pytest.mark.parametrize(
    'variant', _VARIANTS.values(), ids=_VARIANTS
)


@pytest.fixture(name='smooth_latents')
def _smooth_latents(monkeypatch):
  """Latents are the probabilities: no chance, and no steps in the way."""

  def sample(self, distribution, noise):
    del self, noise
    probs = distribution.distribution.probs_parameter()
    return tf.reshape(probs, [*probs.shape[:-2], -1])

  monkeypatch.setattr(latents.Latents, 'drawn_with', sample)


@pytest.fixture(name='model', params=_VARIANTS.values(), ids=_VARIANTS)
def _model(request):
  return small.model(_VECTOR, **request.param)


def _close(actual, expected, atol=1e-5):
  tf.nest.map_structure(
      lambda a, b: np.testing.assert_allclose(a, b, atol=atol),
      actual,
      expected,
  )


def _at(nest, *index):
  return tf.nest.map_structure(lambda x: x[index], nest)


@pytest.mark.usefixtures('smooth_latents')
def test_parallel_and_step_forms_agree(model):
  """The agent acts on the states that it was trained on, resets included."""
  experience = small.experience(_VECTOR, _RESETS)
  observed = model.observe(experience, _SEED)
  carry = tf.nest.map_structure(lambda x: 9 * tf.ones_like(x), model.initial(2))
  for t in range(8):
    step = model.observe_step(
        carry,
        experience.previous_action[:, t],
        experience.observation[:, t],
        experience.is_first[:, t],
        model.latent_noise(2),
    )
    _close(step, _at((observed.state, observed.carry), slice(None), t))
    _, carry = step
  # The states tell time apart: memory, not only the present observation.
  repeated = experience._replace(
      observation=tf.ones_like(experience.observation),
      previous_action=tf.ones_like(experience.previous_action),
  )
  output = model.observe(repeated, _SEED).state.output
  assert np.all(np.abs(output[:, 1] - output[:, 2]).max(-1) > 1e-3)


@pytest.mark.usefixtures('smooth_latents')
def test_nothing_passes_from_episode_to_episode(model):
  """Neither observations nor actions nor latents reach the next episode."""
  experience = small.experience(_VECTOR, _RESETS)
  before = model.observe(experience, _SEED).state
  # In the first sequence, all of the first episode; and the actions that
  # stand at first steps, which belong to no step at all.
  observation = experience.observation.numpy()
  observation[0, :3] += 1
  action = experience.previous_action.numpy()
  action[0, :3] -= 1
  action[experience.is_first.numpy()] = 5
  after = model.observe(
      experience._replace(
          observation=tf.constant(observation),
          previous_action=tf.constant(action),
      ),
      _SEED,
  ).state
  _close(_at(after, 0, slice(3, None)), _at(before, 0, slice(3, None)), 0)
  _close(_at(after, 1), _at(before, 1), 0)
  assert np.abs(after.output[0, 2] - before.output[0, 2]).max() > 1e-3


@pytest.mark.usefixtures('smooth_latents')
def test_no_gradient_passes_from_episode_to_episode(model):
  """Of the inputs before a reset, none is blamed for a step after it."""
  experience = small.experience(_VECTOR, _RESETS)
  with tf.GradientTape() as tape:
    tape.watch(experience.observation)
    states = model.observe(experience, _SEED).state
    loss = tf.reduce_sum(states.output[1, 6:]) + tf.reduce_sum(
        states.output[0, 5]
    )
  gradient = np.abs(tape.gradient(loss, experience.observation)).max(-1)
  np.testing.assert_array_equal(gradient[0, :4], 0)
  np.testing.assert_array_equal(gradient[1, :6], 0)
  assert gradient[0, 4] > 1e-7 and gradient[1, 6] > 1e-7


@_EVERY_VARIANT
def test_gradients_of_a_new_model_are_of_usual_size(variant):
  """Nothing precedes a first step: no LayerNorm may blow up those zeros.

  Clipped, one such gradient would leave nothing of the others, and its square
  would hold up Adam for thousands of steps.
  """
  tf.keras.utils.set_random_seed(1)
  model = WorldModel(_VECTOR, 2, small.config(layers=4, **variant))
  experience = small.experience(_VECTOR, _RESETS)
  with tf.GradientTape() as tape:
    loss, _, _ = losses.loss(model, experience, _SEED)
  gradients = tape.gradient(
      loss, model.trainable_variables, unconnected_gradients='zero'
  )
  assert tf.linalg.global_norm(gradients) < 100


def test_step_form_ignores_the_past_at_a_first_step(model):
  """An episode starts from the initial state, not from what was carried."""
  observation = tf.ones([2, 3])
  carry = tf.nest.map_structure(
      lambda x: tf.random.stateless_normal(x.shape, [1, 2]),
      model.initial(2),
  )
  first = tf.ones([2], tf.bool)
  noise = model.latent_noise(2)
  carried = model.observe_step(
      carry, tf.ones([2, 2]), observation, first, noise
  )
  fresh = model.observe_step(
      model.initial(2), tf.zeros([2, 2]), observation, first, noise
  )
  _close(carried, fresh, 0)


@pytest.mark.parametrize('policy_input', agent_config.PolicyInput)
def test_imagination_is_repeated_steps(model, policy_input):
  """The compiled loop imagines what single steps imagine, draw for draw.

  Whatever the policy sees, reward and continuation are those of its states.
  """
  seen = model.policy_features(policy_input)
  observed = model.observe(small.experience(_VECTOR, _RESETS), _SEED)
  state, carry = _at((observed.state, observed.carry), slice(None), 3)

  def policy(features, seed):
    noise = draws.normal(tf.shape(features[:, :2]), seed)
    return tf.tanh(features[:, :2] + noise)

  seed = draws.Seed([5, 6])
  imagined = tf.function(
      lambda output, carry: imagination.imagine(
          model, output, carry, policy, seen, 4, seed
      ),
      autograph=False,
  )(state.output, carry)
  assert imagined.action.shape == (4, 2, 2)
  for t in range(4):
    action = policy(seen.of(state), draws.fold_in(seed, 2 * t))
    _close(imagined.features[t], seen.of(state))
    _close(imagined.action[t], action)
    state, carry = model.imagine_step(
        carry, action, draws.fold_in(seed, 2 * t + 1)
    )
    features = tf.concat([state.output, state.latent], -1)
    np.testing.assert_allclose(
        imagined.reward[t],
        model.reward(features).mean(),
        rtol=1e-5,
        atol=1e-5,
    )
    _close(imagined.continuation[t], model.continuation(features).mean())
  _close(imagined.last_features, seen.of(state))


def test_imagination_draws_from_the_prior(model):
  """Imagined latents are one-hot, and differ from start to start."""
  observed = model.observe(small.experience(_VECTOR, _RESETS), _SEED)
  output, carry = tf.nest.map_structure(
      lambda x: tf.repeat(x[:1, 3], 50, 0),
      (observed.state.output, observed.carry),
  )
  zeros = tf.zeros([50, 2])
  imagined = imagination.imagine(
      model,
      output,
      carry,
      lambda features, seed: zeros,
      model.features,
      2,
      draws.Seed([5, 6]),
  )
  output, _ = tf.split(imagined.features[1], [8, 6], -1)
  latent = tf.stack([imagined.features[1], imagined.last_features])[..., 8:]
  latent = tf.reshape(latent, [2, 50, 2, 3]).numpy()
  np.testing.assert_array_equal(latent.sum(-1), 1)
  probs = model.prior(output).distribution.probs_parameter()
  # All share one prior at the first imagined step.
  np.testing.assert_allclose(
      latent[0].mean(0), probs[0], atol=4.5 * np.sqrt(0.25 / 50)
  )


def _gradient(model, experience, name, variables):
  with tf.GradientTape() as tape:
    _, _, metrics = losses.loss(model, experience, _SEED)
    loss = metrics[f'world_model/{name}_loss']
  return tape.gradient(
      loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
  )


def _greatest(gradients):
  return max(float(tf.reduce_max(tf.abs(g))) for g in gradients)


def test_kl_direction():
  """Dynamics moves the prior alone; representation the posterior alone."""
  model = small.model(
      _VECTOR, dynamics_free_nats=0.0, representation_free_nats=0.0
  )
  # First steps only: else the prior hangs on the latents of the step before.
  experience = small.experience(_VECTOR, np.ones([2, 8]))
  posterior = model._posterior.trainable_variables
  prior = model._prior.trainable_variables
  assert _greatest(_gradient(model, experience, 'dynamics', posterior)) == 0
  assert _greatest(_gradient(model, experience, 'dynamics', prior)) > 1e-4
  assert _greatest(_gradient(model, experience, 'representation', prior)) == 0
  assert (
      _greatest(_gradient(model, experience, 'representation', posterior))
      > 1e-4
  )


@pytest.mark.parametrize('free_nats', [0.0, 1.45, 50.0])
def test_losses_match_reference(free_nats):
  """Each loss is its formula, of the distributions that the model gives."""
  model = small.model(
      _VECTOR,
      dynamics_free_nats=free_nats,
      representation_free_nats=free_nats / 2,
  )
  experience = small.experience(_VECTOR, _RESETS)
  total, observed, metrics = losses.loss(model, experience, _SEED)
  states, _, posterior, prior = observed
  q = posterior.distribution.probs_parameter().numpy().astype(np.float64)
  p = prior.distribution.probs_parameter().numpy().astype(np.float64)
  kl = (q * np.log(q / p)).sum((-1, -2))
  features = tf.concat([states.output, states.latent], -1)
  [(decoded, _)] = model.decode(features)
  target = np.sign(experience.observation) * np.log1p(
      np.abs(experience.observation)
  )
  reconstruction = ((decoded.location - target) ** 2).numpy().sum(-1)
  reward = model.reward(features).log_prob(experience.reward)
  chance = model.continuation(features).probs_parameter().numpy()
  chance = np.where(experience.terminal, 1 - chance, chance)
  expected = {
      'reconstruction': reconstruction.mean(),
      'reward': -np.mean(reward),
      'continuation': -np.log(chance).mean(),
      'dynamics': np.maximum(kl, free_nats).mean(),
      'representation': np.maximum(kl, free_nats / 2).mean(),
  }
  for name, value in expected.items():
    np.testing.assert_allclose(
        metrics[f'world_model/{name}_loss'], value, rtol=1e-4, err_msg=name
    )
  np.testing.assert_allclose(metrics['world_model/kl'], kl.mean(), rtol=1e-4)
  share = np.mean(kl < free_nats)
  np.testing.assert_allclose(metrics['world_model/free_share'], share)
  scales = {'dynamics': 0.5, 'representation': 0.1}
  expected_total = sum(v * scales.get(k, 1) for k, v in expected.items())
  np.testing.assert_allclose(total, expected_total, rtol=1e-4)
  if free_nats == 1.45:
    assert kl.min() < free_nats < kl.max()  # Or the case tests nothing.


def test_free_nats_are_free():
  """A KL below its own free nats pulls at nothing."""
  model = small.model(_VECTOR, dynamics_free_nats=50.0)
  experience = small.experience(_VECTOR, _RESETS)
  greatest = {
      name: _greatest(
          _gradient(model, experience, name, model.trainable_variables)
      )
      for name in ('dynamics', 'representation')
  }
  assert greatest['dynamics'] == 0 < greatest['representation']


def _loss_and_gradients(model, experience, weights=None):
  with tf.GradientTape() as tape:
    loss, _, metrics = losses.loss(model, experience, _SEED, weights)
  variables = model.trainable_variables
  return loss, metrics, tape.gradient(loss, variables)


def test_masked_steps_teach_nothing(model):
  """Whatever stands at padding, NaN included, no loss or gradient sees it."""
  experience = small.experience(_VECTOR, _RESETS)
  mask = np.ones([2, 8], bool)
  mask[0, 1:3] = False
  mask[1, 4:6] = False
  experience = experience._replace(is_valid=tf.constant(mask))

  def fill(x, value):
    x = x.numpy()
    x[~mask] = value
    return tf.constant(x)

  zeros, nans = (
      experience._replace(
          observation=fill(experience.observation, value),
          previous_action=fill(experience.previous_action, value),
          reward=fill(experience.reward, value),
          terminal=fill(experience.terminal, not value),
      )
      for value in (0.0, np.nan)
  )
  expected = _loss_and_gradients(model, zeros)
  assert all(np.all(np.isfinite(g)) for g in expected[2])
  _close(_loss_and_gradients(model, nans), expected)


def test_unknown_outcomes_teach_nothing():
  """Where reward and end are unknown, all else is still learned from."""
  model = small.model(_VECTOR)
  experience = small.experience(_VECTOR, _RESETS)
  known = np.ones([2, 8], bool)
  known[:, 0] = False
  experience = experience._replace(outcome_known=tf.constant(known))
  reward = experience.reward.numpy()
  reward[:, 0] = np.nan
  terminal = experience.terminal.numpy()
  terminal[:, 0] = ~terminal[:, 0]
  changed = experience._replace(
      reward=tf.constant(reward), terminal=tf.constant(terminal)
  )
  expected = _loss_and_gradients(model, experience)
  _close(_loss_and_gradients(model, changed), expected)
  observation = experience.observation.numpy()
  observation[:, 0] += 1
  moved = experience._replace(observation=tf.constant(observation))
  reconstruction = 'world_model/reconstruction_loss'
  assert (
      _loss_and_gradients(model, moved)[1][reconstruction]
      != expected[1][reconstruction]
  )


def test_nothing_valid():
  """A batch of padding alone gives a loss of zero and no NaN."""
  model = small.model(_VECTOR)
  experience = small.experience(_VECTOR, _RESETS)
  experience = experience._replace(is_valid=tf.zeros([2, 8], tf.bool))
  loss, _, gradients = _loss_and_gradients(model, experience)
  assert loss == 0
  assert _greatest(gradients) == 0


def test_weights():
  """A sequence counts as much as its weight says; 0 takes it out."""
  model = small.model(_VECTOR)
  experience = small.experience(_VECTOR, _RESETS)
  plain, _, _ = _loss_and_gradients(model, experience)
  one, _, _ = _loss_and_gradients(model, experience, tf.constant([1.0, 0.0]))
  two, _, _ = _loss_and_gradients(model, experience, tf.constant([0.0, 1.0]))
  np.testing.assert_allclose(one + two, plain, rtol=1e-5)
  doubled, _, _ = _loss_and_gradients(model, experience, tf.constant(2.0))
  np.testing.assert_allclose(doubled, 2 * plain, rtol=1e-5)


def test_latents_are_straight_through():
  """Losses after the latents reach the encoder."""
  model = small.model(_VECTOR)
  experience = small.experience(_VECTOR, _RESETS)
  encoder = model._encoder.trainable_variables
  for name in ('reconstruction', 'reward', 'continuation', 'dynamics'):
    gradients = _gradient(model, experience, name, encoder)
    assert _greatest(gradients) > 1e-6, name


@_EVERY_VARIANT
def test_every_variable_learns(variant):
  """No variable is left out of the loss or of the optimisers' groups."""
  model = small.model(
      _VECTOR, dynamics_free_nats=0.0, representation_free_nats=0.0, **variant
  )
  groups = model.other_variables
  for group in model.parameter_groups:
    groups += group.variables
  assert len(groups) == len(model.trainable_variables)
  assert len({v.ref() for v in groups}) == len(groups)
  _, _, gradients = _loss_and_gradients(
      model, small.experience(_VECTOR, _RESETS)
  )
  for variable, gradient in zip(model.trainable_variables, gradients):
    assert gradient is not None and np.any(gradient), variable.name


def test_stopped_posterior_is_the_posterior():
  """The held side of a KL is the same distribution, not mixed again."""
  logits = tf.random.stateless_normal([4, 2, 3], [1, 2])
  posterior = distributions.one_hot_groups(logits, 0.3)
  held = latents.held(posterior)
  np.testing.assert_allclose(
      tfp.distributions.kl_divergence(posterior, held), np.zeros(4), atol=1e-6
  )
