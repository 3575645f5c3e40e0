"""The recurrence of `scan` without resets, as a convolution by FFT.

Unrolled, x_t = lambda_bar prev_t + inputs_t is

  x_t = sum over k <= t of lambda_bar^k inputs_(t-k) + lambda_bar^(t+1) carry

a convolution of each channel's inputs with the powers of its lambda_bar. It is
taken on the states, not on the outputs, whose kernels C lambda_bar^k B_bar have
the width squared in place of P of them and give no states: imagination starts
from the state after each step, and a policy may see it. A reset would end the
powers at another step in each sequence; there is no form for that.

Work is O(L log L) and nothing is in sequence but the stages of the FFT. It
needs complex64 of twice the length, rounded up to a power of two: some four
arrays of the size of the states at a time. The backward pass is another
convolution, from the end, and keeps nothing but the states.
"""

import tensorflow as tf

from r2i_tf.ssm import adjoints
from r2i_tf.ssm import planes


def convolved(
    lambda_bar: tf.Tensor, inputs: tf.Tensor, carry: tf.Tensor
) -> tf.Tensor:
  """Returns the states of a diagonal recurrence that is never reset.

  Args:
    lambda_bar: float32 [2, P], the discretised eigenvalues.
    inputs: float32 [B, L, 2, P], the projected inputs. L >= 1, known when
      traced.
    carry: float32 [B, 2, P], the state before step 0.

  Returns:
    The states x_t, float32 [B, L, 2, P], to the rounding of an FFT: an error
    relative to the largest state of the sequence, not to each.
  """
  states = adjoints.with_adjoint(_forward, _adjoint, kept=[0, 2])
  return states(lambda_bar, inputs, carry)


# Compiled also where the caller is not: unfused, each factor is an array.
@tf.function(jit_compile=True, autograph=False)
def _forward(
    lambda_bar: tf.Tensor, inputs: tf.Tensor, carry: tf.Tensor
) -> tf.Tensor:
  length = inputs.shape[1]
  points = 1 << (2 * length - 1).bit_length()
  powers = planes.powers(planes.split(lambda_bar), length)
  # Time is the last axis of an FFT.
  kernel = _spectrum(
      tuple(tf.transpose(part[:length]) for part in powers), points
  )
  spectrum = _spectrum(
      tuple(tf.transpose(part, [0, 2, 1]) for part in planes.split(inputs)),
      points,
  )
  sums = tf.signal.ifft(kernel * spectrum)[..., :length]
  sums = tuple(
      tf.transpose(part, [0, 2, 1])
      for part in (tf.math.real(sums), tf.math.imag(sums))
  )
  carried = planes.multiply(
      tuple(part[1:] for part in powers),
      tuple(part[:, tf.newaxis] for part in planes.split(carry)),
  )
  return planes.join(planes.add(sums, carried))


@tf.function(jit_compile=True, autograph=False)
def _adjoint(
    upstream: tf.Tensor,
    states: tf.Tensor,
    lambda_bar: tf.Tensor,
    carry: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """The gradients, as in `scan`, where nothing is reset.

  Args:
    upstream: float32 [B, L, 2, P], the gradient with respect to the states.
    states: [B, L, 2, P], as `_forward` returned them.
    lambda_bar: [2, P].
    carry: [B, 2, P].

  Returns:
    The gradients for lambda_bar, inputs and carry.
  """
  conjugate = planes.conjugate(planes.split(lambda_bar))
  back = _forward(
      planes.join(conjugate), upstream[:, ::-1], tf.zeros_like(carry)
  )[:, ::-1]
  adjoint = planes.split(back)
  first = tuple(part[:, 0] for part in adjoint)
  # prev_t is the carry at t = 0, else x_(t-1).
  later = planes.multiply(
      planes.conjugate(tuple(part[:, :-1] for part in planes.split(states))),
      tuple(part[:, 1:] for part in adjoint),
  )
  start = planes.multiply(planes.conjugate(planes.split(carry)), first)
  of_lambda = tuple(
      tf.reduce_sum(part, axis=[0, 1]) + tf.reduce_sum(extra, axis=0)
      for part, extra in zip(later, start)
  )
  return (
      planes.join(of_lambda),
      back,
      planes.join(planes.multiply(conjugate, first)),
  )


def _spectrum(x: planes.Planes, points: int) -> tf.Tensor:
  """The FFT over the last axis, padded with zeros: complex64 [..., points]."""
  padding = [[0, 0]] * (x[0].shape.rank - 1) + [[0, points - x[0].shape[-1]]]
  return tf.signal.fft(tf.complex(*(tf.pad(part, padding) for part in x)))
