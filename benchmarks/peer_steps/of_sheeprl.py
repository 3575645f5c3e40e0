"""sheeprl's DreamerV3 (PyTorch) as a contender: a child of `peers`.

Run by the Python of its own environment. The package's configuration, models,
train step and program are used as they are; they get the sizes, the cores that
there are, and no videos.
"""

from collections.abc import Callable
import importlib.metadata
import os
import sys
import time
from typing import Any

import gymnasium
import hydra
from lightning.fabric import Fabric
import numpy as np
from omegaconf import OmegaConf
from sheeprl import cli
from sheeprl.algos.dreamer_v3 import agent as agent_lib
from sheeprl.algos.dreamer_v3 import dreamer_v3
from sheeprl.algos.dreamer_v3 import utils
from sheeprl.utils.utils import dotdict
import torch

from benchmarks.peer_steps import sequences
from benchmarks.peer_steps import serving
from benchmarks.peer_steps import work as work_lib

_NEVER = 10**9  # Environment steps.
_SEEN = 'vector'  # The key of what is seen.


def main() -> None:
  """Times what the command line says."""
  channel = serving.Channel()
  work = work_lib.Work.from_json(sys.argv[1])
  torch.set_num_threads(_cores())
  if work.run is None:
    _train(channel, work)
  else:
    _run(channel, work, work.run)


def _train(channel: serving.Channel, work: work_lib.Work) -> None:
  """Takes train steps on random sequences."""
  start = time.perf_counter()
  config = _config(work)
  torch.set_float32_matmul_precision(config.float32_matmul_precision)
  fabric = hydra.utils.instantiate(config.fabric, _convert_='all')
  imagined = _watch_imagination()
  train, aggregator, models = _step(work, config, fabric)
  train()
  loss = float(aggregator.compute()['Loss/world_model_loss'])
  facts = {
      **_facts(*models),
      'first_step_s': time.perf_counter() - start,
      'loss': loss,
      'imagined': sum(imagined),
  }
  serving.serve(channel, facts, train)


def _step(
    work: work_lib.Work, config: Any, fabric: Fabric
) -> tuple[Callable[[], None], Any, tuple[torch.nn.Module, ...]]:
  """Returns a train step, its metrics, and the models that it trains.

  The package's program builds all of this before its loop, in one function with
  it: here it is built in the same way.
  """
  space = gymnasium.spaces.Dict(
      {_SEEN: gymnasium.spaces.Box(-1, 1, (work.seen,), np.float32)}
  )
  world_model, actor, critic, slow_critic, _ = dreamer_v3.build_agent(
      fabric, (work.actions,), False, config, space
  )
  optimizers = fabric.setup_optimizers(
      *(
          hydra.utils.instantiate(
              part.optimizer, params=model.parameters(), _convert_='all'
          )
          for part, model in (
              (config.algo.world_model, world_model),
              (config.algo.actor, actor),
              (config.algo.critic, critic),
          )
      )
  )
  moments = config.algo.actor.moments
  normalizer = utils.Moments(
      moments.decay,
      moments.max,
      moments.percentile.low,
      moments.percentile.high,
  )
  aggregator = hydra.utils.instantiate(
      config.metric.aggregator, _convert_='all'
  )
  batch = _batch(work)

  def train() -> None:
    share = config.algo.critic.tau
    for fast, slow in zip(critic.module.parameters(), slow_critic.parameters()):
      slow.data.copy_(share * fast.data + (1 - share) * slow.data)
    dreamer_v3.train(
        fabric,
        world_model,
        actor,
        critic,
        slow_critic,
        *optimizers,
        dict(batch),
        aggregator,
        config,
        False,
        (work.actions,),
        normalizer,
    )

  return train, aggregator, (world_model, actor, critic)


def _batch(work: work_lib.Work) -> dict[str, torch.Tensor]:
  """Returns random sequences as the package's replay does: time first."""
  drawn = sequences.draw(work)

  def laid_out(array: np.ndarray) -> torch.Tensor:
    array = np.moveaxis(array.astype(np.float32), 0, 1)
    return torch.from_numpy(np.ascontiguousarray(array))

  ends = laid_out(drawn.is_last)[..., None]
  return {
      _SEEN: laid_out(drawn.observation),
      'actions': laid_out(drawn.action),
      'rewards': laid_out(drawn.reward)[..., None],
      'is_first': laid_out(drawn.is_first)[..., None],
      'terminated': ends,
      'truncated': torch.zeros_like(ends),
  }


def _run(
    channel: serving.Channel, work: work_lib.Work, run: work_lib.Run
) -> None:
  """Conducts a run of CartPole, as the command `sheeprl` does."""
  trained = 0
  gate = serving.Gate(channel, run.free, lambda: trained)
  config = _config(
      work,
      f'env.id={serving.register(gymnasium, gate)}',
      f'env.num_envs={run.environments}',
      f'algo.replay_ratio={work.gradient_ratio}',
      f'algo.learning_starts={run.prefill}',
      f'log_root={run.directory}',
  )
  train = dreamer_v3.train

  def counted(*arguments: Any) -> None:
    nonlocal trained
    trained += 1
    train(*arguments)

  dreamer_v3.train = counted
  cli.check_configs(config)
  cli.run_algorithm(config)


def _config(work: work_lib.Work, *more: str) -> Any:
  """Returns the package's configuration with equal sizes.

  Args:
    work: Has the sizes.
    *more: Overrides of Hydra, beside those for all.
  """
  sizes = work.sizes
  model = 'algo.world_model'
  overrides = [
      'exp=dreamer_v3',
      'algo=dreamer_v3',
      'env=gym',
      # In this process, where the gate is; and nobody looks.
      'env.sync_env=True',
      'env.capture_video=False',
      'run_name=peers',
      f'num_threads={_cores()}',
      f'algo.per_rank_batch_size={work.batch_size}',
      f'algo.per_rank_sequence_length={work.length}',
      f'algo.horizon={sizes.horizon}',
      f'algo.dense_units={sizes.units}',
      f'algo.mlp_layers={sizes.layers}',
      f'{model}.recurrent_model.recurrent_state_size={sizes.units}',
      f'{model}.transition_model.hidden_size={sizes.units}',
      f'{model}.representation_model.hidden_size={sizes.units}',
      f'{model}.stochastic_size={sizes.groups}',
      f'{model}.discrete_size={sizes.classes}',
      f'{model}.reward_model.bins={sizes.bins}',
      f'algo.critic.bins={sizes.bins}',
      f'algo.mlp_keys.encoder=[{_SEEN}]',
      'algo.cnn_keys.encoder=[]',
      'algo.cnn_keys.decoder=[]',
      f'algo.total_steps={_NEVER}',
      f'metric.log_every={_NEVER}',
      'checkpoint.every=0',
      'buffer.size=100000',
      *more,
  ]
  with hydra.initialize_config_module('sheeprl.configs', version_base='1.3'):
    config = hydra.compose('config', overrides)
  return dotdict(OmegaConf.to_container(config, resolve=True))


def _watch_imagination() -> list[int]:
  """Returns a list that gets the states of each imagined step, of one train."""
  imagined: list[int] = []
  step = agent_lib.RSSM.imagination

  def watched(self: Any, prior: torch.Tensor, *arguments: Any) -> Any:
    imagined.append(prior.shape[1])
    return step(self, prior, *arguments)

  agent_lib.RSSM.imagination = watched
  return imagined


def _facts(*models: torch.nn.Module) -> dict[str, Any]:
  names = ('world_model', 'actor', 'critic')
  return {
      'parameters': {
          name: sum(variable.numel() for variable in model.parameters())
          for name, model in zip(names, models)
      },
      'versions': {
          name: importlib.metadata.version(name)
          for name in ('sheeprl', 'torch')
      },
  }


def _cores() -> int:
  return len(os.sched_getaffinity(0))


if __name__ == '__main__':
  main()
