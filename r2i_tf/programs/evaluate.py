"""Runs episodes with an exported policy and prints their returns as JSON.

r2i-evaluate --policy=runs/first/policies/greedy --episodes=100

With --follow it waits for the policy, and runs the episodes again each time
that a learner has exported a new one, until Ctrl-C or SIGTERM: one line of JSON
each.
"""

import dataclasses
import json
import pathlib
from typing import Optional

from absl import flags

from r2i_tf.programs import command_line


def main() -> None:
  """Runs the program."""
  policy = flags.DEFINE_string(
      'policy', None, 'Directory of an exported policy.', required=True
  )
  task = flags.DEFINE_string(
      'task', None, 'The task; by default the one the policy was trained on.'
  )
  episodes = flags.DEFINE_integer('episodes', 100, 'How many episodes to run.')
  seed = flags.DEFINE_integer('seed', 0, 'Seed of environment and policy.')
  follow = flags.DEFINE_bool(
      'follow', False, 'Whether to score each new policy as it appears.'
  )
  command_line.run(
      lambda _: _evaluate(
          policy.value, episodes.value, seed.value, task.value, follow.value
      )
  )


def _evaluate(
    policy: str, episodes: int, seed: int, task: Optional[str], follow: bool
) -> None:
  """Evaluates and prints."""
  command_line.load_tensorflow()
  from r2i_tf.training import evaluation

  if follow:
    from r2i_tf.training import following

    for train_steps, score in following.follow(
        pathlib.Path(policy), episodes, seed, task
    ):
      line = {'train_steps': train_steps, **dataclasses.asdict(score)}
      del line['returns']  # They are in evaluation.json, beside the policy.
      print(json.dumps(line), flush=True)
    return
  result = evaluation.evaluate(
      pathlib.Path(policy), episodes, seed=seed, task=task
  )
  assert result is not None  # As it is for a caller that stops it.
  print(json.dumps(dataclasses.asdict(result), indent=2))
