"""Does an agent train on every family of POPGym? Two train steps on each.

At the setting Easy, from the real environment: collected, replayed, trained.

  python -m tests.acceptance.popgym_families

puts what it found into docs/popgym_families.json and the table of
docs/environments.md.
"""

import dataclasses
import json
import math
import pathlib
from typing import Any

from absl import flags

from benchmarks import agents
from benchmarks import tables
from r2i_tf import config as agent_config
from r2i_tf.environments.suites import registry as suites
from r2i_tf.programs import command_line

_MATCH = flags.DEFINE_string('match', '', 'Only tasks that hold this.')

_DOCS = pathlib.Path(__file__).resolve().parents[2] / 'docs'
_ENVIRONMENTS, _CAPACITY, _LENGTH, _TRAIN_STEPS = 2, 1_000, 8, 2


def main(_: Any) -> None:
  """Trains on every family and writes the table."""
  rows = []
  for task in easy_tasks():
    if _MATCH.value in task:
      rows.append(train(task))
      print(json.dumps(rows[-1]), flush=True)
  _DOCS.joinpath('popgym_families.json').write_text(
      '[\n' + ',\n'.join(json.dumps(row) for row in rows) + '\n]\n'
  )
  tables.insert(_DOCS / 'environments.md', 'popgym_families', _table(rows))


def easy_tasks() -> list[str]:
  """Returns one task of each family."""
  tasks = suites.list_tasks()
  return [t for t in tasks if t.startswith('popgym/') and t.endswith('Easy')]


def train(task: str) -> dict[str, Any]:
  """Collects from a task, takes train steps, and returns what to tell.

  Args:
    task: Its name.

  Raises:
    AssertionError: A loss is no number, or a train step was refused.
  """
  import tensorflow as tf
  from tf_agents.specs import tensor_spec

  from r2i_tf import environments
  from r2i_tf import replay as replay_lib
  from r2i_tf.training import collector as collector_lib
  from r2i_tf.training import learner as learner_lib

  tf.keras.utils.set_random_seed(0)
  environment = environments.load_batch(task, 0, _ENVIRONMENTS)
  setting = agents.Setting(
      task,
      tensor_spec.from_spec(environment.time_step_spec()),
      tensor_spec.from_spec(environment.action_spec()),
      _small_config(),
  )
  agent = agents.build(setting)
  replay = replay_lib.UniformReplay(
      agent.collect_data_spec, _ENVIRONMENTS, _CAPACITY
  )
  collector = collector_lib.Collector(
      environment, agent.collect_policy, [replay.add], steps=2 * _LENGTH
  )
  learner = learner_lib.Learner(agent, replay.sample(_ENVIRONMENTS, _LENGTH))
  collector.collect()
  for _ in range(_TRAIN_STEPS):
    learner.train()
  losses = learner.take_losses()
  environment.close()
  assert all(math.isfinite(loss) for loss in losses.values()), losses
  assert losses['train/refused'] == 0, losses
  return {
      'task': task,
      'observation': _describe(environment.observation_spec()),
      'actions': _describe(environment.action_spec()),
      'loss': round(losses['loss'], 2),
  }


def _small_config() -> agent_config.R2IConfig:
  """Returns the smallest agent whose losses all have their part."""
  config = agents.smallest_config()
  latent = agent_config.LatentConfig(groups=2, classes=4)
  return dataclasses.replace(
      config, world_model=dataclasses.replace(config.world_model, latent=latent)
  )


def _describe(spec: Any) -> str:
  """Returns the shape of a spec, or for a choice how many there are."""
  if spec.dtype.kind == 'i' and not spec.shape:
    return f'one of {int(spec.maximum) + 1}'
  return f'{spec.dtype} {list(spec.shape)}'


def _table(rows: list[dict[str, Any]]) -> str:
  lines = ['| task | observation | actions | loss |', '|---|---|---|---:|']
  for row in rows:
    lines.append(
        f'| {row["task"]} | {row["observation"]} | {row["actions"]} |'
        f' {row["loss"]} |'
    )
  return '\n'.join(lines)


if __name__ == '__main__':
  command_line.run(main)
