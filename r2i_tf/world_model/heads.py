"""The predictions of the world model beside the observation.

A head is one entry in `create`: a network on (h_t, z_t), the distribution that
its outputs stand for, the target, the steps at which that is known, and the
scale of its loss.
"""

from collections.abc import Callable

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from r2i_tf import config as agent_config
from r2i_tf import distributions
from r2i_tf import networks
from r2i_tf.world_model import structures

OfExperience = Callable[[structures.Experience], tf.Tensor]


class PredictionHead(tf.Module):
  """p(target_t | z_t, h_t), learned by maximum likelihood.

  Attributes:
    scale: Weight of its loss.
  """

  def __init__(
      self,
      network: networks.Head,
      distribution: Callable[[tf.Tensor], tfd.Distribution],
      target: OfExperience,
      mask: OfExperience,
      scale: float = 1.0,
  ):
    """Joins the parts of a head.

    Args:
      network: float32 features [..., F] to raw outputs [..., size].
      distribution: Raw outputs to a distribution over scalars, batch [...].
      target: Experience to the values to predict, float32 [B, T].
      mask: Experience to where the target is known, bool [B, T].
      scale: Weight of the loss.
    """
    super().__init__(name=network.name)
    self._network = network
    self._distribution = distribution
    self._target = target
    self._mask = mask
    self.scale = scale

  def __call__(self, features: tf.Tensor) -> tfd.Distribution:
    """Returns the distribution over the target, batch [...].

    Args:
      features: float32 [..., F].
    """
    return self._distribution(self._network(features))

  def loss(
      self, features: tf.Tensor, experience: structures.Experience
  ) -> tf.Tensor:
    """Returns -ln p(target_t | features_t), float32 [B, T].

    Args:
      features: float32 [B, T, F].
      experience: [B, T].
    """
    return -self(features).log_prob(self._target(experience))

  def mask(self, experience: structures.Experience) -> tf.Tensor:
    """Returns where the target is known, so that the loss counts.

    Args:
      experience: [B, T].

    Returns:
      bool [B, T].
    """
    return self._mask(experience)


def create(
    config: agent_config.WorldModelConfig, options: networks.LayerOptions
) -> dict[str, PredictionHead]:
  """Returns the heads by the names of their losses.

  Args:
    config: Their sizes.
    options: Of the layers.
  """
  return {
      'reward': PredictionHead(
          networks.Head(
              config.reward_head,
              config.bins,
              options,
              output_scale=0.0,
              name='reward',
          ),
          distributions.SymlogTwoHot,
          target=lambda experience: experience.reward,
          mask=_outcome_known,
      ),
      'continuation': PredictionHead(
          networks.Head(
              config.continuation_head, 1, options, name='continuation'
          ),
          _bernoulli,
          target=lambda e: 1 - tf.cast(e.terminal, tf.float32),
          mask=_outcome_known,
      ),
  }


def _bernoulli(raw: tf.Tensor) -> tfd.Distribution:
  return tfd.Bernoulli(logits=raw[..., 0], dtype=tf.float32)


def _outcome_known(experience: structures.Experience) -> tf.Tensor:
  return experience.is_valid & experience.outcome_known
