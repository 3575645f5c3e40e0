"""What a workdir refuses, before anything is built."""

import dataclasses
import json
import os

import pytest

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf.training import workdir
from tests.training import fakes


def _created(path, config):
  directory = workdir.Workdir(str(path))
  directory.check(config)
  directory.create(config)
  return directory


def test_another_model_is_refused_by_the_names_of_the_fields(tmp_path):
  """A run does not go on as another experiment."""
  config = fakes.config()
  directory = _created(tmp_path / 'run', config)
  replay = dataclasses.replace(config.replay, batch_size=3)
  other = dataclasses.replace(config, replay=replay, seed=7)
  with pytest.raises(errors.RunError) as caught:
    directory.check(other)
  assert 'replay.batch_size is 2 there and 3 here' in str(caught.value)
  assert 'seed is 0 there and 7 here' in str(caught.value)


def test_what_only_ends_or_shows_a_run_may_change(tmp_path):
  """A run may be prolonged, and the new values are the recorded ones."""
  config = fakes.config()
  directory = _created(tmp_path / 'run', config)
  longer = dataclasses.replace(
      config,
      steps=10**6,
      environment_processes=True,
      pool=environments.PoolOptions(max_restarts=50),
      max_minutes=5.0,
      stop_at_return=0.9,
      log_seconds=1.0,
      checkpoint_seconds=1.0,
      evaluation_episodes=3,
  )
  directory.check(longer)
  directory.create(longer)
  record = json.loads(directory.config.read_text())
  assert record['config']['steps'] == 10**6
  assert record['versions']['tf-agents']


def test_changeable_fields_exist():
  """A renamed field does not silently become unchangeable."""
  names = {field.name for field in dataclasses.fields(run_config.RunConfig)}
  assert workdir.CHANGEABLE <= names


def test_a_place_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
  """Permissions are looked at first, not after the model is built."""
  (tmp_path / 'file').write_text('')
  directory = workdir.Workdir(str(tmp_path / 'file' / 'run'))
  with pytest.raises(errors.RunError, match='is a file'):
    directory.check(fakes.config())
  monkeypatch.setattr(os, 'access', lambda *_: False)
  directory = workdir.Workdir(str(tmp_path / 'a' / 'b'))
  with pytest.raises(errors.RunError, match='no permission'):
    directory.check(fakes.config())
  assert not (tmp_path / 'a').exists()


def test_checkpoints_of_an_unknown_run_are_refused(tmp_path):
  """Without config.json nobody knows what the checkpoints belong to."""
  (tmp_path / 'checkpoints').mkdir()
  with pytest.raises(errors.RunError, match='no config.json'):
    workdir.Workdir(str(tmp_path)).check(fakes.config())
