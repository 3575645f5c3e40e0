"""Tests of r2i_tf.world_model.inference: what a posterior sees, and draws."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf import draws
from tests.world_model import small

_VECTOR = tf.TensorSpec([3], tf.float32)
_RESETS = [[1, 0, 0, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 1, 0]]
_KEY = [1, 2]
_KINDS = list(agent_config.SequenceModelKind)
_RECURRENT = agent_config.Posterior.RECURRENT
_NON_RECURRENT = agent_config.Posterior.NON_RECURRENT


def _observe(model, experience, seed):
  """Compiled, as in a train step: states, carries, the posterior's chances."""

  @tf.function(jit_compile=True, autograph=False)
  def observe():
    observed = model.observe(experience, seed)
    chances = observed.posterior.distribution.probs_parameter()
    return observed.state, observed.carry, chances

  return observe()


def test_each_kind_has_its_published_posterior():
  """R2I's sees the observation alone, DreamerV3's its memory as well."""
  for kind, posterior in (
      (agent_config.SequenceModelKind.S3M, _NON_RECURRENT),
      (agent_config.SequenceModelKind.GRU, _RECURRENT),
  ):
    config = small.config(kind=kind)
    named = dataclasses.replace(config, posterior=posterior)
    assert config.posterior is None
    assert config.has_recurrent_posterior == named.has_recurrent_posterior


@pytest.mark.parametrize('kind', _KINDS)
@pytest.mark.parametrize('posterior', agent_config.Posterior)
def test_what_a_posterior_hangs_on(kind, posterior):
  """The recurrent one on all observations of its episode until now, and no
  others; the other one on that of its step alone.
  """
  model = small.model(_VECTOR, kind=kind, posterior=posterior)
  experience = small.experience(_VECTOR, _RESETS)

  @tf.function(jit_compile=True, autograph=False)
  def blame(t):
    with tf.GradientTape() as tape:
      tape.watch(experience.observation)
      observed = model.observe(experience, draws.Seed(_KEY))
      logits = observed.posterior.distribution.logits
      loss = tf.reduce_sum(tf.gather(logits, t, axis=1)[..., 0])
    gradient = tape.gradient(loss, experience.observation)
    return tf.reduce_any(gradient != 0, -1)

  for t in range(8):
    expected = np.zeros([2, 8], bool)
    for b, resets in enumerate(_RESETS):
      first = max(i for i in range(t + 1) if resets[i])
      expected[b, (first if posterior is _RECURRENT else t) : t + 1] = True
    np.testing.assert_array_equal(blame(tf.constant(t)), expected)


@pytest.mark.parametrize('kind', _KINDS)
def test_one_pass_draws_as_the_other_would(kind):
  """The draw of (b, t) takes the same number with either posterior.

  So the latents of the loop are those of its posteriors at these numbers.
  """
  model = small.model(_VECTOR, kind=kind, posterior=_RECURRENT)
  experience = small.experience(_VECTOR, _RESETS)
  seed = draws.Seed(_KEY)
  state, _, chances = _observe(model, experience, seed)
  numbers = draws.uniform([2, 8, 2, 1], seed).numpy()
  expected = (numbers > np.cumsum(chances, -1)[..., :-1]).sum(-1)
  latent = tf.reshape(state.latent, [2, 8, 2, 3])
  np.testing.assert_array_equal(tf.argmax(latent, -1), expected)
  np.testing.assert_array_equal(tf.reduce_max(latent, -1), np.ones([2, 8, 2]))


@pytest.mark.parametrize('kind', _KINDS)
def test_the_parts_of_a_batch_draw_as_the_whole(kind):
  """Each replica's sequences have the latents of one replica with all."""
  model = small.model(_VECTOR, kind=kind, posterior=_RECURRENT)
  experience = small.experience(_VECTOR, _RESETS)
  whole, _, _ = _observe(model, experience, draws.Seed(_KEY))
  for part in range(2):
    of_part = tf.nest.map_structure(
        lambda x, part=part: x[part : part + 1], experience
    )
    state, _, _ = _observe(model, of_part, draws.Seed(_KEY, part))
    tf.nest.map_structure(
        lambda a, b, part=part: np.testing.assert_allclose(
            a[0], b[part], atol=1e-6
        ),
        state,
        whole,
    )


@pytest.mark.parametrize('kind', _KINDS)
def test_loop_and_steps_draw_the_same_modes(kind, monkeypatch):
  """With the most likely latents, the loop is `observe_step` repeated."""
  model = small.model(_VECTOR, kind=kind, posterior=_RECURRENT)
  experience = small.experience(_VECTOR, _RESETS)
  monkeypatch.setattr(
      type(model._latents),
      'drawn_with',
      lambda self, distribution, noise: self.mode(distribution),
  )
  states, carries, _ = _observe(model, experience, draws.Seed(_KEY))
  carry = tf.nest.map_structure(lambda x: x + 9, model.initial(2))
  for t in range(8):
    state, carry = model.observe_step(
        carry,
        experience.previous_action[:, t],
        experience.observation[:, t],
        experience.is_first[:, t],
    )
    tf.nest.map_structure(
        lambda a, b, t=t: np.testing.assert_allclose(a, b[:, t], atol=1e-5),
        (state, carry),
        (states, carries),
    )
