"""Episodes through the world model: the state of each step, as arrays.

h_t, z_t and x_t, what the policy sees of them, and the embedding e_t of the
observation of that very step, which remembers nothing.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from r2i_tf import draws
from r2i_tf.agents import experience as experience_lib
from r2i_tf.agents import r2i_agent
from r2i_tf.analysis import episodes as episodes_lib
from r2i_tf.world_model import Experience

_BATCH_STEPS = 2**13  # Steps that go through the model at once, about.
_NUMBERS = 3 * 2**26  # Of all states together: 800 MB.


@dataclasses.dataclass(frozen=True)
class States:
  """What is known at each step of episodes, under the names of the curves.

  Attributes:
    features: By name, float32 [N, T, F]: 'x', 'h', 'z', 'policy', and
      'present', which is e_t.
    lengths: The steps of each episode, int64 [N].
  """

  features: Mapping[str, np.ndarray]
  lengths: np.ndarray


def of_episodes(
    agent: r2i_agent.R2IAgent, episodes: episodes_lib.Episodes, seed: int
) -> States:
  """Runs the world model along episodes.

  Args:
    agent: Whose model it is.
    episodes: Those; where their states would take too much memory, only the
      first of them are looked at.
    seed: Of the draws of the latents.

  Returns:
    The states of these, from each episode's first step on.
  """
  model = agent.world_model

  def states(experience: Experience, seed: draws.Seed) -> tuple[tf.Tensor, ...]:
    embedding = model.embed(experience.observation)
    state = model.observe_embedded(embedding, experience, seed).state
    # The parts of a state end to end, of which a policy sees a stretch.
    return tf.concat(state, -1), embedding

  sizes = model.features.sizes
  longest = episodes.trajectory.step_type.shape[1]
  one = tf.nest.map_structure(
      lambda x: tf.constant(x[0, :1]), episodes.trajectory.observation
  )
  fit = _NUMBERS // (longest * (sum(sizes) + int(model.embed(one).shape[-1])))
  episodes = episodes.some(np.arange(len(episodes.lengths)) < max(1, fit))
  joined, embedded = (
      np.concatenate(parts)
      for parts in zip(*in_batches(agent, episodes, states, seed))
  )
  count = len(episodes.lengths)
  joined, embedded = joined[:count], embedded[:count]
  ends = np.cumsum(sizes)
  policy = agent.policy_features
  begin = sum(sizes[: policy.first])
  return States(
      {
          'x': joined[..., ends[1] :],
          'h': joined[..., : ends[0]],
          'z': joined[..., ends[0] : ends[1]],
          'policy': joined[..., begin : begin + policy.size],
          'present': embedded,
      },
      episodes.lengths,
  )


def in_batches(
    agent: r2i_agent.R2IAgent,
    episodes: episodes_lib.Episodes,
    function: Callable[..., Any],
    seed: int,
) -> Iterator[list[np.ndarray]]:
  """Yields what a function of experience and seed returns, batch by batch.

  All batches have one size, so that the function is traced once; the last one
  goes on with the first episodes.
  """
  count, longest = episodes.trajectory.step_type.shape
  size = min(count, max(1, _BATCH_STEPS // longest))
  traced = tf.function(function, autograph=False)
  for first in range(0, count, size):
    chosen = np.arange(first, first + size) % count
    experience = of_trajectory(agent, episodes.some(chosen))
    drawn = draws.Seed(tf.constant([seed, first]), tf.constant(0))
    yield [x.numpy() for x in traced(experience, drawn)]


def of_trajectory(
    agent: r2i_agent.R2IAgent, episodes: episodes_lib.Episodes
) -> Experience:
  """Returns episodes as the world model takes them.

  Args:
    agent: Knows how actions are encoded.
    episodes: [N, T].
  """
  return experience_lib.from_trajectory(
      tf.nest.map_structure(tf.convert_to_tensor, episodes.trajectory),
      agent.behavior.actions.encode,
  )
