"""Keeps XLA's two lines about its first compilation out of the output.

They are written once a process, straight to the file descriptor, at no log
level that could be turned off. So a program of one addition is compiled first,
with standard error closed; an error in a compilation that matters is seen.
"""

import os

import tensorflow as tf


def first_compilation() -> None:
  """Has XLA compile something small, and nobody hear of it."""
  kept = os.dup(2)
  silent = os.open(os.devnull, os.O_WRONLY)
  try:
    os.dup2(silent, 2)
    tf.function(lambda x: x + 1, jit_compile=True)(tf.constant(0))
  finally:
    os.dup2(kept, 2)
    os.close(silent)
    os.close(kept)
