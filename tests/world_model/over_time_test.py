"""Tests of r2i_tf.world_model.over_time."""

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf.world_model import over_time

_SPECS = {
    'sum': tf.TensorSpec([3], tf.float32),
    'count': tf.TensorSpec([], tf.int32),
}


def _step(inputs, carry):
  """A sum that decays, and begins anew where it is told to."""
  x, is_first = inputs
  total = tf.where(is_first[:, tf.newaxis], 0.0, carry['sum'])
  count = tf.where(is_first, 0, carry['count']) + 1
  carry = {'sum': 0.5 * total + tf.square(x), 'count': count}
  return carry, carry


def _run(x, is_first):
  batch = tf.shape(x)[0]
  start = {'sum': tf.ones([batch, 3]), 'count': tf.zeros([batch], tf.int32)}
  return over_time.run(_step, (x, is_first), start, _SPECS)


def _by_hand(x, is_first):
  batch = x.shape[0]
  carry = {'sum': tf.ones([batch, 3]), 'count': tf.zeros([batch], tf.int32)}
  each = []
  for t in range(x.shape[1]):
    _, carry = _step((x[:, t], is_first[:, t]), carry)
    each.append(carry)
  return tf.nest.map_structure(lambda *leaves: tf.stack(leaves, 1), *each)


@pytest.mark.parametrize(
    'jit_compile, known',
    [(True, True), (False, True), (False, False)],
    ids=['compiled', 'not-compiled', 'of-unknown-shape'],
)
def test_it_is_the_steps_one_after_another(jit_compile, known):
  """Values and gradients, in any nest, of integers and truth values as well."""
  rng = np.random.default_rng(0)
  x = tf.constant(rng.normal(size=[2, 7, 3]), tf.float32)
  is_first = tf.constant(rng.random([2, 7]) < 0.3)
  weight = tf.constant(rng.normal(size=[2, 7, 3]), tf.float32)
  size = [2, 7] if known else [None, None]

  def loss(run, x, is_first):
    with tf.GradientTape() as tape:
      tape.watch(x)
      outputs = run(x, is_first)
      total = tf.reduce_sum(weight * outputs['sum'])
    return outputs, tape.gradient(total, x)

  compiled = tf.function(
      lambda x, is_first: loss(_run, x, is_first),
      jit_compile=jit_compile,
      autograph=False,
      input_signature=[
          tf.TensorSpec([*size, 3], tf.float32),
          tf.TensorSpec(size, tf.bool),
      ],
  )
  tf.nest.map_structure(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
      compiled(x, is_first),
      loss(_by_hand, x, is_first),
  )


def test_the_gradient_holds_no_array_of_all_steps_for_each():
  """No addition in its loop is of more than a step: time is linear in T."""
  length = 50

  @tf.function(autograph=False)
  def gradient(x, is_first):
    with tf.GradientTape() as tape:
      tape.watch(x)
      loss = tf.reduce_sum(_run(x, is_first)['sum'])
    return tape.gradient(loss, x)

  graph = gradient.get_concrete_function(
      tf.TensorSpec([2, length, 3]), tf.TensorSpec([2, length], tf.bool)
  ).graph.as_graph_def(add_shapes=True)
  bodies = [f for f in graph.library.function if 'body' in f.signature.name]
  assert len(bodies) >= 2  # Forward and backward.
  for body in bodies:
    for node in body.node_def:
      assert node.op not in (
          'TensorListSetItem',
          'TensorListGetItem',
      ), node.name
      if node.op.startswith('Add'):
        for shape in node.attr['_output_shapes'].list.shape:
          assert all(d.size < length for d in shape.dim), node.name
