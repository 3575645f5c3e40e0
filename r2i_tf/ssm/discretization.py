"""From a continuous-time state-space model to one step of given length.

A layer learns x'(t) = lambda x(t) + B u(t) and a step length; a sequence needs
x_t = lambda_bar x_(t-1) + B_bar u_t. `discretize` gives the second from the
first, on pairs of real numbers.
"""

import tensorflow as tf

from r2i_tf.ssm import options

# The real and the imaginary part.
_Pair = tuple[tf.Tensor, tf.Tensor]

# Below this abs(z) the series of (exp(z) - 1) / z is exact to float32.
_SERIES_RADIUS = 0.03


def discretize(
    eigenvalues: tf.Tensor,
    b: tf.Tensor,
    step: tf.Tensor,
    method: options.Discretization,
) -> tuple[tf.Tensor, tf.Tensor]:
  """Discretises a diagonal state-space model (S5, arXiv 2208.04933, eq. 6).

  With z = lambda step:

    bilinear: lambda_bar = (1 + z / 2) / (1 - z / 2),
              B_bar = step / (1 - z / 2) B
    zero-order hold: lambda_bar = exp(z),
                     B_bar = step (exp(z) - 1) / z B

  Args:
    eigenvalues: float32 [P, 2], lambda.
    b: float32 [P, H, 2], the input matrix B.
    step: float32 [P, 1], the length of a step, positive.
    method: Which of the two rules.

  Returns:
    lambda_bar, float32 [P, 2], and B_bar, float32 [P, H, 2].

  Raises:
    ValueError: A shape, a dtype or the method is not as above.
  """
  eigenvalues, b, step = _validated(eigenvalues, b, step)
  lambda_bar, (scale_re, scale_im) = factors(eigenvalues, step, method)
  b_re, b_im = _multiply(
      scale_re[:, tf.newaxis], scale_im[:, tf.newaxis], b[..., 0], b[..., 1]
  )
  return tf.stack(lambda_bar, axis=-1), tf.stack([b_re, b_im], axis=-1)


def factors(
    eigenvalues: tf.Tensor, step: tf.Tensor, method: options.Discretization
) -> tuple[_Pair, _Pair]:
  """Returns lambda_bar and the factor s of B_bar = diag(s) B, by `discretize`.

  So that B_bar u = s (B u): for a few u, less work than a B_bar.

  Args:
    eigenvalues: As for `discretize`, and so are the others.
    step: As there.
    method: As there.

  Returns:
    Two pairs of float32 [P].

  Raises:
    ValueError: The method is not as there.
  """
  z_re = eigenvalues[:, 0] * step[:, 0]
  z_im = eigenvalues[:, 1] * step[:, 0]
  if method is options.Discretization.BILINEAR:
    denominator_re = 1.0 - 0.5 * z_re
    denominator_im = -0.5 * z_im
    inverse_re, inverse_im = _reciprocal(denominator_re, denominator_im)
    lambda_re, lambda_im = _multiply(
        inverse_re, inverse_im, 1.0 + 0.5 * z_re, 0.5 * z_im
    )
    scale_re, scale_im = inverse_re, inverse_im
  elif method is options.Discretization.ZERO_ORDER_HOLD:
    lambda_re = tf.exp(z_re) * tf.cos(z_im)
    lambda_im = tf.exp(z_re) * tf.sin(z_im)
    scale_re, scale_im = _exponential_quotient(z_re, z_im)
  else:
    raise ValueError(
        f'method is {method!r}; it must be one of'
        f' {[str(allowed) for allowed in options.Discretization]}.'
    )
  return (lambda_re, lambda_im), (scale_re * step[:, 0], scale_im * step[:, 0])


def _multiply(
    left_re: tf.Tensor,
    left_im: tf.Tensor,
    right_re: tf.Tensor,
    right_im: tf.Tensor,
) -> _Pair:
  return (
      left_re * right_re - left_im * right_im,
      left_re * right_im + left_im * right_re,
  )


def _reciprocal(re: tf.Tensor, im: tf.Tensor) -> _Pair:
  square = re * re + im * im
  return re / square, -im / square


def _exponential_quotient(z_re: tf.Tensor, z_im: tf.Tensor) -> _Pair:
  """(exp(z) - 1) / z, with value and gradient right down to z = 0."""
  is_small = z_re * z_re + z_im * z_im < _SERIES_RADIUS**2
  # The branch not taken must stay finite too, or its gradient is NaN.
  small_re = tf.where(is_small, z_re, 0.0)
  small_im = tf.where(is_small, z_im, 0.0)
  series_re, series_im = tf.ones_like(z_re), tf.zeros_like(z_im)
  for divisor in (4.0, 3.0, 2.0):
    series_re, series_im = _multiply(
        small_re / divisor, small_im / divisor, series_re, series_im
    )
    series_re += 1.0

  large_re = tf.where(is_small, -1.0, z_re)
  large_im = tf.where(is_small, 0.0, z_im)
  # exp(a + ib) - 1, without subtracting numbers that are nearly equal.
  half_sine = tf.sin(0.5 * large_im)
  numerator_re = tf.math.expm1(large_re) * tf.cos(large_im) - (
      2.0 * half_sine * half_sine
  )
  numerator_im = tf.exp(large_re) * tf.sin(large_im)
  quotient_re, quotient_im = _multiply(
      numerator_re, numerator_im, *_reciprocal(large_re, large_im)
  )
  return (
      tf.where(is_small, series_re, quotient_re),
      tf.where(is_small, series_im, quotient_im),
  )


def _validated(
    eigenvalues: tf.Tensor, b: tf.Tensor, step: tf.Tensor
) -> tuple[tf.Tensor, ...]:
  """Returns the arguments as tensors, their shapes and dtypes checked."""
  tensors = {
      'eigenvalues': tf.convert_to_tensor(eigenvalues),
      'b': tf.convert_to_tensor(b),
      'step': tf.convert_to_tensor(step),
  }
  for name, tensor in tensors.items():
    if tensor.dtype != tf.float32:
      raise ValueError(
          f'{name} has dtype {tensor.dtype.name}; it must be float32.'
      )
  if tensors['b'].shape.rank != 3 or tensors['b'].shape[-1] != 2:
    raise ValueError(f'b has shape {tensors["b"].shape}; it must be [P, H, 2].')
  state_size = tensors['b'].shape[0]
  for name, size in (('eigenvalues', 2), ('step', 1)):
    if tensors[name].shape != (state_size, size):
      raise ValueError(
          f'{name} has shape {tensors[name].shape}; with b of shape'
          f' {tensors["b"].shape} it must be ({state_size}, {size}).'
      )
  return tuple(tensors.values())
