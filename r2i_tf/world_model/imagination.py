"""The world model alone, under a policy: what actor and critic learn from."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from r2i_tf import draws
from r2i_tf.world_model import features as features_lib
from r2i_tf.world_model import heads
from r2i_tf.world_model import structures
from r2i_tf.world_model.world_model import WorldModel


def imagine(
    model: WorldModel,
    output: tf.Tensor,
    carry: structures.Carry,
    policy: Callable[[tf.Tensor, draws.Seed], tf.Tensor],
    policy_features: features_lib.Features,
    horizon: int,
    seed: draws.Seed,
) -> structures.Imagined:
  """Rolls the model forward under a policy, as one compiled loop.

  Args:
    model: The world model.
    output: float32 [N, D], h of the start s_0.
    carry: From s_0, batch [N].
    policy: (features, seed) -> encoded action: float32 [N, F] to float32 [N,
      A].
    policy_features: The part of a state that the policy sees.
    horizon: H, the number of steps.
    seed: Of all draws.

  Returns:
    The features and actions of the policy, and the outcomes that the model
    expects.
  """
  prepared = model.prepare()
  # The largest array of a train step: written once, for all networks,
  # each of them a slice of it.
  seen = policy_features.joined(model.features)
  start = model.state(output, carry)

  def act(t: tf.Tensor, state: structures.State) -> tf.Tensor:
    return policy(policy_features.of(state), draws.fold_in(seed, 2 * t))

  arrays = tf.nest.map_structure(
      lambda x: tf.TensorArray(x.dtype, size=horizon, element_shape=x.shape),
      (seen.of(start), act(0, start)),
  )

  # Of a state only h is not carried: the loop has nothing twice.
  def body(
      t: tf.Tensor, output: tf.Tensor, carry: structures.Carry, arrays: Any
  ) -> tuple[tf.Tensor, tf.Tensor, structures.Carry, Any]:
    state = model.state(output, carry)
    action = act(t, state)
    arrays = tf.nest.map_structure(
        lambda x, array: array.write(t, x), (seen.of(state), action), arrays
    )
    state, carry = model.imagine_step(
        carry, action, draws.fold_in(seed, 2 * t + 1), prepared
    )
    return t + 1, state.output, carry, arrays

  _, output, carry, arrays = tf.while_loop(
      lambda t, *_: t < horizon,
      body,
      (tf.constant(0), output, carry, arrays),
      maximum_iterations=horizon,
  )
  values, action = tf.nest.map_structure(lambda a: a.stack(), arrays)
  last = seen.of(model.state(output, carry))

  def arriving(head: heads.PredictionHead) -> tf.Tensor:
    """Returns the expectations of a head for s_1 to s_H, [H, N]."""
    rest = head(model.features.within(seen, values)).mean()[1:]
    end = head(model.features.within(seen, last)).mean()
    return tf.concat([rest, end[tf.newaxis]], 0)

  return structures.Imagined(
      features=policy_features.within(seen, values),
      last_features=policy_features.within(seen, last),
      action=action,
      reward=arriving(model.heads['reward']),
      continuation=arriving(model.heads['continuation']),
  )
