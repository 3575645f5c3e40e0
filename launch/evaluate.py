"""Runs episodes with an exported policy and prints their returns as JSON.

python launch/evaluate.py --policy=runs/first/policies/greedy --episodes=100
"""

import dataclasses
import json
import pathlib

from absl import flags

from r2i_tf.programs import command_line

_POLICY = flags.DEFINE_string(
    'policy', None, 'Directory of an exported policy.', required=True
)
_TASK = flags.DEFINE_string(
    'task', None, 'The task; by default the one the policy was trained on.'
)
_EPISODES = flags.DEFINE_integer('episodes', 100, 'How many episodes to run.')
_SEED = flags.DEFINE_integer('seed', 0, 'Seed of environment and policy.')


def main(_) -> None:
  """Evaluates and prints."""
  # TensorFlow loads only once the flags are right.
  from r2i_tf.training import evaluation

  result = evaluation.evaluate(
      pathlib.Path(_POLICY.value),
      _EPISODES.value,
      seed=_SEED.value,
      task=_TASK.value,
  )
  print(json.dumps(dataclasses.asdict(result), indent=2))


if __name__ == '__main__':
  command_line.run(main)
