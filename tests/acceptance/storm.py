"""A storm of faults: real processes of a run, killed at random times.

python -m tests.acceptance.storm --kills=50 --docs=docs

A server, two collectors and a learner run all the time. At random times one of
them is killed, or all; a server stays away for a while. After each the run has
to train again, within 30 seconds of the last start, or 90 where that is the
learner's, which may lose no more than a checkpoint's interval. Whatever breaks
ends the program with the logs. At the end no process is left.

With --docs the table goes into distributed.md there, and the numbers into
storm.json.
"""

import argparse
import json
import pathlib
import random
import re
import signal
import tempfile
import time

from benchmarks import tables
from r2i_tf.record import records
from r2i_tf.replay.reverb import connection
from r2i_tf.roles import ports
from tests.roles import runs

_KINDS = (
    'learner SIGKILL',
    'learner SIGTERM',
    'collector SIGKILL',
    'server SIGKILL',
    'server SIGTERM',
    'all SIGKILL',
)
_BOUND = 30.0  # Seconds from the last start until the run goes on.
_START = 60.0  # Of a learner: it compiles its train step.
_LONGEST_QUIET = 10.0
_LONGEST_OUTAGE = 45.0
# Seconds from one to the next; see `runs.SETTINGS`.
_CHECKPOINT, _RECORD = 2.0, 0.5
_AT_HAND = 8  # Train steps, at most, for which a learner has batches.
_SLACK = 2.0  # For writing it, on a machine with other work.


def main() -> None:
  """Runs the storm."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--kills', type=int, default=50)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--docs', type=pathlib.Path)
  arguments = parser.parse_args()
  rng = random.Random(arguments.seed)
  rows = []
  with tempfile.TemporaryDirectory() as directory:
    run = runs.Run(pathlib.Path(directory), ports.free_port(0), 2)
    run.start()
    try:
      run.until_trained(20, 300)
      for index in range(arguments.kills):
        row = _fault(run, _KINDS[index % len(_KINDS)], rng)
        rows.append(row)
        print(json.dumps(row), flush=True)
      for process in run.processes:
        process.send(signal.SIGTERM)
      for process in run.processes:
        assert process.wait(30) == 0, run.logs()
    finally:
      run.end()
  print(_table(rows))
  if arguments.docs:
    lines = ',\n'.join(json.dumps(row) for row in rows)
    (arguments.docs / 'storm.json').write_text(f'[\n{lines}\n]\n')
    tables.insert(arguments.docs / 'distributed.md', 'storm', _table(rows))


def _fault(run: runs.Run, kind: str, rng: random.Random) -> dict:
  """Causes a fault, and waits until the run goes on.

  Args:
    run: It trains.
    kind: One of `_KINDS`.
    rng: Of all that is random.

  Returns:
    What happened, in seconds and train steps.
  """
  time.sleep(rng.uniform(0, _LONGEST_QUIET))
  who, how = kind.split()
  victims = {
      'learner': [run.learner],
      'collector': [rng.choice(run.collectors)],
      'server': [run.server],
      'all': run.processes,
  }[who]
  outage = rng.uniform(0, _LONGEST_OUTAGE) if who == 'server' else 0.0
  killed = time.monotonic()
  for victim in victims:
    if how == 'SIGKILL':
      victim.kill()
    else:
      victim.send(signal.SIGTERM)
      assert victim.wait(30) == 0, run.logs()
  stopped = time.monotonic() - killed
  history = _history(run)
  before, last = history[-1]
  time.sleep(outage)
  for victim in victims:
    victim.start()
  started = time.monotonic()
  lost, lost_seconds = 0, 0.0
  goal = run.train_steps()
  bound = _BOUND
  if run.learner in victims:
    bound += _START
    goal = _restored(run, bound)
    lost = max(0, before - goal)
    if lost:
      first = min(second for step, second in history if step > goal)
      lost_seconds = last - first + _RECORD
    assert lost_seconds <= _CHECKPOINT + _SLACK, (lost_seconds, run.logs())
  # A learner may have some batches left, and collectors steps to report.
  left = started + bound - time.monotonic()
  run.until(
      lambda: connection.is_open(run.address), left, f'a server after {kind}'
  )
  goal += _AT_HAND
  collected = run.record()['environment_steps'] + _AT_HAND
  left = started + bound - time.monotonic()
  run.until(
      lambda: run.train_steps() > goal
      and run.record()['environment_steps'] > collected,
      left,
      f'training and collecting again after {kind}',
  )
  return {
      'fault': kind,
      'outage_seconds': round(outage, 1),
      'seconds_to_stop': round(stopped, 1),
      'seconds_until_training': round(time.monotonic() - started, 1),
      'train_steps': before,
      'lost_train_steps': lost,
      'lost_seconds': round(lost_seconds, 1),
  }


def _history(run: runs.Run) -> list[tuple[int, float]]:
  """Returns train step and second of each record of the learner."""
  found = records.read(run.workdir / 'metrics.jsonl')
  return [(record['train_steps'], 60 * record['minutes']) for record in found]


def _restored(run: runs.Run, seconds: float) -> int:
  """Waits for a learner that goes on; returns from which train step."""
  marks = re.compile(r'going on from train step ([\d,]+) of')
  starts = len(marks.findall(run.learner.text()))
  run.until(
      lambda: len(marks.findall(run.learner.text())) > starts,
      seconds,
      'a learner that goes on',
  )
  return int(marks.findall(run.learner.text())[-1].replace(',', ''))


def _table(rows: list[dict]) -> str:
  """Returns a line for each kind of fault."""
  lines = [
      '| fault | times | longest until it ended | longest until the run'
      ' trained again | most train steps lost |',
      '|---|---|---|---|---|',
  ]
  for kind in _KINDS:
    found = [row for row in rows if row['fault'] == kind]
    if found:
      lines.append(
          f'| {kind} | {len(found)} |'
          f' {max(row["seconds_to_stop"] for row in found):.1f} s |'
          f' {max(row["seconds_until_training"] for row in found):.1f} s |'
          f' {max(row["lost_train_steps"] for row in found)} |'
      )
  return '\n'.join(lines) + '\n'


if __name__ == '__main__':
  main()
