"""Does every task run? Makes each one, resets it and takes a few steps.

The tests do that for one of each kind and where it is quick for all; this takes
minutes:

  python -m tests.acceptance.every_task
  python -m tests.acceptance.every_task --match=dmc --vision

BSuite's mnist tasks fetch their data set from the network.
"""

import sys
import time

from absl import flags
import numpy as np

from r2i_tf.programs import command_line

_MATCH = flags.DEFINE_string('match', '', 'Only tasks that hold this.')
_STEPS = flags.DEFINE_integer('steps', 5, 'Of each task.')
_VISION = flags.DEFINE_bool('vision', False, 'Images of the control suite.')


def main(_) -> None:
  """Runs all tasks and ends with an error if one of them failed."""
  from r2i_tf import environments

  observations = 'VISION' if _VISION.value else 'PROPRIO'
  options = environments.SuiteOptions(
      dmc=environments.DmcOptions(environments.DmcObservations[observations])
  )
  tasks = [t for t in environments.list_tasks() if _MATCH.value in t]
  failed, start = [], time.monotonic()
  for task in tasks:
    try:
      _run(environments, task, options)
    except Exception as error:
      # Whatever it is, the others are still to be tried.
      failed.append(task)
      print(f'{task}: {type(error).__name__}: {error}', flush=True)
  seconds = time.monotonic() - start
  print(f'{len(tasks) - len(failed)} of {len(tasks)} ran, {seconds:.0f} s')
  for sentence in environments.missing_suites():
    print(sentence)
  sys.exit(bool(failed))


def _run(environments, task, options) -> None:
  from r2i_tf.agents import spec_checks

  environment = environments.load(task, 0, options)
  spec_checks.check_specs(
      environment.time_step_spec(), environment.action_spec()
  )
  spec, random = environment.action_spec(), np.random.default_rng(0)
  environment.reset()
  for _ in range(_STEPS.value):
    if spec.dtype.kind == 'f':
      action = random.uniform(spec.minimum, spec.maximum, spec.shape)
    else:
      action = random.integers(spec.minimum, spec.maximum, endpoint=True)
    environment.step(np.asarray(action, spec.dtype))
  environment.close()


if __name__ == '__main__':
  command_line.run(main)
