"""The timed step is the agent's, and its floor counts what it multiplies."""

import pytest
import tensorflow as tf

from benchmarks import agents
from benchmarks import flops
from benchmarks import train_step
from r2i_tf import errors


def test_measures_a_train_step_that_learns():
  """A refused step, or a loss that is not a number, would be no train step."""
  setting = agents.vector_setting('smallest', agents.smallest_config())
  cases = train_step.cases([4], 8, gru_max_length=0)
  record = train_step.measure(setting, cases, 0.0)
  (row,) = record['rows']
  assert (row['kind'], row['batch_size'], row['length']) == ('s3m', 2, 4)
  assert row['refused'] == 0 and 0 < row['loss'] < 1e6
  assert row['first_step_s'] > row['trace_s'] > 0
  assert row['median_ms'] > row['floor_ms'] > 0
  assert row['over_s3m'] == row['over_shortest'] == 1
  table = train_step.tables(record)['train_step']
  assert '| 2x4 | S3M |' in table and 'imagination from every step' in table


def test_dreamerv3_is_timed_as_itself():
  """Its loop over time is in the step, and the floor counts its products."""
  setting = agents.vector_setting('smallest', agents.smallest_config())
  cases = train_step.cases([4], 8, gru_max_length=4)
  record = train_step.measure(setting, cases, 0.0)
  floors = {row['kind']: row['matrix_gflop'] for row in record['rows']}
  # Its posterior sees the memory as well, which is more to multiply.
  assert floors['dreamerv3'] > floors['gru'] > 0
  assert all(row['refused'] == 0 for row in record['rows'])


def test_every_case_has_the_same_number_of_steps():
  """What differs is the length alone; GRUs stop where they are told to."""
  cases = train_step.cases([4, 16], 64, gru_max_length=4)
  assert cases == [
      ('s3m', 16, 4),
      ('s3m', 4, 16),
      ('gru', 16, 4),
      ('dreamerv3', 16, 4),
  ]
  with pytest.raises(errors.RunError, match=r'--lengths has 5; .*\(64\)'):
    train_step.cases([5], 64, 4)


def test_counts_products_in_loops_and_their_gradients():
  """Once forward and twice backward, for each time the loop goes round."""

  @tf.function(jit_compile=True, autograph=False)
  def inner(x, matrix):
    with tf.GradientTape() as tape:
      tape.watch((x, matrix))
      _, y = tf.while_loop(
          lambda i, _: i < 5,
          lambda i, x: (i + 1, tf.matmul(x, matrix)),
          (0, x),
          maximum_iterations=5,
      )
    return tape.gradient(y, (x, matrix))

  function = tf.function(lambda x, matrix: inner(x, matrix), autograph=False)
  concrete = function.get_concrete_function(tf.ones([7, 3]), tf.ones([3, 3]))
  assert flops.matrix_flops(concrete) == 3 * 5 * (2 * 7 * 3 * 3)


def test_counts_convolutions_forward_and_backward():
  """A convolution and its two gradients cost the same."""

  @tf.function(autograph=False)
  def gradients(image, window):
    with tf.GradientTape() as tape:
      tape.watch((image, window))
      y = tf.nn.conv2d(image, window, 2, 'SAME')
    return tape.gradient(y, (image, window))

  concrete = gradients.get_concrete_function(
      tf.ones([2, 8, 8, 3]), tf.ones([4, 4, 3, 5])
  )
  one = 2 * (2 * 4 * 4) * (4 * 4 * 3 * 5)
  assert flops.matrix_flops(concrete) == 3 * one
