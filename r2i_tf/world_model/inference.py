"""From what is seen to states: memory and latent, step by step or all at once.

  sequence        h_t, m_t = f(m_(t-1), z_(t-1), a_(t-1))
  posterior       z_t ~ q(z_t | e_t)              non-recurrent
                  z_t ~ q(z_t | h_t, e_t)         recurrent

with e_t the embedding of o_t. With the non-recurrent posterior, which is R2I's,
all latents of a sequence are drawn first, and the sequence model runs over them
in parallel. With the recurrent one, which is DreamerV3's (arXiv 2301.04104),
each step waits for the one before. A single step, as acting takes it, is the
same for both.
"""

from collections.abc import Callable
import dataclasses
from typing import Any, NamedTuple, Optional

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from r2i_tf import draws
from r2i_tf import networks
from r2i_tf.world_model import latents as latents_lib
from r2i_tf.world_model import over_time
from r2i_tf.world_model import sequence_models
from r2i_tf.world_model import structures


class Inferred(NamedTuple):
  """What a step leaves.

  Attributes:
    output: h_t, float32 [..., D].
    carry: To the next step, leaves [..., any].
    logits: Of the posterior, float32 [..., G * K].
  """

  output: tf.Tensor
  carry: structures.Carry
  logits: tf.Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Inference:
  """The networks of a world model that make states of embeddings.

  Attributes:
    sequence_model: h_t, m_t = f(m_(t-1), z_(t-1), a_(t-1)).
    posterior: Its input to the logits of q.
    latents: The kind of the latents.
    recurrent: Whether the posterior sees h_t, in front of e_t.
  """

  sequence_model: sequence_models.SequenceModel
  posterior: networks.Head
  latents: latents_lib.Latents
  recurrent: bool

  @property
  def carry_spec(self) -> structures.Carry:
    """A `Carry` of `tf.TensorSpec`, without batch axes."""
    return structures.Carry(
        self.sequence_model.memory_spec,
        tf.TensorSpec([self.latents.size], tf.float32, 'latent'),
    )

  def initial(self, batch_size: Any) -> structures.Carry:
    """Returns the carry into the first step of an episode, leaves [B, ...].

    Args:
      batch_size: B, an int or an int32 scalar.
    """
    return structures.Carry(
        memory=self.sequence_model.initial(batch_size),
        latent=tf.zeros([batch_size, self.latents.size]),
    )

  def logits(
      self, embedding: tf.Tensor, output: Optional[tf.Tensor] = None
  ) -> tf.Tensor:
    """Returns the logits of the posterior, float32 [..., G * K].

    Args:
      embedding: e_t, float32 [..., E].
      output: h_t, float32 [..., D]; the non-recurrent posterior needs none.
    """
    if self.recurrent:
      embedding = tf.concat([output, embedding], -1)
    return self.posterior(embedding)

  def step(
      self,
      carry: structures.Carry,
      action: tf.Tensor,
      embedding: tf.Tensor,
      is_first: tf.Tensor,
      draw: Callable[[tfd.Distribution], tf.Tensor],
      prepared: Any = None,
  ) -> Inferred:
    """Takes in one observation.

    Args:
      carry: From step t - 1, batch [B]; ignored where `is_first`.
      action: float32 [B, A], a_(t-1), encoded; ignored where `is_first`.
      embedding: float32 [B, E], e_t.
      is_first: bool [B].
      draw: Takes a posterior to a latent, float32 [B, G * K].
      prepared: The result of the sequence model's `prepare`, in a loop.
    """
    output, memory = self.remember(carry, action, is_first, prepared)
    logits = self.logits(embedding, output)
    latent = draw(self.latents.distribution(logits))
    return Inferred(output, structures.Carry(memory, latent), logits)

  def remember(
      self,
      carry: structures.Carry,
      action: tf.Tensor,
      is_first: tf.Tensor,
      prepared: Any = None,
  ) -> tuple[tf.Tensor, Any]:
    """Returns h_t, float32 [B, D], and m_t: the part of a step before o_t.

    Args:
      carry: As for `step`, and so are the others.
      action: As there.
      is_first: As there.
      prepared: As there.
    """
    inputs = _mask_first(tf.concat([carry.latent, action], -1), is_first)
    return self.sequence_model.step(inputs, carry.memory, is_first, prepared)

  def sequence(
      self, embedding: tf.Tensor, experience: structures.Experience, seed: Any
  ) -> tuple[tf.Tensor, structures.Carry, tfd.Distribution]:
    """Takes in a batch of sequences, each from the initial memory.

    Args:
      embedding: float32 [B, T, E].
      experience: [B, T]; of it, actions and first steps.
      seed: Of the draws of the latents, one of `draws`; with the non-recurrent
        posterior also as TFP takes them.

    Returns:
      h, float32 [B, T, D], the carry from each step and its posterior.
    """
    if self.recurrent:
      return self._in_turn(embedding, experience, seed)
    return self._in_parallel(embedding, experience, seed)

  def _in_parallel(
      self, embedding: tf.Tensor, experience: structures.Experience, seed: Any
  ) -> tuple[tf.Tensor, structures.Carry, tfd.Distribution]:
    posterior = self.latents.distribution(self.logits(embedding))
    latent = self.latents.draw(posterior, seed)
    previous = tf.concat([tf.zeros_like(latent[:, :1]), latent[:, :-1]], 1)
    inputs = _mask_first(
        tf.concat([previous, experience.previous_action], -1),
        experience.is_first,
    )
    memory = self.sequence_model.initial(tf.shape(inputs)[0])
    output, memory = self.sequence_model(inputs, memory, experience.is_first)
    return output, structures.Carry(memory, latent), posterior

  def _in_turn(
      self,
      embedding: tf.Tensor,
      experience: structures.Experience,
      seed: draws.Seed,
  ) -> tuple[tf.Tensor, structures.Carry, tfd.Distribution]:
    is_first = experience.is_first
    # The numbers of the draws are those of the parallel form: (b, t) has its
    # own, whichever replica works on b.
    noise = self.latents.noise(tf.shape(is_first), seed)
    prepared = self.sequence_model.prepare()

    def step(
        inputs: Any, carry: structures.Carry
    ) -> tuple[Inferred, structures.Carry]:
      action, embedded, first, numbers = inputs
      inferred = self.step(
          carry,
          action,
          embedded,
          first,
          lambda posterior: self.latents.drawn_with(posterior, numbers),
          prepared,
      )
      return inferred, inferred.carry

    output, carry, logits = over_time.run(
        step,
        (experience.previous_action, embedding, is_first, noise),
        self.initial(tf.shape(is_first)[0]),
        Inferred(
            tf.TensorSpec([self.sequence_model.output_size], tf.float32),
            self.carry_spec,
            tf.TensorSpec([self.latents.size], tf.float32),
        ),
    )
    return output, carry, self.latents.distribution(logits)


def _mask_first(x: tf.Tensor, is_first: tf.Tensor) -> tf.Tensor:
  return x * (1 - tf.cast(is_first, x.dtype)[..., tf.newaxis])
