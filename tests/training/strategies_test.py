"""Strategies, and the mistakes that are made in asking for one."""

import json

import pytest
import tensorflow as tf

from r2i_tf import errors
from r2i_tf.run_config import StrategyKind
from r2i_tf.training import strategies


def _refusal(*arguments):
  with pytest.raises(errors.RunError) as caught:
    strategies.create(*arguments)
  message = str(caught.value)
  assert len(message.splitlines()) == 1
  return message


def test_one_device():
  """The default has one replica."""
  strategy = strategies.create(StrategyKind.ONE_DEVICE)
  assert isinstance(strategy, tf.distribute.OneDeviceStrategy)
  assert strategies.check_batch(3, strategy) == 3


def test_replicas_divide_the_batch():
  """A batch that they do not divide is refused with what would do."""

  class Two:
    num_replicas_in_sync = 2

  assert strategies.check_batch(4, Two()) == 2
  with pytest.raises(errors.RunError, match='set it to a multiple of 2'):
    strategies.check_batch(3, Two())


@pytest.mark.parametrize('tpu', [None, 'local', 'grpc://localhost:1'])
def test_no_tpu(tpu):
  """It is said at once, and does not wait for one."""
  message = _refusal(StrategyKind.TPU, tpu)
  assert message.startswith('--strategy=tpu finds no TPU')


def test_a_tpu_of_another_strategy():
  """The two flags belong together."""
  assert "--tpu is 'local'" in _refusal(StrategyKind.MIRRORED, 'local')


@pytest.mark.parametrize(
    'cluster',
    [
        None,
        'host0:2222',
        {'cluster': {'worker': ['a:1']}},
        {
            'cluster': {'worker': ['a:1']},
            'task': {'type': 'worker', 'index': 1},
        },
        {'cluster': {'chief': ['a:1']}, 'task': {'type': 'chief', 'index': 0}},
        {
            'cluster': {'worker': ['a:1']},
            'task': {'type': 'chief', 'index': 0},
        },
    ],
)
def test_no_cluster(cluster, monkeypatch):
  """A TF_CONFIG that TensorFlow would misread is shown what it should be."""
  monkeypatch.delenv('TF_CONFIG', raising=False)
  if cluster is not None:
    monkeypatch.setenv(
        'TF_CONFIG', cluster if cluster == 'host0:2222' else json.dumps(cluster)
    )
  message = _refusal(StrategyKind.MULTI_WORKER)
  assert 'TF_CONFIG' in message and '{"cluster": {"worker": [' in message
