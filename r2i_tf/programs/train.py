"""Trains R2I on a task, from the start or from where the run stopped.

r2i-train --config=quickstart --workdir=runs/first

--strategy says where the learner's replicas are: one_device, mirrored (all GPUs
of this host), multi_worker (several hosts; docs/distributed.md) or tpu.
--config names a recipe (docs/presets.md), such as bsuite or bsuite:debug, or a
.py file of your own. --config.<field>=<value> changes a field.
"""

from typing import Optional

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
  strategy = flags.DEFINE_enum_class(
      'strategy',
      run_config.StrategyKind.ONE_DEVICE,
      run_config.StrategyKind,
      "Where the learner's replicas are.",
  )
  tpu = flags.DEFINE_string(
      'tpu',
      None,
      'The TPU of --strategy=tpu: its name or address, or local on its virtual'
      ' machine.',
  )
  command_line.run(
      lambda _: _train(
          config_flag.run_config(config.value, task.value),
          workdir.value,
          strategy.value,
          tpu.value,
      )
  )


def _train(
    config: run_config.RunConfig,
    workdir: str,
    kind: run_config.StrategyKind,
    tpu: Optional[str],
) -> None:
  """Trains, and prints the outcome."""
  command_line.load_tensorflow()
  from r2i_tf.training import run
  from r2i_tf.training import strategies

  strategy = strategies.create(kind, tpu)
  print(closing.report(run.train(config, workdir, strategy=strategy)))
