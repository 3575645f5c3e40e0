"""What a world model foresees of steps that it is not shown.

  shown      o_t and a_t, ..., the latents from the posterior
  imagined   a_t alone, those that were taken; the latents from the prior

`errors` asks how far the imagined observations are from those that came, over
many starts of imagination, beside two predictors that know nothing of dynamics.
`predict` gives all that the model says along one stretch of each sequence.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from r2i_tf import draws
from r2i_tf.world_model import features as features_lib
from r2i_tf.world_model import structures
from r2i_tf.world_model.world_model import WorldModel

# Steps ahead at which errors are told one by one.
HORIZONS = (1, 5, 15, 50)
# Imagination starts at so many steps of a sequence, evenly spaced.
_STARTS = 4
# The expected observation is the mean of so many: of one, what is left open
# counts twice.
_SAMPLES = 4
_STEPS_OF_MEAN = 64  # Of each sequence; a mean of all would be hardly another.


class Errors(NamedTuple):
  """Squared errors, as the reconstruction loss sums them over an observation.

  Means over the starts from which the episode goes on for so many steps; 0
  where there is none.

  Attributes:
    steps: int32 [D], how many steps ahead, ascending.
    model: float32 [D], of the observation that the model expects.
    last: float32 [D], of the last observation that it was shown.
    mean: float32 [D], of the mean of all observations of these sequences. It is
      taken over those to be predicted, too, so that it is rather too good.
    count: float32 [D], the starts that the means are over.
  """

  steps: tf.Tensor
  model: tf.Tensor
  last: tf.Tensor
  mean: tf.Tensor
  count: tf.Tensor


class Predictions(NamedTuple):
  """What the model says along a stretch of each sequence, all [B, W].

  Attributes:
    observation: By key, float32 [B, W, ...], the expected parts of o_t in the
      units of the environment; an image in [0, 255], before it is clipped.
    reward: float32 [B, W], the expected r_t.
    continuation: float32 [B, W], the probability that the episode goes on.
    features: float32 [B, W, F], of each state the stretch asked for.
  """

  observation: dict[str, tf.Tensor]
  reward: tf.Tensor
  continuation: tf.Tensor
  features: tf.Tensor


def steps_ahead(length: int, horizon: int) -> list[int]:
  """Returns the steps ahead at which `errors` can be asked for.

  Args:
    length: Steps of a sequence (T), at least 2.
    horizon: Each of 1 to so many is wanted beside `HORIZONS`.
  """
  longest = length - 1 - _starts(length)[0]
  wanted = {*range(1, horizon + 1), *HORIZONS}
  return sorted(steps for steps in wanted if steps <= longest)


def errors(
    model: WorldModel,
    experience: structures.Experience,
    carry: structures.Carry,
    steps: Sequence[int],
    seed: draws.Seed,
) -> Errors:
  """Returns the errors of imagination that starts within sequences.

  Args:
    model: The world model.
    experience: [B, T].
    carry: What the model carries at each of its steps, [B, T].
    steps: How many steps ahead, of `steps_ahead`.
    seed: Of all draws.
  """
  length = experience.is_first.shape[1]
  starts = tf.constant(_starts(length))
  # [S, H], in the order of time.
  times = starts[:, tf.newaxis] + tf.range(1, steps[-1] + 1)
  is_there = times < length
  times = tf.minimum(times, length - 1)

  def at(x: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
    """Returns [B * S, n, ...] of [B, T, ...] and [S, n]."""
    x = tf.gather(x, times, axis=1)
    return tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0))

  goes_on = tf.gather(experience.is_valid & ~experience.is_first, times, axis=1)
  begins = tf.gather(experience.is_valid, starts, axis=1)[..., tf.newaxis]
  counted = tf.cast(goes_on & is_there & begins, tf.float32)
  counted = tf.math.cumprod(counted, axis=-1)  # [B, S, H]
  chosen = tf.constant(steps) - 1
  counted = tf.gather(
      tf.reshape(counted, [-1, steps[-1]]), chosen, axis=1
  )  # [N, D]
  count = tf.reduce_sum(counted, 0)

  features = imagined(
      model,
      tf.nest.map_structure(
          lambda x: tf.repeat(at(x, starts[:, tf.newaxis])[:, 0], _SAMPLES, 0),
          carry,
      ),
      tf.repeat(at(experience.previous_action, times), _SAMPLES, 0),
      model.features,
      seed,
  )
  features = tf.gather(features, chosen, axis=1)
  features = tf.reshape(
      features, [-1, _SAMPLES, len(steps), model.features.size]
  )
  came = tf.nest.map_structure(
      lambda x: at(x, tf.gather(times, chosen, axis=1)), experience.observation
  )
  last = tf.nest.map_structure(
      lambda x: at(x, starts[:, tf.newaxis]), experience.observation
  )
  few = slice(None, None, max(1, length // _STEPS_OF_MEAN))
  others = tf.nest.map_structure(lambda x: x[:, few], experience.observation)
  is_valid = experience.is_valid[:, few]

  sums = {name: tf.zeros([len(steps)]) for name in ('model', 'last', 'mean')}
  for distribution, value_of in model.decode(features):
    target = distribution.transformed(value_of(came))  # [N, D, ...]
    predictions = {
        'model': tf.reduce_mean(distribution.location, 1),
        'last': distribution.transformed(value_of(last)),
        'mean': _mean(distribution.transformed(value_of(others)), is_valid),
    }
    for name, prediction in predictions.items():
      error = tf.math.squared_difference(target, prediction)
      error = tf.reduce_sum(error, list(range(2, target.shape.rank)))
      # NaN may stand where nothing counts.
      error = tf.where(counted > 0, error, 0.0)
      sums[name] += tf.reduce_sum(error, 0) / tf.maximum(count, 1.0)
  return Errors(steps=tf.constant(steps), count=count, **sums)


def predict(
    model: WorldModel,
    experience: structures.Experience,
    state: structures.State,
    carry: structures.Carry,
    seen: features_lib.Features,
    first: tf.Tensor,
    shown: tf.Tensor,
    steps: tf.Tensor,
    seed: draws.Seed,
) -> Predictions:
  """Returns what the model says along one stretch of each sequence.

  Args:
    model: The world model.
    experience: [B, T].
    state: Of each of its steps, [B, T].
    carry: Of each of its steps, [B, T].
    seen: The part of the states to return, which contains that of the heads.
    first: int32 [B], the first step of each stretch.
    shown: int32 scalar, k: so many of its steps are shown, at least 1.
    steps: int32 scalar, W: so many steps a stretch has, more than k. It lies
      within its sequence; where an episode begins among the imagined steps, no
      more is foreseen.
    seed: Of all draws.
  """
  at_shown = first[:, tf.newaxis] + tf.range(shown)
  at_imagined = first[:, tf.newaxis] + tf.range(shown, steps)

  def at(x: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
    return tf.gather(x, times, axis=1, batch_dims=1)

  rest = imagined(
      model,
      tf.nest.map_structure(lambda x: at(x, at_shown[:, -1:])[:, 0], carry),
      at(experience.previous_action, at_imagined),
      seen,
      seed,
  )
  state = tf.nest.map_structure(lambda x: at(x, at_shown), state)
  features = tf.concat([seen.of(state), rest], 1)
  of_heads = model.features.within(seen, features)
  return Predictions(
      observation=model.decoder.expected(of_heads),
      reward=model.reward(of_heads).mean(),
      continuation=model.continuation(of_heads).mean(),
      features=features,
  )


def imagined(
    model: WorldModel,
    carry: structures.Carry,
    actions: tf.Tensor,
    seen: features_lib.Features,
    seed: draws.Seed,
) -> tf.Tensor:
  """Goes on without observations, and returns what is seen of the states.

  Args:
    model: The world model.
    carry: Of the last step that was shown, [N].
    actions: float32 [N, H, A], encoded, that led to each step.
    seen: The part of the states.
    seed: Of all draws.

  Returns:
    float32 [N, H, F].
  """
  actions = tf.transpose(actions, [1, 0, 2])  # The order of the loop.
  horizon = tf.shape(actions)[0]
  prepared = model.prepare()

  def body(
      t: tf.Tensor, carry: structures.Carry, array: tf.TensorArray
  ) -> tuple[tf.Tensor, structures.Carry, tf.TensorArray]:
    state, carry = model.imagine_step(
        carry, actions[t], draws.fold_in(seed, t), prepared
    )
    return t + 1, carry, array.write(t, seen.of(state))

  _, _, array = tf.while_loop(
      lambda t, *_: t < horizon,
      body,
      (
          tf.constant(0),
          carry,
          tf.TensorArray(tf.float32, horizon, element_shape=[None, seen.size]),
      ),
  )
  return tf.transpose(array.stack(), [1, 0, 2])


def _starts(length: int) -> list[int]:
  """Returns the steps of a sequence after which imagination starts."""
  spaced = {length * (i + 1) // (_STARTS + 1) for i in range(_STARTS)}
  return sorted(start for start in spaced if start < length - 1)


def _mean(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """Returns the mean [...] of [B, T, ...] where bool [B, T] holds."""
  mask = tf.reshape(
      mask, tf.concat([tf.shape(mask), tf.ones_like(tf.shape(x)[2:])], 0)
  )
  total = tf.reduce_sum(tf.where(mask, x, tf.zeros_like(x)), [0, 1])
  return total / tf.maximum(tf.reduce_sum(tf.cast(mask, x.dtype)), 1.0)
