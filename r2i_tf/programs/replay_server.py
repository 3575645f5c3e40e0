"""Keeps the experience of a run, for collectors and a learner elsewhere.

r2i-replay-server --config=bsuite --port=8765 --workdir=runs/first/server

It listens on all interfaces and asks nobody for a password: let its port be
reached from a private network only (docs/distributed.md). Given the same
--workdir again, it goes on from its last checkpoint.
"""

from absl import flags

from r2i_tf import run_config
from r2i_tf import stack
from r2i_tf.programs import command_line
from r2i_tf.programs import config_flag


def main() -> None:
  """Runs the program."""
  config = config_flag.define()
  workdir = flags.DEFINE_string(
      'workdir', None, 'Directory of its checkpoints.', required=True
  )
  task = flags.DEFINE_string(
      'task', None, 'The task, in place of the one that --config names.'
  )
  port = flags.DEFINE_integer(
      'port',
      0,
      'The port to listen on; 0 for any that is free.',
      lower_bound=0,
      upper_bound=2**16 - 1,
  )
  command_line.run(
      lambda _: _serve(
          config_flag.run_config(config.value, task.value),
          workdir.value,
          port.value,
      )
  )


def _serve(config: run_config.RunConfig, workdir: str, port: int) -> None:
  """Serves until it is asked to stop."""
  command_line.load_tensorflow()
  stack.require_reverb()
  command_line.use_cpu()
  from r2i_tf.roles import replay_server

  replay_server.serve(config, workdir, port)
  command_line.end()
