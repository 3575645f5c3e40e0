"""A run is a function of its config and seed."""

import dataclasses

import pytest

from r2i_tf import config as agent_config
from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf.record import records
from r2i_tf.training import run

_TIMED = ('minutes', 'steps_per_second')


def _config():
  mlp = agent_config.MLPConfig(1, 8)
  return run_config.RunConfig(
      task='bsuite/memory_len/1',
      steps=128 + 200 * 2,
      parallel_environments=2,
      prefill=128,
      train_ratio=16.0,
      replay=run_config.ReplayConfig(1_000, batch_size=4, sequence_length=8),
      log_seconds=1e6,
      evaluation_episodes=0,
      agent=agent_config.R2IConfig(
          world_model=agent_config.WorldModelConfig(
              sequence_model=agent_config.SequenceModelConfig(
                  output_size=8,
                  width=8,
                  s3m=agent_config.S3MConfig(state_size=4, layers=1, blocks=1),
              ),
              latent=agent_config.LatentConfig(2, 3),
              encoder=mlp,
              decoder=mlp,
              reward_head=mlp,
              continuation_head=mlp,
          ),
          behavior=agent_config.BehaviorConfig(
              actor=mlp, critic=mlp, horizon=2, starts_per_sequence=2
          ),
      ),
  )


def _metrics(config, workdir):
  summary = run.train(config, str(workdir))
  assert summary.train_steps == 200
  return [
      {k: v for k, v in record.items() if not k.endswith(_TIMED)}
      for record in records.read(workdir / 'metrics.jsonl')
  ]


@pytest.fixture(scope='module')
def first(tmp_path_factory):
  return _metrics(_config(), tmp_path_factory.mktemp('first'))


def test_one_seed_gives_identical_metrics_for_200_train_steps(first, tmp_path):
  """Environments, initial weights, replay and train steps: all seeded."""
  assert _metrics(_config(), tmp_path) == first


def test_a_replay_on_disk_gives_the_same_run(first, tmp_path):
  """The same sequences are sampled of it, and nothing else is another."""
  config = schema.replace(_config(), {'replay.kind': 'disk'})
  assert _metrics(config, tmp_path) == first
  assert list((tmp_path / 'replay').glob('chunk-*'))


def test_another_seed_gives_other_metrics(first, tmp_path):
  """The comparison above compares something that varies."""
  config = dataclasses.replace(_config(), seed=1)
  assert _metrics(config, tmp_path) != first
