"""Trains R2I on a task, from the start or from where the run stopped.

r2i-train --config=quickstart --workdir=runs/first

--strategy says where the learner's replicas are: one_device, mirrored (all GPUs
of this host), multi_worker (several hosts) or tpu. With
--config.replay.kind=reverb it is the learner of a run with a replay server at
--replay_address. docs/distributed.md explains both.

--config names a recipe (docs/presets.md), such as bsuite or bsuite:debug, or a
.py file of your own. --config.<field>=<value> changes a field.
"""

from typing import Optional

from absl import flags

from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf import stack
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
  address = flags.DEFINE_string(
      'replay_address',
      None,
      'Where the replay server is, as <host>:<port>, for'
      ' --config.replay.kind=reverb.',
  )
  connect_seconds = flags.DEFINE_float(
      'connect_seconds', 60.0, 'How long to wait for a replay server to start.'
  )
  command_line.run(
      lambda _: _train(
          config_flag.run_config(config.value, task.value),
          workdir.value,
          strategy.value,
          tpu.value,
          address.value,
          connect_seconds.value,
      )
  )


def _train(
    config: run_config.RunConfig,
    workdir: str,
    kind: run_config.StrategyKind,
    tpu: Optional[str],
    address: Optional[str],
    connect_seconds: float,
) -> None:
  """Trains, and prints the outcome."""
  is_remote = config.replay.kind == run_config.ReplayKind.REVERB
  if is_remote != (address is not None):
    raise errors.RunError(
        f'replay.kind is {config.replay.kind.value!r} and --replay_address is'
        f' {address}, but a replay server needs both'
        ' --config.replay.kind=reverb and --replay_address=<host>:<port>, and'
        ' any other replay neither.'
    )
  command_line.load_tensorflow()
  if address is not None:
    stack.require_reverb()
  from r2i_tf.training import run
  from r2i_tf.training import strategies

  strategy = strategies.create(kind, tpu)
  if address is None:
    closing.close(run.train(config, workdir, strategy=strategy))
    return
  from r2i_tf.roles import learner

  summary = learner.train(
      config, workdir, address, connect_seconds, strategy=strategy
  )
  if summary is not None:
    closing.close(summary)
  command_line.end()
