"""How well a world model foresees what it is not shown.

From the middle of a sequence the model goes on without observations, under the
actions that were taken, and its decoded observations are compared with those
that came. Beside that stands the error of a forecast that knows nothing: the
last observation, unchanged.
"""

from typing import NamedTuple

import tensorflow as tf

from r2i_tf import draws
from r2i_tf.world_model import structures
from r2i_tf.world_model.world_model import WorldModel

# The forecast is the mean of so many: of one, what is left open counts twice.
_SAMPLES = 4


class Errors(NamedTuple):
  """Squared errors, as the reconstruction loss sums them over an observation.

  Attributes:
    forecast: float32 [H], of the model, 1 to H steps ahead.
    persistence: float32 [H], of the last observation that it was shown.
    spread: float32 scalar, of the mean of all these observations: what a
      forecast has that knows their distribution, and no more.
    count: float32 scalar, the sequences that these are means over.
  """

  forecast: tf.Tensor
  persistence: tf.Tensor
  spread: tf.Tensor
  count: tf.Tensor


def errors(
    model: WorldModel,
    experience: structures.Experience,
    horizon: int,
    seed: draws.Seed,
) -> Errors:
  """Returns the errors over the last `horizon` steps of sequences.

  Sequences in which an episode begins or ends there do not count.

  Args:
    model: The world model.
    experience: [B, T], T > horizon.
    horizon: H.
    seed: Of all draws.

  Returns:
    The errors; zeros where no sequence counts.
  """
  first = experience.is_first.shape[1] - horizon
  shown = tf.nest.map_structure(lambda x: x[:, :first], experience)
  ahead = tf.nest.map_structure(lambda x: x[:, first:], experience)
  observed = model.observe(shown, draws.fold_in(seed, 0))
  carry = tf.nest.map_structure(
      lambda x: tf.repeat(x[:, -1], _SAMPLES, 0), observed.carry
  )
  last = tf.nest.map_structure(lambda x: x[:, -1], shown.observation)
  counted = shown.is_valid[:, -1] & tf.reduce_all(
      ahead.is_valid & ~ahead.is_first, 1
  )
  count = tf.reduce_sum(tf.cast(counted, tf.float32))

  # Time first, as the loop gives them.
  actions = tf.repeat(
      tf.transpose(ahead.previous_action, [1, 0, 2]), _SAMPLES, 1
  )
  features = _imagined(model, carry, actions, horizon, seed)
  came = tf.nest.map_structure(
      lambda x: tf.transpose(x, [1, 0, *range(2, x.shape.rank)]),
      ahead.observation,
  )
  forecast = persistence = spread = tf.zeros([])
  weight = tf.cast(counted, tf.float32) / tf.maximum(count, 1.0) / horizon
  for distribution, value_of in model.decode(features):
    target = distribution.transformed(value_of(came))  # [H, B, ...]
    shape = tf.concat(
        [tf.shape(target)[:2], [_SAMPLES], tf.shape(target)[2:]], 0
    )
    expected = tf.reduce_mean(tf.reshape(distribution.location, shape), 2)
    stays = distribution.transformed(value_of(last))
    axes = list(range(2, target.shape.rank))
    # NaN may stand where nothing counts.
    shape = tf.concat([[-1], tf.ones_like(tf.shape(target)[2:])], 0)
    seen = tf.where(tf.reshape(counted, shape), target, tf.zeros_like(target))
    center = tf.reduce_sum(seen * tf.reshape(weight, shape), [0, 1])
    spread += tf.reduce_sum(tf.square(target - center), axes)
    forecast += tf.reduce_sum(tf.square(target - expected), axes)
    persistence += tf.reduce_sum(tf.square(target - stays), axes)

  def mean(error: tf.Tensor) -> tf.Tensor:
    error = tf.where(counted, error, tf.zeros_like(error))
    return tf.reduce_sum(error, 1) / tf.maximum(count, 1.0)

  return Errors(
      mean(forecast), mean(persistence), tf.reduce_mean(mean(spread)), count
  )


def _imagined(
    model: WorldModel,
    carry: structures.Carry,
    actions: tf.Tensor,
    horizon: int,
    seed: draws.Seed,
) -> tf.Tensor:
  """Returns what decoder and heads see of the steps ahead, [H, N, F]."""
  size = model.features.size

  def body(
      t: tf.Tensor, carry: structures.Carry, array: tf.TensorArray
  ) -> tuple[tf.Tensor, structures.Carry, tf.TensorArray]:
    state, carry = model.imagine_step(
        carry, actions[t], draws.fold_in(seed, t + 1)
    )
    return t + 1, carry, array.write(t, model.features.of(state))

  _, _, array = tf.while_loop(
      lambda t, *_: t < horizon,
      body,
      (
          tf.constant(0),
          carry,
          tf.TensorArray(tf.float32, horizon, element_shape=[None, size]),
      ),
      maximum_iterations=horizon,
  )
  return array.stack()
