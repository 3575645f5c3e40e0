"""One-hot categorical variables with straight-through samples.

The latents of the world model and the discrete actions of the actor. A sample
is one-hot in the forward pass and passes its gradient to the probabilities in
the backward pass (DreamerV2, arXiv 2010.02193, algorithm 1). A share of the
uniform distribution is mixed in, so that no class ever has probability zero
and the KL between two such distributions stays bounded.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import samplers

tfd = tfp.distributions


class UnimixOneHotCategorical(tfd.OneHotCategorical):
  """(1 - unimix) softmax(logits) + unimix / K, straight-through samples."""

  def __init__(
      self,
      logits: tf.Tensor,
      unimix: float = 0.01,
      name: str = 'UnimixOneHotCategorical',
  ):
    """Builds the distribution.

    Args:
      logits: float32 [..., K], unnormalised.
      unimix: The share of the uniform distribution, in [0, 1).
      name: A name for the operations.
    """
    parameters = dict(locals())
    logits = tf.convert_to_tensor(logits)
    classes = logits.shape[-1]
    if unimix:
      probabilities = (1 - unimix) * tf.nn.softmax(logits) + unimix / classes
      logits = tf.math.log(probabilities)
    else:
      logits = tf.nn.log_softmax(logits)
    self._unimix = unimix
    super().__init__(logits=logits, dtype=logits.dtype, name=name)
    # What copies and slices are made from: the mixed logits, not mixed again.
    self._parameters = dict(parameters, logits=logits, unimix=0.0)

  @classmethod
  def _parameter_properties(cls, dtype, num_classes=None):
    return dict(
        logits=tfp.util.ParameterProperties(event_ndims=1),
        unimix=tfp.util.ParameterProperties(event_ndims=None),
    )

  @property
  def unimix(self) -> float:
    """The share of the uniform distribution."""
    return self._unimix

  def _sample_n(self, n, seed=None):
    # By the inverse of the cumulative distribution: one uniform number a
    # variable instead of one a class, and no logarithms.
    probabilities = self.probs_parameter()
    classes = probabilities.shape[-1]
    below = tf.linalg.matmul(
        tf.stop_gradient(probabilities),
        tf.constant(np.triu(np.ones((classes, classes)), 1), self.dtype),
    )
    shape = tf.concat([[n], tf.shape(probabilities)[:-1], [1]], 0)
    threshold = samplers.uniform(shape, dtype=self.dtype, seed=seed)
    # The last class whose lower edge is at most the threshold. One without
    # probability is none, though rounding may leave its edge below 1.
    reached = (below <= threshold) & (probabilities > 0)
    index = tf.reduce_max(tf.where(reached, tf.range(classes), 0), -1)
    hard = tf.one_hot(index, classes, dtype=self.dtype)
    return hard + (probabilities - tf.stop_gradient(probabilities))


def one_hot_groups(logits: tf.Tensor, unimix: float) -> tfd.Independent:
  """Independent one-hot variables as one event of shape [G, K].

  Args:
    logits: float32 [..., G, K].
    unimix: The share of the uniform distribution.

  Returns:
    A distribution with event shape [G, K]; `log_prob`, `entropy` and KL are
    summed over the groups.
  """
  return tfd.Independent(
      UnimixOneHotCategorical(logits, unimix), reinterpreted_batch_ndims=1
  )
