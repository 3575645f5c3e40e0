"""A host's part of a run of two; a program, since each host is a process.

    python -m tests.training.hosts_program <workdir> <environment steps> \
        [<train ratio> <minutes>]

Reads TF_CONFIG, and prints the run's summary as the last line, as JSON; one
that is refused ends with the sentence and exit status 2.
"""

import dataclasses
import json
import os
import sys

from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf.training import run
from r2i_tf.training import strategies
from tests.training import fakes


def config(steps, **changes):
  """Returns the run, of two environments, one for each host."""
  return fakes.config(
      steps=steps,
      parallel_environments=2,
      prefill=40,
      train_steps_per_call=2,
      checkpoint_seconds=1e6,
      evaluation_episodes=1,
      **changes,
  )


def main(workdir, steps, train_ratio=4, minutes=None):
  """Takes this host's part."""
  changes = {'train_ratio': float(train_ratio)}
  if minutes is not None:
    changes['max_minutes'] = float(minutes)
  kind = run_config.StrategyKind.ONE_DEVICE
  if 'TF_CONFIG' in os.environ:
    kind = run_config.StrategyKind.MULTI_WORKER
  agents = []
  try:
    summary = run.train(
        config(int(steps), **changes),
        workdir,
        fakes.parts(agents),
        strategies.create(kind),
    )
  except errors.RunError as error:
    sys.exit(f'{error}')
  summary = dataclasses.replace(summary, stopped=summary.stopped.name)
  found = dataclasses.asdict(summary)
  found['weight'] = float(agents[0].weight.numpy())
  print(json.dumps(found, default=str))


if __name__ == '__main__':
  main(*sys.argv[1:])
