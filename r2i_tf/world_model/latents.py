"""The latent z_t: from a network's outputs to a distribution, and to a draw.

It is a few one-hot groups [G, K]; networks and carries see them end to end.
"""

import dataclasses
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from r2i_tf import config as agent_config
from r2i_tf import distributions
from r2i_tf import draws
from r2i_tf import networks


@dataclasses.dataclass(frozen=True)
class Latents:
  """The kind of latents that a world model has; it has no variables.

  Attributes:
    config: Groups (G), classes (K) and the share of the uniform distribution.
  """

  config: agent_config.LatentConfig

  @property
  def size(self) -> int:
    """G * K, how many numbers a latent has."""
    return self.config.groups * self.config.classes

  def distribution(self, logits: tf.Tensor) -> tfd.Distribution:
    """Returns one-hot groups, event [G, K].

    Args:
      logits: float32 [..., G * K], the outputs of a network.
    """
    shape = [self.config.groups, self.config.classes]
    grouped = networks.with_batch_of(logits, 1, logits, shape)
    return distributions.one_hot_groups(grouped, self.config.unimix)

  def draw(self, distribution: tfd.Independent, seed: Any) -> tf.Tensor:
    """Returns a draw, float32 [..., G * K], with a gradient to the logits.

    Args:
      distribution: Of the method `distribution`.
      seed: One of `draws`, or as TFP takes them.
    """
    groups = distribution.distribution
    if isinstance(seed, draws.Seed):
      noise = self.noise(tf.shape(groups.logits)[:-2], seed)
      return self.drawn_with(distribution, noise)
    return self._flat(groups.sample(seed=seed))

  def noise(self, batch_shape: tf.Tensor, seed: draws.Seed) -> tf.Tensor:
    """Returns the numbers that a draw takes, float32 [..., G, 1].

    Args:
      batch_shape: Of the latents, int32 vector.
      seed: Of the draw.
    """
    shape = tf.concat([batch_shape, [self.config.groups, 1]], 0)
    return draws.uniform(shape, seed)

  def drawn_with(
      self, distribution: tfd.Independent, noise: tf.Tensor
  ) -> tf.Tensor:
    """Returns the draw that belongs to some numbers, as `draw` does.

    Args:
      distribution: Of the method `distribution`.
      noise: Of the method `noise`.
    """
    return self._flat(distribution.distribution.sample_at(noise))

  def mode(self, distribution: tfd.Independent) -> tf.Tensor:
    """Returns the most likely latent, float32 [..., G * K].

    Args:
      distribution: Of the method `distribution`.
    """
    return self._flat(distribution.mode())

  def _flat(self, latent: tf.Tensor) -> tf.Tensor:
    """Returns the groups end to end, [..., G, K] -> [..., G * K]."""
    return networks.with_batch_of(latent, 2, latent, [self.size])


def held(distribution: tfd.Independent) -> tfd.Independent:
  """Returns the same latents, with no gradient to their logits.

  Args:
    distribution: Of `Latents.distribution`.
  """
  logits = tf.stop_gradient(distribution.distribution.logits)
  return distributions.one_hot_groups(logits, unimix=0.0)
