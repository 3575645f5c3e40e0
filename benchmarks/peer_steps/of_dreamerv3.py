"""DreamerV3's published package (JAX) as a contender: a child of `peers`.

Run by the Python of its own environment. The package's agent, replay and
training loop are used as they are; its configuration gets the sizes, the CPU,
and float32, since processors have no float16.
"""

import importlib.metadata
import pathlib
import sys
import time
from typing import Any

import dreamerv3
from dreamerv3 import agent as agent_lib
from dreamerv3 import jaxutils
from dreamerv3 import train as train_lib
import embodied
import gym
import jax
import numpy as np

from benchmarks.peer_steps import sequences
from benchmarks.peer_steps import serving
from benchmarks.peer_steps import work as work_lib

_NEVER = 1e9  # Seconds.
_SEEN = 'vector'  # The key of what is seen.
_OPTIMIZERS = {
    'world_model': 'model_opt',
    'actor': 'actor_opt',
    'critic': 'critic_opt',
}


def main() -> None:
  """Times what the command line says."""
  channel = serving.Channel()
  work = work_lib.Work.from_json(sys.argv[1])
  if work.run is None:
    _train(channel, work)
  else:
    _run(channel, work, work.run)


def _train(channel: serving.Channel, work: work_lib.Work) -> None:
  """Takes train steps on random sequences."""
  imagined = _watch_imagination()
  drawn = sequences.draw(work)
  start = time.perf_counter()
  flag = embodied.Space(bool)
  action = embodied.Space(np.float32, (work.actions,), 0, 1)
  action._discrete = True  # As the package's own OneHotAction has it.
  agent = dreamerv3.Agent(
      {
          _SEEN: embodied.Space(np.float32, (work.seen,)),
          'reward': embodied.Space(np.float32),
          'is_first': flag,
          'is_last': flag,
          'is_terminal': flag,
      },
      {'action': action, 'reset': flag},
      embodied.Counter(),
      _config(work),
  )
  batch = jax.device_put(
      {
          _SEEN: drawn.observation,
          'action': drawn.action,
          'reward': drawn.reward,
          'is_first': drawn.is_first,
          'is_last': drawn.is_last,
          'is_terminal': drawn.is_last,
          'reset': drawn.is_last,
      }
  )
  state: Any = None

  def train() -> dict[str, Any]:
    nonlocal state
    _, state, metrics = agent.train(batch, state)
    jax.block_until_ready(agent.varibs)
    return metrics

  loss = float(train()['model_loss_mean'])
  facts = {
      **_facts(),
      'first_step_s': time.perf_counter() - start,
      'loss': loss,
      'imagined': imagined[-1],
  }
  serving.serve(channel, facts, train)


def _run(
    channel: serving.Channel, work: work_lib.Work, run: work_lib.Run
) -> None:
  """Conducts a run of CartPole, as the script `train` of the package does."""
  trained = 0
  gate = serving.Gate(channel, run.free, lambda: trained)
  task = f'gym_{serving.register(gym, gate)}'
  directory = pathlib.Path(run.directory)
  config = _config(work).update(
      {
          'task': task,
          'envs.amount': run.environments,
          'envs.parallel': 'none',
          'run.train_ratio': run.train_ratio,
          'run.train_fill': run.prefill,
          # While it waits at the gate its clock goes on.
          'run.log_every': _NEVER,
          'run.save_every': _NEVER,
      }
  )
  args = embodied.Config(
      **config.run,
      logdir=run.directory,
      batch_steps=work.batch_size * work.length,
  )
  step = embodied.Counter()
  logger = embodied.Logger(step, [embodied.logger.TerminalOutput()])
  environment = train_lib.make_envs(config, obs_key=_SEEN)
  replay = train_lib.make_replay(
      config, embodied.Path(str(directory / 'replay'))
  )
  agent = dreamerv3.Agent(
      environment.obs_space, environment.act_space, step, config
  )
  train = agent.train

  def counted(*arguments: Any) -> Any:
    nonlocal trained
    trained += 1
    return train(*arguments)

  agent.train = counted
  embodied.run.train(agent, environment, replay, logger, args)


def _config(work: work_lib.Work) -> embodied.Config:
  """Returns the package's defaults with equal sizes."""
  sizes = work.sizes
  return embodied.Config(dreamerv3.configs['defaults']).update(
      {
          'jax.platform': 'cpu',
          'jax.precision': 'float32',
          'jax.prealloc': False,
          'batch_size': work.batch_size,
          'batch_length': work.length,
          'imag_horizon': sizes.horizon,
          'rssm.deter': sizes.units,
          'rssm.stoch': sizes.groups,
          'rssm.classes': sizes.classes,
          r'.*\.layers': sizes.layers,
          r'.*\.mlp_layers': sizes.layers,
          r'.*\.units': sizes.units,
          r'.*\.mlp_units': sizes.units,
          r'.*\.bins': sizes.bins,
          r'.*coder\.mlp_keys': _SEEN,
          r'.*coder\.cnn_keys': '$^',
      }
  )


def _watch_imagination() -> list[int]:
  """Returns a list that gets the states of each imagination that is traced."""
  imagined: list[int] = []
  imagine = agent_lib.WorldModel.imagine

  def watched(self: Any, *arguments: Any) -> Any:
    trajectory = imagine(self, *arguments)
    steps, starts = trajectory['deter'].shape[:2]
    imagined.append((steps - 1) * starts)  # The first are the starts.
    return trajectory

  agent_lib.WorldModel.imagine = watched
  return imagined


def _facts() -> dict[str, Any]:
  counts = {
      path.rsplit('/', 1)[-1]: int(count)
      for path, count in jaxutils.Optimizer.PARAM_COUNTS.items()
  }
  return {
      'parameters': {
          part: counts[optimizer] for part, optimizer in _OPTIMIZERS.items()
      },
      'versions': {
          name: importlib.metadata.version(name)
          for name in ('dreamerv3', 'jax')
      },
  }


if __name__ == '__main__':
  main()
