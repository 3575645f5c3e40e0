"""Says whether the train step of a configuration fits a TPU; needs no TPU.

python launch/tpu_preflight.py --config=configs/bsuite.py --topology=v5e:2x2

Ends with 0 if it fits, with 1 if it does not, with 2 if it could not be asked.
"""

import sys

from absl import flags

from r2i_tf.programs import command_line

_CONFIG = command_line.define_config()
_TOPOLOGY = flags.DEFINE_string(
    'topology', None, 'The TPU, such as v5e:2x2.', required=True
)
_WORKDIR = flags.DEFINE_string(
    'workdir',
    'runs/preflight',
    'Directory of the compiler, installed on first use, and of preflight.json.',
)
_TASK = flags.DEFINE_string(
    'task', None, 'The task, in place of the one that --config names.'
)


def main(_) -> None:
  """Compiles, and says what came of it."""
  # TensorFlow loads only once the flags are right.
  from r2i_tf import tpu as preflight

  config = command_line.run_config(_CONFIG.value, _TASK.value)
  report = preflight.check(config, _TOPOLOGY.value, _WORKDIR.value)
  print(preflight.describe(report))
  sys.exit(0 if report.fits else 1)


if __name__ == '__main__':
  command_line.run(main)
