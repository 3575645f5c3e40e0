"""However a batch is split over replicas and hosts, the update is the same."""

import functools
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from r2i_tf.roles import ports

_ROOT = pathlib.Path(__file__).parents[2]


def _started(folder, strategy, actions, **environment):
  path = os.pathsep.join([str(_ROOT), *filter(None, sys.path)])
  return subprocess.Popen(
      [
          *(sys.executable, '-m', 'tests.integration.strategies_program'),
          *(strategy, actions, str(folder)),
      ],
      cwd=_ROOT,
      env={
          **os.environ,
          'PYTHONPATH': path,
          'CUDA_VISIBLE_DEVICES': '',
          **environment,
      },
      stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE,
      text=True,
  )


def _finished(*processes):
  for process in processes:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]


@pytest.fixture(name='one', scope='module')
def _one(tmp_path_factory):
  """What one replica learns from the batches, by the kind of action."""

  @functools.lru_cache(None)
  def run(actions):
    folder = tmp_path_factory.mktemp('one')
    _finished(_started(folder, 'one', actions))
    return np.load(folder / 'one.npz')

  return run


def _check_same(path, expected):
  """Variables and moments, after each step, and all that is reported."""
  found = np.load(path)
  assert set(found.files) == set(expected.files)
  for key in expected.files:
    np.testing.assert_allclose(
        found[key], expected[key], rtol=1e-4, atol=1e-5, err_msg=key
    )
  # The numbers are those of a training.
  names = [key[2:] for key in expected.files if key.startswith('0 ')]
  moved = [np.any(expected[f'0 {n}'] != expected[f'1 {n}']) for n in names]
  assert np.mean(moved) > 0.9


@pytest.mark.parametrize(
    'strategy, actions',
    [('mirrored2', 'continuous'), ('mirrored4', 'discrete')],
)
def test_replicas_of_one_host(strategy, actions, one, tmp_path):
  """Under MirroredStrategy, draws, losses and percentiles are the batch's."""
  _finished(_started(tmp_path, strategy, actions))
  _check_same(tmp_path / f'{strategy}.npz', one(actions))


def test_hosts(one, tmp_path):
  """Two processes under MultiWorkerMirroredStrategy learn what one learns.

  They do so by TF-Agents' own Learner.
  """
  workers = [f'localhost:{ports.free_port(0)}' for _ in range(2)]
  processes = []
  for index in range(2):
    cluster = {
        'cluster': {'worker': workers},
        'task': {'type': 'worker', 'index': index},
    }
    processes.append(
        _started(
            tmp_path,
            'multi_worker',
            'discrete',
            TF_CONFIG=json.dumps(cluster),
        )
    )
  _finished(*processes)
  for index in range(2):
    _check_same(tmp_path / f'multi_worker{index}.npz', one('discrete'))
