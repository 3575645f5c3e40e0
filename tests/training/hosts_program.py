"""A host's part of a run of two; a program, since each host is a process.

    python -m tests.training.hosts_program <workdir> <environment steps> \
        [<train ratio> <minutes> [overlapped]]

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
      **{'evaluation_episodes': 1, **changes},
  )


def main(workdir, steps, train_ratio=4, minutes=None, collecting=None):
  """Takes this host's part."""
  changes = {'train_ratio': float(train_ratio)}
  agents = []
  parts = fakes.parts(agents)
  if minutes is not None:
    changes['max_minutes'] = float(minutes)
  if collecting == 'overlapped':
    changes['environment_processes'] = True
    changes['collect_while_training'] = True
    changes['evaluation_episodes'] = 0
    parts = fakes.diaries(agents)
  kind = run_config.StrategyKind.ONE_DEVICE
  if 'TF_CONFIG' in os.environ:
    kind = run_config.StrategyKind.MULTI_WORKER
  try:
    summary = run.train(
        config(int(steps), **changes),
        workdir,
        parts,
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
