"""A Gaussian of fixed width up to a constant: the squared-error decoders."""

import tensorflow as tf
import tensorflow_probability as tfp

from r2i_tf.distributions.symlog import symexp
from r2i_tf.distributions.symlog import symlog

tfd = tfp.distributions


class SquaredError(tfd.Distribution):
  """log p(y) = -sum((f(y) - location)^2), with f = symlog or the identity.

  This is the log-density of a normal distribution with variance 1/2 less its
  constant, the reconstruction loss of DreamerV3 (arXiv 2301.04104): vectors
  are compared in symlog space, images as they are.
  """

  def __init__(
      self,
      location: tf.Tensor,
      event_ndims: int,
      in_symlog: bool,
      name: str = 'SquaredError',
  ):
    """Builds the distribution.

    Args:
      location: [..., event], floating.
      event_ndims: How many of the last axes are one event.
      in_symlog: Whether `location` predicts symlog(y) instead of y.
      name: A name for the operations.
    """
    parameters = dict(locals())
    self._location = tf.convert_to_tensor(location)
    self._event_ndims = event_ndims
    self._in_symlog = in_symlog
    super().__init__(
        dtype=self._location.dtype,
        reparameterization_type=tfd.NOT_REPARAMETERIZED,
        validate_args=False,
        allow_nan_stats=True,
        parameters=parameters,
        name=name,
    )

  @classmethod
  def _parameter_properties(cls, dtype, num_classes=None):
    return dict(
        location=tfp.util.ParameterProperties(event_ndims=None),
        event_ndims=tfp.util.ParameterProperties(event_ndims=None),
        in_symlog=tfp.util.ParameterProperties(event_ndims=None),
    )

  def _event_shape(self):
    return self._location.shape[self._location.shape.rank - self._event_ndims :]

  def _event_shape_tensor(self):
    return tf.shape(self._location)[
        tf.rank(self._location) - self._event_ndims :
    ]

  def _batch_shape(self):
    return self._location.shape[: self._location.shape.rank - self._event_ndims]

  def _batch_shape_tensor(self):
    return tf.shape(self._location)[
        : tf.rank(self._location) - self._event_ndims
    ]

  def _mean(self):
    return symexp(self._location) if self._in_symlog else self._location

  def _mode(self):
    return self._mean()

  def _log_prob(self, value):
    target = symlog(value) if self._in_symlog else value
    axes = list(range(-self._event_ndims, 0))
    return -tf.reduce_sum(
        tf.math.squared_difference(target, self._location), axes
    )
