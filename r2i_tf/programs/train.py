"""Trains R2I on a task, from the start or from where the run stopped.

r2i-train --config=quickstart --workdir=runs/first

--config names a recipe (docs/presets.md), such as bsuite or bsuite:debug, or a
.py file of your own. --config.<field>=<value> changes a field.
"""

from absl import flags

from r2i_tf import run_config
from r2i_tf.programs import closing
from r2i_tf.programs import command_line
from r2i_tf.programs import config_flag


def main() -> None:
  """Runs the program."""
  config = config_flag.define()
  workdir = flags.DEFINE_string(
      'workdir',
      None,
      'Directory of the run; if it holds one, that one goes on.',
      required=True,
  )
  task = flags.DEFINE_string(
      'task', None, 'The task, in place of the one that --config names.'
  )
  command_line.run(
      lambda _: _train(
          config_flag.run_config(config.value, task.value), workdir.value
      )
  )


def _train(config: run_config.RunConfig, workdir: str) -> None:
  """Trains, and prints the outcome."""
  command_line.load_tensorflow()
  from r2i_tf.training import run

  print(closing.report(run.train(config, workdir)))
