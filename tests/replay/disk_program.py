"""Processes for disk_test: one to be killed, one with little memory."""

import pathlib
import resource
import sys

import numpy as np
import psutil
import tensorflow as tf

from r2i_tf import replay as replay_lib
from r2i_tf.training import checkpoints
from tests.replay import fakes

_CAPACITY = fakes.STREAMS * 48
_IMAGE = (64, 64, 3)


def _write(directory):
  """Adds steps and saves, and prints each step that a checkpoint has."""
  replay = replay_lib.DiskReplay(
      fakes.SPEC, fakes.STREAMS, _CAPACITY, directory / 'replay'
  )
  store = checkpoints.CheckpointStore(
      directory / 'checkpoints', {}, print, [replay]
  )
  state = store.restore() or {'added': 0}
  added = state['added']
  print(f'{added:012d}', flush=True)
  add = fakes.adder(replay)
  while True:
    count = 1 + added % 9
    add(range(added, added + count))
    added += count
    store.save([added], {'added': added})
    print(f'{added:012d}', flush=True)


def _limited(directory):
  """Holds ten times the private memory that may still be taken."""
  spec = {'camera': tf.TensorSpec(_IMAGE, tf.uint8)}
  left = 128 * 2**20
  steps = 10 * left // int(np.prod(_IMAGE))
  step = {'camera': tf.zeros([1, *_IMAGE], tf.uint8)}
  # TensorFlow has its threads and kernels once it has done everything.
  warm = replay_lib.DiskReplay(spec, 1, 1000, directory / 'warm')
  for _ in range(200):
    warm.add(step)
  list(warm.sample(2, 64).take(2))
  used = psutil.Process().memory_info().data
  hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
  resource.setrlimit(resource.RLIMIT_DATA, (used + left, hard))
  try:
    replay_lib.UniformReplay(spec, 1, steps)
  except (tf.errors.ResourceExhaustedError, MemoryError):
    print('memory: refused', flush=True)
  replay = replay_lib.DiskReplay(spec, 1, steps, directory / 'replay')
  for _ in range(steps):
    replay.add(step)
  for batch in replay.sample(2, 64).take(10):
    assert batch['camera'].shape == (2, 64, *_IMAGE)
  print('disk: sampled', flush=True)


if __name__ == '__main__':
  {'write': _write, 'limited': _limited}[sys.argv[1]](pathlib.Path(sys.argv[2]))
