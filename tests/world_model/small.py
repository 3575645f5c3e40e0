"""World models small enough for a test."""

import dataclasses

import numpy as np
import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf.world_model import Experience
from r2i_tf.world_model import WorldModel

_MLP = agent_config.MLPConfig(1, 8)


def config(kind=agent_config.SequenceModelKind.S3M, layers=2, **changes):
  """Returns a config of 8 units and 2 x 3 latents."""
  return dataclasses.replace(
      agent_config.WorldModelConfig(
          sequence_model=agent_config.SequenceModelConfig(
              kind=kind,
              output_size=8,
              width=8,
              s3m=agent_config.S3MConfig(
                  state_size=8,
                  layers=layers,
                  blocks=2,
                  # Memory that is seen within a few steps.
                  min_step=0.1,
                  max_step=0.5,
                  learning_rate=1e-2,
              ),
          ),
          latent=agent_config.LatentConfig(2, 3),
          encoder=_MLP,
          decoder=_MLP,
          reward_head=_MLP,
          continuation_head=_MLP,
          cnn_depth=4,
          bins=15,
      ),
      **changes,
  )


def model(observation_spec, action_size=2, **changes):
  """Returns a model whose variables are all off their zeros."""
  tf.keras.utils.set_random_seed(1)
  world_model = WorldModel(observation_spec, action_size, config(**changes))
  for variable in world_model.trainable_variables:
    if not np.any(variable):
      variable.assign(0.5 * tf.random.normal(variable.shape))
  return world_model


def experience(observation_spec, is_first, action_size=2, seed=1):
  """Returns random experience with resets [B, T] as given and none masked."""
  rng = np.random.default_rng(seed)
  is_first = np.asarray(is_first, bool)

  def numbers(*shape):
    return rng.normal(size=[*is_first.shape, *shape]).astype(np.float32)

  def observation(spec):
    if spec.dtype == tf.uint8:
      shape = [*is_first.shape, *spec.shape]
      return tf.constant(rng.integers(0, 256, shape), tf.uint8)
    return tf.constant(numbers(*spec.shape))

  return Experience(
      observation=tf.nest.map_structure(observation, observation_spec),
      previous_action=tf.constant(numbers(action_size)),
      reward=tf.constant(numbers()),
      terminal=tf.constant(rng.random(is_first.shape) < 0.2),
      is_first=tf.constant(is_first),
      is_valid=tf.ones(is_first.shape, tf.bool),
      outcome_known=tf.ones(is_first.shape, tf.bool),
  )
