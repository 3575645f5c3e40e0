"""A real training run with its replay on disk: little memory, and kills.

  python -m tests.acceptance.replay_on_disk            both, into docs/
  python -m tests.acceptance.replay_on_disk --kills=3 --times=0.1

First `launch/train.py` collects and trains while the system refuses it more
private memory than a limit (RLIMIT_DATA), until its replay has --times as many
bytes. The limit is on private memory alone: what is mapped or cached of files
is the system's to take back. Then a run is killed by SIGKILL at random times
and started again; each start must go on from the newest checkpoint that was
there.
"""

import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from absl import flags
import psutil

from benchmarks import tables
from r2i_tf.programs import command_line

_TIMES = flags.DEFINE_float(
    'times', 10.0, 'Replay over memory limit; 0 leaves this run out.'
)
_KILLS = flags.DEFINE_integer('kills', 50, 'How often the run is killed.')
_DIRECTORY = flags.DEFINE_string(
    'directory', None, 'Where to write; by default the place of the system.'
)

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_DOCS = _ROOT / 'docs'
_LIMIT = 2_400_000_000  # Bytes; compiling takes more than 1.6 GB.
_STEP_BYTES = 256 * 256 + 24
_STEPS_BEFORE_A_KILL = 12.0  # Seconds, at most, after the first checkpoint.
_SEED = 0

_IMAGES = (
    '--config=learning:catch_images',
    '--config.environment.bsuite.image_size=256',
    '--config.agent.world_model.cnn_depth=2',
    '--config.parallel_environments=16',
    '--config.replay.batch_size=2',
    '--config.train_ratio=0.05',
    '--config.stop_at_return=None',
    '--config.evaluation_episodes=0',
)
_SMALL = (
    '--config=bsuite:debug',
    '--config.steps=10_000_000',
    '--config.replay.capacity=4_000',
    '--config.prefill=512',
    '--config.train_ratio=1',
    '--config.checkpoint_seconds=1',
)


def main(_: Any) -> None:
  """Conducts both runs and writes what came of them."""
  directory = pathlib.Path(tempfile.mkdtemp(dir=_DIRECTORY.value))
  try:
    record = {'kills': killed(directory / 'killed', _KILLS.value)}
    if _TIMES.value:
      record['limit'] = limited(directory / 'limited', _TIMES.value)
  finally:
    shutil.rmtree(directory)
  print(json.dumps(record, indent=1))
  if _TIMES.value < 10 or _KILLS.value < 50:
    return
  text = json.dumps(record, indent=1)
  (_DOCS / 'replay_on_disk.json').write_text(text + '\n')
  tables.insert(_DOCS / 'replay.md', 'replay_on_disk', _table(record))


def limited(workdir: pathlib.Path, times: float) -> dict[str, Any]:
  """Trains with a replay of so many times the memory that may be taken.

  Args:
    workdir: Of the run.
    times: Bytes of the replay over those of the limit.

  Returns:
    What it held and did.

  Raises:
    AssertionError: The run failed.
  """
  steps = int(times * _LIMIT / _STEP_BYTES)
  start = time.monotonic()
  process = _started(
      workdir,
      *_IMAGES,
      f'--config.steps={steps}',
      f'--config.replay.capacity={steps}',
      limit=_LIMIT,
  )
  most = 0
  while process.poll() is None:
    most = max(most, _private_bytes(process.pid))
    time.sleep(1)
  assert process.returncode == 0, (workdir / 'log').read_text()
  last = (workdir / 'metrics.jsonl').read_text().splitlines()[-1]
  chunks = sum(p.stat().st_size for p in (workdir / 'replay').iterdir())
  result = {
      'limit_bytes': _LIMIT,
      'most_bytes': most,
      'replay_bytes': chunks,
      'steps': steps,
      'train_steps': json.loads(last)['train_steps'],
      'minutes': (time.monotonic() - start) / 60,
  }
  shutil.rmtree(workdir)
  return result


def killed(workdir: pathlib.Path, kills: int) -> dict[str, Any]:
  """Kills a run again and again.

  Args:
    workdir: Of the run.
    kills: How often.

  Returns:
    By kill, the newest checkpoint before it and the step that the next start
    went on from.

  Raises:
    AssertionError: A start refused, or went on from an older checkpoint.
  """
  random.seed(_SEED)
  rows = []
  for kill in range(kills + 1):
    before = _newest(workdir)
    process = _started(workdir, *_SMALL)
    while _newest(workdir) <= before:
      assert process.poll() is None, (workdir / 'log').read_text()
      time.sleep(0.05)
    log = (workdir / 'log').read_text()
    assert 'cannot be read' not in log and 'damaged' not in log, log
    if before:
      assert f'going on from step {before:,} ' in log, log
      rows.append({'kill': kill, 'checkpoint': before, 'went_on_from': before})
    time.sleep(random.uniform(0, _STEPS_BEFORE_A_KILL))
    process.send_signal(signal.SIGKILL)
    process.wait()
  return {'kills': kills, 'rows': rows}


def _started(
    workdir: pathlib.Path, *arguments: str, limit: int = resource.RLIM_INFINITY
) -> subprocess.Popen:
  """Starts `launch/train.py`, whose output goes to <workdir>/log."""
  workdir.mkdir(parents=True, exist_ok=True)

  def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

  with open(workdir / 'log', 'w') as log:
    return subprocess.Popen(
        [
            sys.executable,
            'launch/train.py',
            f'--workdir={workdir}',
            *arguments,
            '--config.replay.kind=disk',
        ],
        cwd=_ROOT,
        env={**os.environ, 'PYTHONPATH': str(_ROOT)},
        stdout=log,
        stderr=subprocess.STDOUT,
        preexec_fn=limit_memory,
    )


def _private_bytes(pid: int) -> int:
  try:
    return psutil.Process(pid).memory_info().data
  except psutil.NoSuchProcess:
    return 0


def _newest(workdir: pathlib.Path) -> int:
  """Returns the environment step of the newest checkpoint; 0 without one."""
  found = (workdir / 'checkpoints').glob('[0-9]*')
  return max((int(p.name.partition('-')[0]) for p in found), default=0)


def _table(record: dict[str, Any]) -> str:
  limit, kills = record['limit'], record['kills']
  return (
      '| | |\n|---|---|\n'
      f'| memory that the process may take | {limit["limit_bytes"] / 1e9:.1f}'
      ' GB |\n'
      f'| most that it took | {limit["most_bytes"] / 1e9:.2f} GB |\n'
      f'| its replay | {limit["replay_bytes"] / 1e9:.1f} GB |\n'
      f'| environment steps | {limit["steps"]:,} |\n'
      f'| train steps | {limit["train_steps"]:,} |\n'
      f'| minutes | {limit["minutes"]:.0f} |\n'
      f'| kills | {kills["kills"]} |\n'
      f'| starts that went on from the newest checkpoint | {len(kills["rows"])}'
      ' |\n'
  )


if __name__ == '__main__':
  command_line.run(main)
