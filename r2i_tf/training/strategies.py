"""Where the learner's replicas are: one device, all of a host, several hosts.

TensorFlow has one strategy for each; all take the same agent and learner. A
strategy is to be made before anything else of TensorFlow is used: it sets up
the devices.
"""

from collections.abc import Callable
import json
import os
import socket
from typing import Optional
import urllib.parse

import tensorflow as tf

from r2i_tf import errors
from r2i_tf.run_config import StrategyKind as Kind

_ANSWER_SECONDS = 10.0


def create(kind: Kind, tpu: Optional[str] = None) -> tf.distribute.Strategy:
  """Returns a strategy, its devices set up.

  Args:
    kind: Which.
    tpu: The name or address of a TPU as `TPUClusterResolver` takes it, such as
      'local' on a TPU virtual machine; None finds it from the environment.
      Only of the kind tpu.

  Raises:
    errors.RunError: There is no such device, or no cluster of hosts.
  """
  if tpu is not None and kind != Kind.TPU:
    raise errors.RunError(
        f'--tpu is {tpu!r}, but --strategy is {kind.value}; set --strategy=tpu'
        ' or leave --tpu out.'
    )
  return _CREATORS[kind](tpu)


def check_batch(batch_size: int, strategy: tf.distribute.Strategy) -> int:
  """Returns how many sequences of a batch each replica has.

  Args:
    batch_size: Of the whole batch.
    strategy: The replicas.

  Raises:
    errors.RunError: The replicas do not divide the batch.
  """
  replicas = strategy.num_replicas_in_sync
  if batch_size % replicas:
    raise errors.RunError(
        f'replay.batch_size is {batch_size}, which the {replicas} replicas of'
        f' the strategy do not divide; set it to a multiple of {replicas}.'
    )
  return batch_size // replicas


def is_remote(strategy: tf.distribute.Strategy) -> bool:
  """Returns whether the replicas run no operations of a host.

  The hosts of a pod have no operations of a replay, nor has a TPU; and each
  variable that is read there is a transfer.

  Args:
    strategy: The replicas.
  """
  return isinstance(strategy, tf.distribute.TPUStrategy)


def _one_device(_: Optional[str]) -> tf.distribute.Strategy:
  gpus = tf.config.list_logical_devices('GPU')
  return tf.distribute.OneDeviceStrategy('GPU:0' if gpus else 'CPU:0')


def _mirrored(_: Optional[str]) -> tf.distribute.Strategy:
  return tf.distribute.MirroredStrategy()


def _multi_worker(_: Optional[str]) -> tf.distribute.Strategy:
  _check_cluster(os.environ.get('TF_CONFIG'))
  return tf.distribute.MultiWorkerMirroredStrategy()


def _tpu(tpu: Optional[str]) -> tf.distribute.Strategy:
  try:
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu)
    _check_answers(resolver.master())
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
  except (ValueError, RuntimeError, OSError, tf.errors.OpError) as error:
    named = 'none is named by --tpu' if tpu is None else f'--tpu is {tpu!r}'
    reason, *_ = str(error).strip().partition('. ')
    raise errors.RunError(
        f'--strategy=tpu finds no TPU ({named}): {reason.rstrip(".")}; run it'
        ' on a TPU virtual machine with --tpu=local, or choose another'
        ' strategy.'
    ) from error
  return tf.distribute.TPUStrategy(resolver)


def _check_answers(master: str) -> None:
  """Raises OSError where nothing listens: TensorFlow would wait without end."""
  address = urllib.parse.urlsplit(master)
  if address.hostname and address.port:
    where = (address.hostname, address.port)
    with socket.create_connection(where, timeout=_ANSWER_SECONDS):
      pass


_CREATORS: dict[Kind, Callable[[Optional[str]], tf.distribute.Strategy]] = {
    Kind.ONE_DEVICE: _one_device,
    Kind.MIRRORED: _mirrored,
    Kind.MULTI_WORKER: _multi_worker,
    Kind.TPU: _tpu,
}


def _check_cluster(text: Optional[str]) -> None:
  """Refuses a TF_CONFIG that does not say which worker of which this is."""
  example = (
      '\'{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type":'
      ' "worker", "index": 0}}\''
  )
  if not text:
    raise errors.RunError(
        '--strategy=multi_worker needs the environment variable TF_CONFIG on'
        f' each host, such as TF_CONFIG={example}.'
    )
  try:
    config = json.loads(text)
    workers = config['cluster']['worker']
    own = workers[config['task']['index']]
    is_right = config['task']['type'] == 'worker' and isinstance(own, str)
  except (ValueError, KeyError, TypeError, IndexError):
    is_right = False
  if not is_right:
    raise errors.RunError(
        f'the environment variable TF_CONFIG is {text!r}, but it must name the'
        f' workers and which of them this is, as in {example}.'
    )
