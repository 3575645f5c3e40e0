"""The equations of r2i_tf.ssm in complex float64 NumPy, one step at a time.

Written for reading, not for speed, and without a look at the code it judges:
what the tests hold the library to.
"""

import numpy as np


def to_complex(pairs) -> np.ndarray:
  """[..., 2] real and imaginary parts to complex128 [...]."""
  pairs = np.asarray(pairs, np.float64)
  return pairs[..., 0] + 1j * pairs[..., 1]


def to_pairs(values: np.ndarray) -> np.ndarray:
  """complex128 [...] to float64 [..., 2]."""
  return np.stack([values.real, values.imag], axis=-1)


def from_planes(planes) -> np.ndarray:
  """[..., 2, P] real and imaginary parts to complex128 [..., P]."""
  return to_complex(np.moveaxis(np.asarray(planes), -2, -1))


def to_planes(values: np.ndarray) -> np.ndarray:
  """complex128 [..., P] to float64 [..., 2, P]."""
  return np.stack([values.real, values.imag], axis=-2)


def recurrence(lambda_bar, inputs, is_reset, carry, initial_state):
  """x_t = lambda_bar prev_t + inputs_t; planes in, [B, L, 2, P] out."""
  lambda_bar, inputs = from_planes(lambda_bar), from_planes(inputs)
  state, initial_state = from_planes(carry), from_planes(initial_state)
  states = []
  for t in range(inputs.shape[1]):
    reset = np.asarray(is_reset)[:, t, np.newaxis]
    state = lambda_bar * np.where(reset, initial_state, state) + inputs[:, t]
    states.append(state)
  return to_planes(np.stack(states, axis=1))


def discretize(eigenvalues, b, step, is_bilinear):
  """lambda_bar [P, 2] and B_bar [P, H, 2]; the textbook formulas."""
  eigenvalues, b = to_complex(eigenvalues), to_complex(b)
  step = np.asarray(step, np.float64)[:, 0]
  if is_bilinear:
    lambda_bar = (1 + step * eigenvalues / 2) / (1 - step * eigenvalues / 2)
    scale = step / (1 - step * eigenvalues / 2)
  else:
    lambda_bar = np.exp(step * eigenvalues)
    scale = (lambda_bar - 1) / eigenvalues
  return to_pairs(lambda_bar), to_pairs(scale[:, np.newaxis] * b)


def layer(parameters, u, carry, is_reset, is_bilinear=True, factor=1.0):
  """The outputs y [B, L, H] and states x [B, L, 2, P] of one layer.

  Args:
    parameters: A dict of lambda_re, lambda_im, b, c, d, log_step,
      initial_state.
    u: [B, L, H].
    carry: [B, 2, P].
    is_reset: [B, L].
    is_bilinear: The discretisation, zero-order hold otherwise.
    factor: 2 with conjugate symmetry.
  """
  eigenvalues = np.stack(
      [parameters['lambda_re'], parameters['lambda_im']], axis=-1
  )
  step = np.exp(np.asarray(parameters['log_step'], np.float64))
  lambda_bar, b_bar = discretize(
      eigenvalues, parameters['b'], step, is_bilinear
  )
  u = np.asarray(u, np.float64)
  inputs = to_planes(np.einsum('ph,blh->blp', to_complex(b_bar), u))
  x = recurrence(
      lambda_bar.T, inputs, is_reset, carry, parameters['initial_state']
  )
  c = to_complex(parameters['c'])
  y = factor * np.einsum('hp,blp->blh', c, from_planes(x)).real
  return y + np.asarray(parameters['d'], np.float64) * u, x
