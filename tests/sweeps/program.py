"""A program of a sweep that trains nothing: a record, an outcome, an exit code.

It takes so many steps, each when it is told to: it waits while a file is there.
"""

import json
import os
import pathlib
import signal
import sys
import time

from r2i_tf.record import outcome
from r2i_tf.record import records


def main():
  flags = dict(argument[2:].split('=', 1) for argument in sys.argv[1:])
  workdir = pathlib.Path(flags['workdir'])
  stopped = []
  signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
  metrics = workdir / records.FILE
  last = records.read_last(metrics)
  step = 0 if last is None else last[records.STEP]
  print(f'from {step} on {sorted(os.sched_getaffinity(0))}', flush=True)
  if flags.get('fails') == flags['seed']:
    sys.exit('the reason')
  limit, gate = int(flags['steps']), flags.get('gate')
  while step < limit and not stopped:
    step += 1
    record = {
        records.STEP: step,
        records.TRAIN_STEP: step,
        'minutes': step / 60,
        'mean_return_200': float(step),
        'episode_steps': [step],
        'episode_returns': [float(step)],
    }
    with open(metrics, 'a', encoding='utf-8') as file:
      file.write(json.dumps(record) + '\n')
    while gate and pathlib.Path(gate).exists() and not stopped:
      time.sleep(0.01)
  if step >= limit:
    outcome.write(
        workdir, outcome.Outcome('done', step, step, step, step / 60, 7)
    )


if __name__ == '__main__':
  main()
