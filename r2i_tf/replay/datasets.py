"""How TensorFlow is to run the dataset of a replay: as it is written."""

import tensorflow as tf


def in_order(dataset: tf.data.Dataset) -> tf.data.Dataset:
  """Returns a dataset whose batches are made when they are asked for.

  By itself, TensorFlow would draw ahead: in a prefetch at the end and in a map,
  several calls of which it would run in parallel. Nor is anything tuned: there
  is nothing to tune, and an iterator that is freed would wait for the thread
  that tunes to wake, up to a minute.

  Args:
    dataset: The dataset.
  """
  options = tf.data.Options()
  options.experimental_optimization.inject_prefetch = False
  options.experimental_optimization.map_parallelization = False
  options.autotune.enabled = False
  return dataset.with_options(options)
