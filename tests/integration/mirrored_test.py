"""Training under a MirroredStrategy of two replicas, by TF-Agents' Learner."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

_ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(name='results', scope='module')
def _results(tmp_path_factory):
  """What `mirrored_program` found, in a process with two logical CPUs."""
  folder = tmp_path_factory.mktemp('mirrored')
  path = os.pathsep.join([str(_ROOT), *filter(None, sys.path)])
  done = subprocess.run(
      [sys.executable, '-m', 'tests.integration.mirrored_program', str(folder)],
      cwd=_ROOT,
      env={**os.environ, 'PYTHONPATH': path, 'CUDA_VISIBLE_DEVICES': ''},
      capture_output=True,
      text=True,
      timeout=900,
      check=False,
  )
  assert done.returncode == 0, done.stderr[-3000:]
  results = json.loads((folder / 'results.json').read_text())
  assert results['replicas'] == 2
  return results


def test_trains(results):
  """Every step of the Learner is one train step, none of them refused."""
  assert results['step'] == 3
  assert results['refused'] == 0


def test_replicas_stay_equal(results):
  """Networks, moments and normaliser are the same on both replicas."""
  assert results['differing'] == []
  assert np.any(results['percentiles'])


def test_gradients_are_averaged(results):
  """Two halves of a batch teach what the whole teaches one replica."""
  assert len(results['gradient_errors']) == 4
  assert max(results['gradient_errors']) < 1e-4


def test_losses_are_of_the_whole_batch(results):
  """What a Learner reports does not grow with the number of replicas."""
  np.testing.assert_allclose(
      results['world_model_loss'],
      results['world_model_loss_alone'],
      rtol=1e-5,
  )


def test_percentiles_see_all_replicas(results):
  """Each replica gets the returns of all, and which of them count."""
  numbers, flags = results['gathered']
  assert numbers == [[0, 1, 2, 3, 4, 5]] * 2
  assert flags == [[False, False, True, True, True, True]] * 2


def test_refused_together(results):
  """A bad batch on one replica changes nothing on either."""
  assert results['refused_bad'] == 1
  assert results['changed_by_bad'] == []
  assert results['differing_after_bad'] == []
