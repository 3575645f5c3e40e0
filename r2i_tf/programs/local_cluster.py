"""Runs a replay server, collectors, a learner and an evaluator on one machine.

r2i-local-cluster --config=quickstart --collectors=2 --workdir=runs/first

The learner's directory is <workdir>/learner, the server's <workdir>/server.
Given the same --workdir again, both go on.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import pathlib
import re
import sys

from absl import flags

from r2i_tf import run_config
from r2i_tf import stack
from r2i_tf.programs import command_line
from r2i_tf.programs import config_flag

_PATIENCE = 24 * 60 * 60  # Seconds.


def main() -> None:
  """Runs the program."""
  config = config_flag.define()
  workdir = flags.DEFINE_string(
      'workdir', None, 'Directory of the run.', required=True
  )
  task = flags.DEFINE_string(
      'task', None, 'The task, in place of the one that --config names.'
  )
  collectors = flags.DEFINE_integer(
      'collectors', 2, 'How many collectors.', lower_bound=1
  )
  evaluator = flags.DEFINE_bool(
      'evaluator', True, 'Whether to score each policy that is exported.'
  )
  port = flags.DEFINE_integer(
      'port', 0, "The replay server's; 0 for any that is free.", lower_bound=0
  )
  restarts = flags.DEFINE_integer(
      'restarts', 10, 'How often each role may be started again.', lower_bound=0
  )
  command_line.run(
      lambda _: _run(
          config_flag.run_config(config.value, task.value),
          workdir.value,
          collectors.value,
          evaluator.value,
          port.value,
          restarts.value,
      )
  )


def _run(
    config: run_config.RunConfig,
    workdir: str,
    collectors: int,
    evaluator: bool,
    port: int,
    restarts: int,
) -> None:
  """Runs all roles."""
  stack.require_reverb()
  stack.require_tf_agents()
  # No TensorFlow here: its threads and a fork do not go together.
  from r2i_tf.roles import local_cluster
  from r2i_tf.roles import ports

  port = ports.free_port(port)
  path = pathlib.Path(workdir).expanduser()
  # The cluster knows whether its server runs; to load a large checkpoint takes
  # that a while.
  address = [
      f'--replay_address=localhost:{port}',
      f'--connect_seconds={_PATIENCE}',
  ]
  # What the command line says of the configuration, for all alike.
  settings = _settings(sys.argv[1:])
  settings.append('--config.replay.kind=reverb')
  server = [
      *command_line.program('replay_server'),
      *settings,
      f'--workdir={path / "server"}',
      f'--port={port}',
  ]
  learner = [
      *command_line.program('train'),
      *settings,
      f'--workdir={path / "learner"}',
      *address,
  ]
  others = [('learner', learner)]
  for index in range(collectors):
    others.append(
        (f'collector {index}', [*command_line.program('collect'), *address])
    )
  if evaluator:
    policy = path / 'learner' / 'policies' / 'greedy'
    others.append(
        (
            'evaluator',
            [
                *command_line.program('evaluate'),
                f'--policy={policy}',
                '--follow',
                f'--episodes={max(1, config.evaluation_episodes)}',
                f'--max_steps={config.evaluation_steps}',
                f'--pictures={config.evaluation_pictures}',
            ],
        )
    )
  sys.exit(local_cluster.run(server, others, restarts))


def _settings(arguments: Sequence[str]) -> list[str]:
  """Returns the flags of the run itself: --config, its fields, --task."""

  def chosen() -> Iterator[str]:
    rest = iter(arguments)
    for argument in rest:
      if re.match(r'--?(no)?(config|task)\b', argument):
        yield argument
        if argument.lstrip('-') in ('config', 'task'):
          yield next(rest)  # --config bsuite

  return list(chosen())
