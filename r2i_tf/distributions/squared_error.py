"""A Gaussian of fixed width up to a constant: the squared-error decoders."""

from typing import Optional

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from r2i_tf.distributions.symlog import symexp
from r2i_tf.distributions.symlog import symlog


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

    Raises:
      ValueError: `location` is not floating, or has fewer axes than an event.
    """
    parameters = dict(locals())
    self._location = tf.convert_to_tensor(location)
    if not self._location.dtype.is_floating:
      raise ValueError(
          f'location has dtype {self._location.dtype.name}; it must be'
          ' floating.'
      )
    if not 0 <= event_ndims <= (self._location.shape.rank or 0):
      raise ValueError(
          f'event_ndims is {event_ndims}; with location of shape'
          f' {self._location.shape} it must be between 0 and its rank.'
      )
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

  @property
  def location(self) -> tf.Tensor:
    """The prediction of f(y), [..., event]."""
    return self._location

  def transformed(self, value: tf.Tensor) -> tf.Tensor:
    """Returns f(value), which the location predicts.

    Args:
      value: y, any shape.
    """
    return symlog(value) if self._in_symlog else value

  @classmethod
  def _parameter_properties(
      cls, dtype: tf.DType, num_classes: Optional[int] = None
  ) -> dict[str, tfp.util.ParameterProperties]:
    return dict(
        location=tfp.util.ParameterProperties(event_ndims=None),
        event_ndims=tfp.util.ParameterProperties(event_ndims=None),
        in_symlog=tfp.util.ParameterProperties(event_ndims=None),
    )

  def _event_shape(self) -> tf.TensorShape:
    return self._location.shape[self._location.shape.rank - self._event_ndims :]

  def _event_shape_tensor(self) -> tf.Tensor:
    return tf.shape(self._location)[
        tf.rank(self._location) - self._event_ndims :
    ]

  def _batch_shape(self) -> tf.TensorShape:
    return self._location.shape[: self._location.shape.rank - self._event_ndims]

  def _batch_shape_tensor(self) -> tf.Tensor:
    return tf.shape(self._location)[
        : tf.rank(self._location) - self._event_ndims
    ]

  def _mean(self) -> tf.Tensor:
    return symexp(self._location) if self._in_symlog else self._location

  def _mode(self) -> tf.Tensor:
    return self._mean()

  def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
    if self._event_ndims:
      event_shape = value.shape[-self._event_ndims :]
      if not event_shape.is_compatible_with(self._event_shape()):
        raise ValueError(
            f'value has shape {value.shape}; it must end in the shape of an'
            f' event, {self._event_shape()}.'
        )
    target = self.transformed(value)
    axes = list(range(-self._event_ndims, 0))
    return -tf.reduce_sum(
        tf.math.squared_difference(target, self._location), axes
    )
