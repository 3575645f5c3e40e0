"""Cutting a memory from outside: the product has no such option."""

import contextlib
from unittest import mock


def cut_memory() -> contextlib.AbstractContextManager:
  """Returns a context in which every step of an S3M starts from a reset.

  In training, in acting, and in whatever looks at what they have made: a run's
  configuration does not say that its memory was cut.
  """
  import tensorflow as tf

  from r2i_tf import ssm

  call, step = ssm.S3MStack.call, ssm.S3MStack.step

  def cut_call(self, u, carry, is_reset):
    return call(self, u, carry, tf.ones_like(is_reset))

  def cut_step(self, u, carry, is_reset, discretized=None):
    return step(self, u, carry, tf.ones_like(is_reset), discretized)

  return mock.patch.multiple(ssm.S3MStack, call=cut_call, step=cut_step)
