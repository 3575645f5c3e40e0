"""The interface of a sequence model: the memory that goes from step to step.

  h_t, m_t = f(m_(t-1), z_(t-1), a_(t-1))

in two forms that agree: over a whole sequence (training) and one step at a time
(acting, imagination). Its memory m_t is a nest of tensors of its own choice;
x_t, the part of the memory that a policy may see, is one vector.
"""

import abc
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from r2i_tf import networks

# A nest of float32 or int32 tensors, so that every client can carry it.
Memory = Any


class SequenceModel(tf.keras.layers.Layer, abc.ABC):
  """The interface of a sequence model.

  Attributes:
    output_size: D, the size of the output h_t.
    hidden_size: S, the size of the hidden state x_t.
    memory_spec: A nest of `tf.TensorSpec`, of the memory of one sequence.
  """

  output_size: int
  hidden_size: int
  memory_spec: Any

  @abc.abstractmethod
  def initial(self, batch_size: Any) -> Memory:
    """Returns the memory after a reset, leaves [B, ...].

    Args:
      batch_size: B, an int or an int32 scalar.
    """

  @abc.abstractmethod
  def hidden(self, memory: Memory) -> tf.Tensor:
    """Returns x_t, the visible part of a memory: float32 [..., S].

    Args:
      memory: With any batch axes.
    """

  def prepare(self) -> Any:
    """Returns the values that a loop of steps can share, for `step`."""
    return None

  @abc.abstractmethod
  def step(
      self,
      inputs: tf.Tensor,
      memory: Memory,
      is_first: tf.Tensor,
      prepared: Any = None,
  ) -> tuple[tf.Tensor, Memory]:
    """Takes one step.

    Args:
      inputs: float32 [B, F], z_(t-1) and a_(t-1); zeros where `is_first`.
      memory: m_(t-1), leaves [B, ...].
      is_first: bool [B], where the memory is reset before the step.
      prepared: The result of `prepare`; None computes it here.

    Returns:
      h_t, float32 [B, D], and m_t.
    """

  @abc.abstractmethod
  def call(
      self, inputs: tf.Tensor, memory: Memory, is_first: tf.Tensor
  ) -> tuple[tf.Tensor, Memory]:
    """Runs over a whole sequence.

    Args:
      inputs: float32 [B, T, F].
      memory: m before the first step, leaves [B, ...].
      is_first: bool [B, T].

    Returns:
      h, float32 [B, T, D], and the memory after each step, leaves [B, T, ...].
    """

  def moduli(self) -> Sequence[tf.Tensor]:
    """Returns what a step leaves of x_t, |lambda_bar|, float32 [P] a layer.

    None of them for a memory whose steps are no such factors.
    """
    return ()

  def parameter_groups(self) -> Sequence[networks.ParameterGroup]:
    """Returns the groups of variables that train at a rate of their own."""
    return ()
