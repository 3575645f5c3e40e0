"""However a batch is split over replicas and hosts, the update is the same."""

import functools

import numpy as np
import pytest

from tests import processes

_MODULE = 'tests.integration.strategies_program'


def _finished(*started):
  for process in started:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]


@pytest.fixture(name='one', scope='module')
def _one(tmp_path_factory):
  """What one replica learns from the batches, by the kind of action."""

  @functools.lru_cache(None)
  def run(actions):
    folder = tmp_path_factory.mktemp('one')
    _finished(processes.start(_MODULE, 'one', actions, folder))
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


def test_replicas_of_one_host(one, tmp_path):
  """Under MirroredStrategy, draws, losses and percentiles are the batch's."""
  _finished(processes.start(_MODULE, 'mirrored2', 'continuous', tmp_path))
  _check_same(tmp_path / 'mirrored2.npz', one('continuous'))


def test_hosts(one, tmp_path):
  """Two processes under MultiWorkerMirroredStrategy learn what one learns.

  They do so by TF-Agents' own Learner.
  """
  _finished(
      *processes.start_hosts(2, _MODULE, 'multi_worker', 'discrete', tmp_path)
  )
  for index in range(2):
    _check_same(tmp_path / f'multi_worker{index}.npz', one('discrete'))
