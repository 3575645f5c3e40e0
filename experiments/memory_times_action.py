"""Why memory_len is hard for a world model, and what makes it easy.

The reward of memory_len is a product: the bit seen first times the last action.
While the policy acts at random, neither factor alone predicts anything. Here
the world model alone learns it, from made-up episodes, and each change is
measured by how many updates it takes until 95% of the final rewards are
predicted with the right sign:

  python -m experiments.memory_times_action

which puts the table into docs/learning.md. Each row changes one thing and keeps
the changes of the rows above it.
"""

import pathlib
import time
from typing import NamedTuple

from absl import flags
import numpy as np

from benchmarks import tables
from r2i_tf.programs import command_line

_LENGTH = flags.DEFINE_integer('memory_length', 3, 'Steps to remember.')
_UPDATES = flags.DEFINE_integer('updates', 6000, 'Updates of a row at most.')
_SEED = flags.DEFINE_integer('seed', 0, 'Seed of parameters and episodes.')

_DOCUMENT = pathlib.Path(__file__).resolve().parent.parent / 'docs/learning.md'
_BATCH, _TIME, _UNITS = 16, 64, 64
_WINDOW = 250  # Updates between two looks at the share.


class Variant(NamedTuple):
  """One row: what is changed, and all settings after it."""

  change: str
  groups: int = 8
  classes: int = 8
  published_c: bool = True
  min_step: float = 0.001
  max_step: float = 0.1
  learning_rate: float = 1e-3
  action_share: float = 0.5


def variants():
  """Yields the rows."""
  variant = Variant('8 latents of 8 classes, the rest as published')
  yield variant
  variant = variant._replace(
      change='2 latents of 4 classes', groups=2, classes=4
  )
  yield variant
  variant = variant._replace(
      change='steps of the discretisation 0.005 to 0.2',
      min_step=0.005,
      max_step=0.2,
  )
  yield variant
  variant = variant._replace(
      change='C of variance 1 / P instead of 1 / (H P)', published_c=False
  )
  yield variant
  variant = variant._replace(
      change='learning rate 3e-3 instead of 1e-3', learning_rate=3e-3
  )
  yield variant
  yield variant._replace(
      change='one action taken three times in four', action_share=0.75
  )


def main(_) -> None:
  """Runs all rows and writes the table."""
  lines = [
      f'Memory length {_LENGTH.value}, {_BATCH} x {_TIME} steps an update,'
      f' {_UNITS} units, 2 layers.',
      '',
      '| change, on top of those above | updates to 95% | ms an update |',
      '|---|---|---|',
  ]
  for variant in variants():
    updates, milliseconds = _train(variant)
    reached = f'{updates:,}' if updates else f'not in {_UPDATES.value:,}'
    lines.append(f'| {variant.change} | {reached} | {milliseconds:.0f} |')
    print(lines[-1], flush=True)
  tables.insert(_DOCUMENT, 'memory_times_action', '\n'.join(lines))


def _train(variant: Variant):
  """Returns the updates until 95% (0: never) and milliseconds an update."""
  import tensorflow as tf

  from r2i_tf import config as agent_config
  from r2i_tf import networks
  from r2i_tf.agents import optimizer as optimizer_lib
  from r2i_tf.world_model import WorldModel
  from r2i_tf.world_model import losses

  tf.keras.utils.set_random_seed(_SEED.value)
  random = np.random.default_rng(_SEED.value)
  mlp = agent_config.MLPConfig(2, _UNITS)
  model = WorldModel(
      tf.TensorSpec([1, 3]),
      2,
      agent_config.WorldModelConfig(
          sequence_model=agent_config.SequenceModelConfig(
              output_size=_UNITS,
              width=_UNITS,
              s3m=agent_config.S3MConfig(
                  state_size=32,
                  layers=2,
                  blocks=4,
                  min_step=variant.min_step,
                  max_step=variant.max_step,
              ),
          ),
          latent=agent_config.LatentConfig(variant.groups, variant.classes),
          encoder=mlp,
          decoder=mlp,
          reward_head=mlp,
          continuation_head=mlp,
      ),
  )
  if variant.published_c:
    [group] = model.parameter_groups
    for variable in group.variables:
      if variable.name.split('/')[-1] == 'c:0':
        variable.assign(variable / _UNITS**0.5)
  settings = agent_config.OptimizerConfig(variant.learning_rate)
  variables = model.trainable_variables
  optimizer = optimizer_lib.GroupAdam(
      networks.ParameterGroup('model', variables, variant.learning_rate, 0.0),
      settings.epsilon,
  )

  @tf.function(jit_compile=True, autograph=False)
  def update(experience, ends, seed):
    with tf.GradientTape() as tape:
      loss, observed, _ = losses.loss(model, experience, seed)
    gradients, _ = tf.clip_by_global_norm(
        tape.gradient(loss, variables, unconnected_gradients='zero'),
        settings.clip_norm,
    )
    optimizer.apply(optimizer.join(gradients), tf.constant(True))
    predicted = model.reward(model.features.of(observed.state)).mean()
    right = tf.cast(ends & (predicted * experience.reward > 0), tf.float32)
    return tf.reduce_sum(right) / tf.reduce_sum(tf.cast(ends, tf.float32))

  shares, start = [], None
  for index in range(_UPDATES.value):
    experience, ends = _episodes(random, variant.action_share)
    share = update(experience, ends, tf.constant([_SEED.value, index]))
    if index % 10 == 0:
      shares.append(float(share))
    start = start or time.perf_counter()
    if index % _WINDOW == _WINDOW - 1:
      if np.mean(shares[-_WINDOW // 10 :]) >= 0.95:
        break
  else:
    index = -1
  count = len(shares) * 10
  return index + 1, 1e3 * (time.perf_counter() - start) / count


def _episodes(random: np.random.Generator, action_share: float):
  """Returns a batch, and where a reward ends an episode seen from its start.

  As memory_len: the observation is (time left, 0, the bit), the bit is shown at
  the first step only, and the last action should have been the bit.
  """
  from r2i_tf.world_model import Experience

  length = _LENGTH.value
  offset = random.integers(length + 1, size=(_BATCH, 1))
  steps = np.arange(_TIME) + offset
  step, episode = steps % (length + 1), steps // (length + 1)
  bits = random.integers(2, size=(_BATCH, _TIME // (length + 1) + 3))
  bit = np.take_along_axis(bits, episode, 1)
  action = (random.random((_BATCH, _TIME)) < action_share).astype(int)
  begins, ends = step == 0, step == length
  observation = np.zeros([_BATCH, _TIME, 1, 3], np.float32)
  observation[..., 0, 0] = 1 - step / length
  observation[..., 0, 2] = np.where(begins, 2 * bit - 1, 0)
  at_start = np.arange(_TIME) == 0
  is_first = begins | at_start
  previous = np.eye(2, dtype=np.float32)[action]
  previous[is_first] = 0
  reward = np.where(ends & ~at_start, np.where(action == bit, 1, -1), 0)
  seen = (episode > 0) | (offset == 0)
  experience = Experience(
      observation=observation,
      previous_action=previous,
      reward=reward.astype(np.float32),
      terminal=ends & ~at_start,
      is_first=is_first,
      is_valid=np.ones_like(begins),
      outcome_known=begins | ~at_start,
  )
  return experience, ends & seen & ~at_start


if __name__ == '__main__':
  command_line.run(main)
