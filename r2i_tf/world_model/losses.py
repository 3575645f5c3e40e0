"""The world model's loss (arXiv 2403.04253, section 3).

Reconstruction and heads by maximum likelihood, and the KL between posterior and
prior twice, each side held fixed once, each free below its free nats.
"""

from collections.abc import Mapping
from typing import Any, Optional

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from r2i_tf.world_model import latents
from r2i_tf.world_model import masking
from r2i_tf.world_model import structures
from r2i_tf.world_model.world_model import Observed
from r2i_tf.world_model.world_model import WorldModel


def counts(
    model: WorldModel, experience: structures.Experience
) -> dict[str, tf.Tensor]:
  """Returns how many steps each mean of `loss` is over, float32 scalars.

  Args:
    model: The world model.
    experience: [B, T].
  """
  masks = {'steps': experience.is_valid}
  masks.update((name, h.mask(experience)) for name, h in model.heads.items())
  return {name: masking.count(mask) for name, mask in masks.items()}


def loss(
    model: WorldModel,
    experience: structures.Experience,
    seed: Any,
    weights: Optional[tf.Tensor] = None,
    counts_of_all: Optional[Mapping[str, tf.Tensor]] = None,
) -> tuple[tf.Tensor, Observed, dict[str, tf.Tensor]]:
  """Returns the loss over a batch of sequences.

  Args:
    model: The world model.
    experience: [B, T].
    seed: Of the draws of the latents, as for `WorldModel.observe`.
    weights: None, or float32, scalar or [B], on each sequence's loss.
    counts_of_all: The `counts` of the whole batch, if this is a part of it: the
      sums over the parts, of loss and scalars, are then the means over the
      batch. None takes this for the whole batch.

  Returns:
    The scalar loss, the model's view of the sequences, and scalars to report.
  """
  config = model.config
  experience = masking.blanked(experience)
  if counts_of_all is None:
    counts_of_all = counts(model, experience)
  observed = model.observe(experience, seed)
  posterior, prior = observed.posterior, observed.prior
  features = model.features.of(observed.state)
  fixed_posterior = latents.held(posterior)
  fixed_prior = latents.held(prior)
  dynamics = tfd.kl_divergence(fixed_posterior, prior)
  representation = tfd.kl_divergence(posterior, fixed_prior)
  valid = experience.is_valid
  reconstruction = -model.decoder.log_prob(features, experience.observation)
  steps = (valid, counts_of_all['steps'])
  # (loss [B, T], where it counts, how many do, its scale)
  losses = {
      'reconstruction': (reconstruction, *steps, 1.0),
      **{
          name: (
              head.loss(features, experience),
              head.mask(experience),
              counts_of_all[name],
              head.scale,
          )
          for name, head in model.heads.items()
      },
      'dynamics': (
          tf.maximum(dynamics, config.dynamics_free_nats),
          *steps,
          config.dynamics_scale,
      ),
      'representation': (
          tf.maximum(representation, config.representation_free_nats),
          *steps,
          config.representation_scale,
      ),
  }
  if weights is not None:
    weights = tf.reshape(tf.cast(weights, tf.float32), [-1, 1])
  total, metrics = 0.0, {}
  for name, (each, mask, count, scale) in losses.items():
    mean = masking.masked_mean(each, mask, count, weights)
    metrics[f'world_model/{name}_loss'] = mean
    total += scale * mean
  metrics['world_model/loss'] = total
  for name, values in {
      'kl': dynamics,
      # Where nothing teaches the prior.
      'free_share': tf.cast(dynamics < config.dynamics_free_nats, tf.float32),
      'prior_entropy': prior.entropy(),
      'posterior_entropy': posterior.entropy(),
  }.items():
    metrics[f'world_model/{name}'] = masking.masked_mean(values, *steps)
  return total, observed, metrics
