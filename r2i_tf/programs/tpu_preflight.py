"""Says whether the train step of a configuration fits a TPU; needs no TPU.

r2i-tpu-preflight --config=bsuite --topology=v5e:2x2

Ends with 0 if it fits, with 1 if it does not, with 2 if it could not be asked.
"""

import sys

from absl import flags

from r2i_tf import run_config
from r2i_tf.programs import command_line
from r2i_tf.programs import config_flag


def main() -> None:
  """Runs the program."""
  config = config_flag.define()
  topology = flags.DEFINE_string(
      'topology', None, 'The TPU, such as v5e:2x2.', required=True
  )
  workdir = flags.DEFINE_string(
      'workdir',
      'runs/preflight',
      'Directory of the compiler, installed on first use, and of'
      ' preflight.json.',
  )
  replicas = flags.DEFINE_integer(
      'replicas',
      1,
      'How many chips share a batch; the program is that of one of them, with'
      ' what they exchange.',
  )
  task = flags.DEFINE_string(
      'task', None, 'The task, in place of the one that --config names.'
  )
  command_line.run(
      lambda _: _check(
          config_flag.run_config(config.value, task.value),
          topology.value,
          workdir.value,
          replicas.value,
      )
  )


def _check(
    config: run_config.RunConfig, topology: str, workdir: str, replicas: int
) -> None:
  """Compiles, and prints the report."""
  command_line.load_tensorflow()
  from r2i_tf import tpu

  report = tpu.check(config, topology, workdir, replicas)
  print(tpu.describe(report))
  sys.exit(0 if report.fits else 1)
