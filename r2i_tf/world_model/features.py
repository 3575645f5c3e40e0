"""The part of a state that each network sees: the one definition.

The parts of a state laid end to end, in the order of `State`,

  (h_t, z_t, x_t)     output, latent, hidden

are such that every network sees a stretch of them: the heads (h, z), a policy
(h, z), (z, x) or (h, z, x), by `PolicyInput`. So one array of the widest
stretch serves all of them, each through a slice.
"""

import dataclasses

import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf.world_model import structures

# The first and the last part of each stretch, by their place in `State`.
_HEADS = (0, 1)
_POLICIES = {
    agent_config.PolicyInput.OUTPUT: (0, 1),
    agent_config.PolicyInput.HIDDEN: (1, 2),
    agent_config.PolicyInput.FULL: (0, 2),
}


@dataclasses.dataclass(frozen=True)
class Features:
  """A stretch of a state's parts, as one vector.

  Attributes:
    sizes: Of all parts of a state, in its order.
    first: The place of the first part that is seen.
    last: That of the last.
  """

  sizes: tuple[int, ...]
  first: int
  last: int

  @property
  def size(self) -> int:
    """F, how many numbers are seen."""
    return sum(self.sizes[self.first : self.last + 1])

  def of(self, state: structures.State) -> tf.Tensor:
    """Returns the part of a state that is seen: float32 [..., F].

    Args:
      state: With any batch axes.
    """
    return tf.concat(state[self.first : self.last + 1], -1)

  def within(self, wider: 'Features', values: tf.Tensor) -> tf.Tensor:
    """Returns the seen part, [..., F], as a slice of a wider one.

    Args:
      wider: A stretch that contains this one.
      values: Its part of the same states, float32 [..., its own size].
    """
    if (self.first, self.last) == (wider.first, wider.last):
      return values
    start = sum(self.sizes[wider.first : self.first])
    return values[..., start : start + self.size]

  def joined(self, other: 'Features') -> 'Features':
    """Returns the shortest stretch in which both are slices."""
    first, last = min(self.first, other.first), max(self.last, other.last)
    return dataclasses.replace(self, first=first, last=last)


def of_heads(sizes: tuple[int, ...]) -> Features:
  """Returns the stretch of decoder and heads: (h, z).

  Args:
    sizes: Of the parts of a state, in its order.
  """
  return Features(sizes, *_HEADS)


def of_policy(
    sizes: tuple[int, ...], policy_input: agent_config.PolicyInput
) -> Features:
  """Returns the stretch of actor and critic.

  Args:
    sizes: Of the parts of a state, in its order.
    policy_input: The parts that they see beside the latent.
  """
  return Features(sizes, *_POLICIES[policy_input])
