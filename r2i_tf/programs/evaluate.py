"""Runs episodes with an exported policy and prints their returns as JSON.

r2i-evaluate --policy=runs/first/policies/greedy --episodes=100
r2i-evaluate --policy=runs/first/policies/greedy --seeds=0,1,2 --parallel=8

With --follow it waits for the policy, and runs the episodes again each time
that a learner has exported a new one, until Ctrl-C or SIGTERM: one line of JSON
each.
"""

import dataclasses
import json
import os
import pathlib
import sys
from typing import Any

from absl import flags

from r2i_tf import errors
from r2i_tf import quiet
from r2i_tf import run_config
from r2i_tf.programs import command_line


def main() -> None:
  """Runs the program."""
  policy = flags.DEFINE_string(
      'policy', None, 'Directory of an exported policy.', required=True
  )
  task = flags.DEFINE_string(
      'task', None, 'The task; by default the one the policy was trained on.'
  )
  episodes = flags.DEFINE_integer(
      'episodes', 100, 'How many episodes to run with each seed.'
  )
  seeds = flags.DEFINE_list(
      'seeds', '0', 'Seeds of environments and policy, with commas between.'
  )
  max_steps = flags.DEFINE_integer(
      'max_steps',
      run_config.EVALUATION_STEPS,
      'Steps after which an episode is cut.',
  )
  parallel = flags.DEFINE_integer(
      'parallel', 1, 'Environments that the policy acts in together.'
  )
  pictures = flags.DEFINE_integer(
      'pictures',
      run_config.EVALUATION_PICTURES,
      'How many of the episodes are drawn, beside the policy.',
  )
  follow = flags.DEFINE_bool(
      'follow', False, 'Whether to score each new policy as it appears.'
  )
  command_line.run(
      lambda _: _evaluate(
          policy.value,
          follow.value,
          episodes=episodes.value,
          seeds=_numbers(seeds.value),
          task=task.value,
          max_steps=max_steps.value,
          parallel=parallel.value,
          pictures=pictures.value,
          note=lambda line: print(line, file=sys.stderr, flush=True),
      )
  )


def _numbers(seeds: list[str]) -> list[int]:
  try:
    return [int(seed) for seed in seeds]
  except ValueError as error:
    raise errors.RunError(
        f'--seeds is {",".join(seeds)!r}, but it must be whole numbers with'
        ' commas between them, such as 0,1,2.'
    ) from error


def _evaluate(policy: str, follow: bool, **how: Any) -> None:
  """Evaluates and prints.

  Args:
    policy: Its directory.
    follow: Whether to wait for others in its place.
    **how: The arguments that `evaluate` and `follow` have in common.
  """
  command_line.load_tensorflow()
  quiet.first_compilation()
  from r2i_tf.training import evaluation

  policy = os.path.expanduser(policy)
  if follow:
    from r2i_tf.training import following

    for train_steps, score in following.follow(pathlib.Path(policy), **how):
      line = {'train_steps': train_steps, **dataclasses.asdict(score)}
      del line['returns']  # They are in evaluation.json, beside the policy.
      print(json.dumps(line), flush=True)
    return
  result = evaluation.evaluate(pathlib.Path(policy), **how)
  assert result is not None  # As it is for a caller that stops it.
  print(json.dumps(dataclasses.asdict(result), indent=2))
