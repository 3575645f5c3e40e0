"""Collects experience for a run, of which it knows nothing but the address.

r2i-collect --replay_address=server:8765

The task, its options and the model are those of the run. Any number of
collectors may join a run and leave it at any time.
"""

from typing import Optional

from absl import flags

from r2i_tf import stack
from r2i_tf.programs import command_line


def main() -> None:
  """Runs the program."""
  address = flags.DEFINE_string(
      'replay_address',
      None,
      'Where the replay server is, as <host>:<port>.',
      required=True,
  )
  environments = flags.DEFINE_integer(
      'environments',
      None,
      "Environments to step together; by default the run's"
      ' parallel_environments.',
      lower_bound=1,
  )
  seed = flags.DEFINE_integer(
      'seed',
      None,
      'Seed of environments and policy; by default one is drawn.',
      lower_bound=0,
      upper_bound=2**31 - 1,
  )
  connect_seconds = flags.DEFINE_float(
      'connect_seconds', 60.0, 'How long to wait for a replay server to start.'
  )
  command_line.run(
      lambda _: _collect(
          address.value,
          environments.value,
          seed.value,
          connect_seconds.value,
      )
  )


def _collect(
    address: str,
    environments: Optional[int],
    seed: Optional[int],
    connect_seconds: float,
) -> None:
  """Collects until it is asked to stop."""
  command_line.load_tensorflow()
  stack.require_reverb()
  command_line.use_cpu()
  from r2i_tf.roles import collector

  collector.collect(address, environments, seed, connect_seconds)
  command_line.end()
