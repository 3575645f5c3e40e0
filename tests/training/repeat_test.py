"""A run is a function of its config and seed.

That another seed gives another run is tested of its parts, where it costs less.
"""

import pytest

from r2i_tf import schema
from r2i_tf.record import records
from r2i_tf.training import run
from tests.training import fakes

# What depends on the machine.
_TIMED = ('minutes', 'steps_per_second', 'resident_bytes')


def _metrics(config, workdir, train_steps=200):
  summary = run.train(config, str(workdir))
  assert summary.train_steps == train_steps
  return [
      {k: v for k, v in record.items() if not k.endswith(_TIMED)}
      for record in records.read(workdir / 'metrics.jsonl')
  ]


@pytest.fixture(scope='module')
def first(tmp_path_factory):
  return _metrics(fakes.r2i_config(), tmp_path_factory.mktemp('first'))


def test_one_seed_gives_identical_metrics_for_200_train_steps(first, tmp_path):
  """Environments, initial weights, replay and train steps: all seeded."""
  assert _metrics(fakes.r2i_config(), tmp_path) == first


def test_a_replay_on_disk_gives_the_same_run(first, tmp_path):
  """The same sequences are sampled of it, and nothing else is another."""
  config = schema.replace(fakes.r2i_config(), {'replay.kind': 'disk'})
  assert _metrics(config, tmp_path) == first
  assert list((tmp_path / 'replay').glob('chunk-*'))


def test_so_does_a_run_that_collects_while_it_trains(tmp_path):
  """Twice the same, though processes step as fast as they like."""
  config = schema.replace(
      fakes.r2i_config(),
      {
          'steps': 128 + 50 * 2,
          'environment_processes': True,
          'collect_while_training': True,
      },
  )
  once, again = (
      _metrics(config, tmp_path / name, train_steps=50) for name in 'ab'
  )
  assert once == again and once[-1]['loss'] > 0
