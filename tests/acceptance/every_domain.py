"""Does every domain train? A short run of each domain's recipe, all the way.

From the real environment over a train step to the evaluation of the exported
policy, through launch/train.py with the domain's debug variant:

  python -m tests.acceptance.every_domain
  python -m tests.acceptance.every_domain --domain=memory_maze

A domain whose environment this machine cannot make is skipped, with the reason.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from absl import flags

from r2i_tf import environments
from r2i_tf import run_config
from r2i_tf.programs import command_line
from r2i_tf.record import records

DOMAINS = (
    'bsuite',
    'popgym',
    'memory_maze',
    'atari100k',
    'dmc_proprio',
    'dmc_vision',
)
DOMAIN = flags.DEFINE_multi_enum('domain', DOMAINS, DOMAINS, 'Which to run.')
_ROOT = pathlib.Path(__file__).resolve().parents[2]
# What is compiled is small; what is run, short.
_SHORT = {
    'steps': 40,
    'parallel_environments': 2,
    'prefill': 36,
    'train_ratio': 4.0,  # One train step, for the last four.
    'replay.batch_size': 2,
    'replay.sequence_length': 8,
    'evaluation_episodes': 1,
    'agent.behavior.horizon': 2,
    'agent.world_model.sequence_model.s3m.layers': 1,
    'environment.atari.max_frames': 400,
}


# Acts once on zeros, in TensorFlow alone.
_ACT = """
import sys
import tensorflow as tf
action = tf.saved_model.load(sys.argv[1]).signatures['action']
taken = action(**{
    name: tf.zeros([size or 1 for size in spec.shape], spec.dtype)
    for name, spec in action.structured_input_signature[1].items()
})
assert taken['action'].shape[0] == 1, taken
assert not {'r2i_tf', 'tf_agents', 'tensorflow_probability'} & set(sys.modules)
"""


class Skipped(Exception):
  """A domain whose environment cannot be made here; says why."""


@dataclasses.dataclass(frozen=True)
class Result:
  """What came of the short run of a domain.

  Attributes:
    task: Its task.
    mean_return: Of the exported policy, in one episode.
    seconds: Of all of it.
  """

  task: str
  mean_return: float
  seconds: float


def main(_) -> None:
  """Runs the domains and ends with an error if one of them failed."""
  failed = []
  for domain in DOMAIN.value:
    with tempfile.TemporaryDirectory() as directory:
      try:
        result = run(domain, pathlib.Path(directory))
        print(f'{domain}: ran in {result.seconds:.0f} s, {result.task}')
      except Skipped as reason:
        print(f'{domain}: skipped, {reason}')
      except AssertionError as error:
        failed.append(domain)
        print(f'{domain}: failed\n{error}')
    sys.stdout.flush()
  sys.exit(bool(failed))


def run(domain: str, workdir: pathlib.Path) -> Result:
  """Runs a domain in a process of its own and checks what it leaves.

  Args:
    domain: A recipe with the variant debug.
    workdir: Gets the run.

  Raises:
    Skipped: Its environment cannot be made here.
    AssertionError: The program failed, or something is missing.
  """
  from r2i_tf.training import checkpoints

  config = run_config.RunConfig.preset(domain, 'debug')
  try:
    environments.load(config.task, 0, config.environment).close()
  except environments.MissingSuiteError as error:
    raise Skipped(str(error)) from error
  start = time.monotonic()
  ended = subprocess.run(
      [
          sys.executable,
          'launch/train.py',
          f'--config={domain}:debug',
          f'--workdir={workdir}',
          *(f'--config.{name}={value}' for name, value in _SHORT.items()),
      ],
      cwd=_ROOT,
      env={**os.environ, 'PYTHONPATH': str(_ROOT)},
      capture_output=True,
      text=True,
  )
  assert ended.returncode == 0, ended.stderr
  *_, last = records.read(workdir / 'metrics.jsonl')
  assert last['train_steps'] == 1 and last['loss'] is not None, last
  assert last['train/refused'] == 0, last
  assert last['environment_restarts'] == 0, last
  newest = checkpoints.checkpoints_in(workdir / 'checkpoints')[-1]
  step = checkpoints.step_of(newest)
  assert step == last['environment_steps'] == 40, newest
  greedy = workdir / 'policies' / 'greedy'
  acted = subprocess.run(
      [sys.executable, '-c', _ACT, greedy], capture_output=True, text=True
  )
  assert acted.returncode == 0, acted.stderr
  evaluation = workdir / 'policies' / 'greedy' / 'evaluation.json'
  assert evaluation.exists(), ended.stderr + ended.stdout
  result = json.loads(evaluation.read_text())
  return Result(config.task, result['mean'], time.monotonic() - start)


if __name__ == '__main__':
  command_line.run(main)
