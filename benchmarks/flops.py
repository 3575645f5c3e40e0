"""Counts what the matrix products and convolutions of a graph must compute.

A program cannot be faster than these at the speed of the device's best matrix
product: the floor that `benchmarks.train_step` compares with.
"""

import math
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

_CALLS = ('PartitionedCall', 'StatefulPartitionedCall')
_LOOPS = ('While', 'StatelessWhile')
# Which inputs are a convolution's window and its smaller image; None: the
# output is.
_WINDOW_AND_SMALL = {
    'Conv2D': (1, None),
    'Conv2DBackpropInput': (1, 2),
    'Conv2DBackpropFilter': (None, 2),
}


def matrix_flops(function: Any) -> int:
  """Returns the floating point operations of one call, products only.

  Args:
    function: A concrete function in which every product's shape is known, and
      of every loop the greatest number of iterations, which is what counts.

  Raises:
    ValueError: A shape or a number of iterations is unknown.
  """
  graph = function.graph.as_graph_def(add_shapes=True)
  library = {f.signature.name: f for f in graph.library.function}
  return _Body(list(graph.node), library, {}, {}).count()


class _Body:
  """The nodes of a graph or a function, and what they are called with."""

  def __init__(
      self,
      nodes: list[Any],
      library: dict[str, Any],
      shapes: dict[str, list[Any]],
      constants: dict[str, Any],
  ):
    """Takes the body.

    Args:
      nodes: Its nodes.
      library: All functions, by name.
      shapes: Of the arguments, by name.
      constants: The nodes that give the arguments which are constant.
    """
    self._nodes = nodes
    self._library = library
    self._shapes = {**shapes, **{node.name: _shapes(node) for node in nodes}}
    self._constants = constants
    self._by_name = {node.name: node for node in nodes}

  def count(self) -> int:
    """Returns the operations of one call."""
    return sum(self._count(node) for node in self._nodes)

  def _count(self, node) -> int:
    if node.op in _CALLS:
      return self._function(node, 'f').count()
    if node.op in _LOOPS:
      body = self._function(node, 'body').count()
      return body and body * self._iterations(node)
    if node.op in ('MatMul', 'BatchMatMulV2'):
      adjoint = 'transpose_a' if node.op == 'MatMul' else 'adj_x'
      left = self._input_shape(node, 0)
      inner = left[-2] if node.attr[adjoint].b else left[-1]
      return 2 * inner * math.prod(self._shapes[node.name][0])
    if node.op in _WINDOW_AND_SMALL:
      # The window over the larger image's channels, at each of the smaller's.
      window, small = (
          self._shapes[node.name][0]
          if index is None
          else self._input_shape(node, index)
          for index in _WINDOW_AND_SMALL[node.op]
      )
      return 2 * math.prod(window[:3]) * math.prod(small)
    return 0

  def _function(self, node, attribute: str) -> '_Body':
    """Returns the function that a node calls."""
    function = self._library[node.attr[attribute].func.name]
    shapes, constants = {}, {}
    for index, argument in enumerate(function.signature.input_arg):
      shapes[argument.name] = _shapes(function.arg_attr[index])
      constants[argument.name] = self._constant(node.input[index])
    return _Body(list(function.node_def), self._library, shapes, constants)

  def _constant(self, name: str):
    """Returns the constant that an input comes from, or None."""
    name = name.split(':')[0]
    node = self._by_name.get(name)
    if node is None:
      return self._constants.get(name)
    return node if node.op == 'Const' else None

  def _iterations(self, node) -> int:
    """Returns the greatest number of iterations of a `tf.while_loop`."""
    limit = self._constant(node.input[1])
    if limit is None:
      raise ValueError(f'{node.name} has no constant maximum_iterations.')
    return int(tf.make_ndarray(limit.attr['value'].tensor))

  def _input_shape(self, node, index: int) -> list[int]:
    """Returns the shape of an input: `node`, `node:0` or `node:output:0`."""
    name, *rest = node.input[index].split(':')
    place = int(rest[-1]) if rest else 0
    if len(rest) == 2:
      outputs = op_def_registry.get(self._by_name[name].op).output_arg
      place += [output.name for output in outputs].index(rest[0])
    shape = self._shapes[name][place]
    if shape is None or min(shape, default=1) < 0:
      raise ValueError(f'{node.input[index]} has the shape {shape}.')
    return shape


def _shapes(node) -> list[Any]:
  return [
      None
      if shape.unknown_rank
      else [dimension.size for dimension in shape.dim]
      for shape in node.attr['_output_shapes'].list.shape
  ]
