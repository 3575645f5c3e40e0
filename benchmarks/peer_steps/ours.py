"""r2i_tf as one of the contenders: a child of `benchmarks.peers`."""

import dataclasses
import math
import sys
import time
from typing import Any

from benchmarks.peer_steps import serving
from benchmarks.peer_steps import work as work_lib
from r2i_tf import config as agent_config
from r2i_tf import run_config
from r2i_tf.programs import command_line

_NEVER = 1e9  # Seconds.


def main() -> None:
  """Times what the command line says."""
  channel = serving.Channel()
  work = work_lib.Work.from_json(sys.argv[1])
  command_line.load_tensorflow()
  if work.run is None:
    _train(channel, work)
  else:
    _run(channel, work, work.run)


def _train(channel: serving.Channel, work: work_lib.Work) -> None:
  """Takes train steps on random trajectories."""
  import tensorflow as tf

  from benchmarks import agents
  from benchmarks import timing

  start = time.perf_counter()
  agent = agents.build(agents.vector_setting('peers', _config(work)))
  experience = agents.trajectories(agent, work.batch_size, work.length)
  train = tf.function(agent.train, autograph=False)
  _, info = timing.timed(lambda: train(experience))
  facts = {
      **_facts(agent),
      'first_step_s': time.perf_counter() - start,
      'loss': float(info.loss),
      'imagined': work.imagined,
  }
  serving.serve(channel, facts, lambda: timing.timed(lambda: train(experience)))


def _run(
    channel: serving.Channel, work: work_lib.Work, run: work_lib.Run
) -> None:
  """Conducts a run of CartPole, as `r2i-train` does."""
  import gymnasium

  from r2i_tf import training
  from r2i_tf.training import parts as parts_lib

  built = []

  def build(*arguments: Any) -> Any:
    built.append(parts_lib.R2I_PARTS.build_agent(*arguments))
    return built[0]

  gate = serving.Gate(
      channel,
      run.free,
      lambda: int(built[0].train_step_counter),
  )
  config = run_config.RunConfig(
      task=f'gymnasium/{serving.register(gymnasium, gate)}',
      steps=10**9,
      parallel_environments=run.environments,
      prefill=run.prefill,
      train_ratio=run.train_ratio,
      replay=run_config.ReplayConfig(
          capacity=100_000,
          batch_size=work.batch_size,
          sequence_length=work.length,
      ),
      # While it waits at the gate its clock goes on.
      log_seconds=_NEVER,
      report_seconds=None,
      checkpoint_seconds=_NEVER,
      evaluation_episodes=0,
      agent=_config(work),
  )
  parts = dataclasses.replace(parts_lib.R2I_PARTS, build_agent=build)
  training.train(config, run.directory, parts)


def _config(work: work_lib.Work) -> agent_config.R2IConfig:
  """Returns the configuration of an agent with equal sizes."""
  from benchmarks import agents
  from benchmarks import train_step

  sizes = work.sizes
  config = agents.plain_config(
      sizes.units,
      sizes.layers,
      sizes.state_size,
      sizes.state_layers,
      sizes.horizon,
  )
  return train_step.of_kind(config, work.model)


def _facts(agent: Any) -> dict[str, Any]:
  import tensorflow as tf

  from r2i_tf import __version__

  behavior = agent.behavior
  parts = {
      'world_model': agent.world_model.trainable_variables,
      'actor': behavior.actor_variables,
      'critic': behavior.critic_variables,
  }
  return {
      'parameters': {
          name: sum(math.prod(variable.shape) for variable in variables)
          for name, variables in parts.items()
      },
      'versions': {'r2i_tf': __version__, 'tensorflow': tf.__version__},
  }


if __name__ == '__main__':
  main()
