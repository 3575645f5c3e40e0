"""What a workdir refuses, before anything is built."""

import dataclasses
from importlib import metadata
import json
import os
import shutil
import socket

import pytest

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import locks
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


def test_fields_that_only_end_or_display_a_run_may_change(tmp_path):
  """A run may be prolonged, and the new values are the recorded ones."""
  config = fakes.config()
  directory = _created(tmp_path / 'run', config)
  longer = dataclasses.replace(
      config,
      steps=10**6,
      environment_processes=True,
      collect_while_training=True,
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


def _rewrite(directory, change):
  """Changes the configuration and the versions in `config.json`."""
  record = json.loads(directory.config.read_text())
  change(record['config'], record['versions'])
  directory.config.write_text(json.dumps(record))


def test_a_run_from_before_sequences_were_held_out_had_none(tmp_path):
  """It trained on all of its replay, and goes on only where that is said."""
  config = fakes.config()
  directory = _created(tmp_path / 'run', config)
  _rewrite(directory, lambda old, _: old['replay'].pop('held_out'))
  assert not directory.read_config().replay.held_out
  message = 'replay.held_out is False there and True here'
  with pytest.raises(errors.RunError, match=message):
    directory.check(config)
  replay = dataclasses.replace(config.replay, held_out=False)
  directory.check(dataclasses.replace(config, replay=replay))


def test_fields_that_this_version_lacks_are_refused(tmp_path):
  """Nobody knows what they meant: the sentence has them and the version."""
  config = fakes.config()
  directory = _created(tmp_path / 'run', config)

  def age(old, versions):
    old['agent']['size'] = None
    old['agent']['ssm_learning_rate'] = 1e-4
    del old['agent']['world_model']['sequence_model']['s3m']
    versions['r2i_tf'] = '0.0.7'

  _rewrite(directory, age)
  with pytest.raises(errors.RunError) as caught:
    directory.check(config)
  message = str(caught.value)
  assert 'holds a run of another version of r2i_tf (0.0.7)' in message
  assert 'fields agent.size, agent.ssm_learning_rate, which' in message
  assert 's3m' not in message
  assert message.endswith('go on with that version or use another --workdir.')
  assert len(message.splitlines()) == 1
  # Not every run has its version on record.
  _rewrite(directory, lambda _, versions: versions.clear())
  with pytest.raises(errors.RunError, match='version of r2i_tf, with the'):
    directory.check(config)


def test_keywords_of_an_environment_are_fields_of_their_own(tmp_path):
  """The run goes on with the same, and not with others."""

  def config(**kwargs):
    options = environments.GymnasiumOptions(kwargs=kwargs)
    suites = environments.SuiteOptions(gymnasium=options)
    return dataclasses.replace(fakes.config(), environment=suites)

  directory = _created(tmp_path / 'run', config(is_slippery=False))
  directory.check(config(is_slippery=False))
  for other in ({}, {'is_slippery': True}, {'map_name': '8x8'}):
    with pytest.raises(errors.RunError, match='environment.gymnasium.kwargs'):
      directory.check(config(**other))


def test_a_field_of_the_display_that_came_or_went_is_no_hindrance(tmp_path):
  """As little as another value of it."""
  config = fakes.config()
  directory = _created(tmp_path / 'run', config)

  def age(old, _):
    old['pool']['gone'] = 1
    del old['log_seconds']

  _rewrite(directory, age)
  directory.check(config)


def test_a_field_that_came_later_has_its_default_in_an_older_run(tmp_path):
  """It goes on with that, and not with another value, and is told which."""
  config = fakes.config()
  directory = _created(tmp_path / 'run', config)

  def age(old, _):
    del old['replay']['episode_starts']
    del old['environment']
    del old['train_steps_per_call']

  _rewrite(directory, age)
  directory.check(config)
  options = environments.SuiteOptions(
      dmc=environments.DmcOptions(action_repeat=4)
  )
  replay = dataclasses.replace(config.replay, episode_starts=0.5)
  other = dataclasses.replace(config, environment=options, replay=replay)
  with pytest.raises(errors.RunError) as caught:
    directory.check(other)
  assert str(caught.value).endswith(
      'environment.dmc.action_repeat is 2 there and 4 here,'
      ' replay.episode_starts is 0.0 there and 0.5 here; use the old values or'
      ' another --workdir.'
  )


@pytest.mark.parametrize(
    'text', ['', '{"config":', '[]', '{"config": 3}', '{"config": {}', '{}']
)
def test_a_damaged_config_is_one_sentence(tmp_path, text):
  """Whatever the file holds instead."""
  (tmp_path / 'config.json').write_text(text)
  with pytest.raises(errors.RunError, match='is no record of a run') as caught:
    workdir.Workdir(str(tmp_path)).check(fakes.config())
  assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize('path', ['', '~nobody_has_this_name/run', 'x' * 300])
def test_a_path_that_is_none_is_one_sentence(path):
  """Before anything is built."""
  with pytest.raises(errors.RunError, match='--workdir'):
    workdir.Workdir(path).check(fakes.config())


def test_a_run_has_its_directory_for_itself(tmp_path):
  """The second is told who the first is; without a run there is no trace."""
  config, path = fakes.config(), tmp_path / 'a' / 'run'
  with workdir.Workdir(str(path)).held(config):
    with pytest.raises(errors.RunError) as caught:
      with workdir.Workdir(str(path)).held(config):
        pass
    assert str(caught.value) == (
        f'--workdir {path} is that of a run in process {os.getpid()} on'
        f' {socket.gethostname()}: stop that one first, or use another'
        ' --workdir.'
    )
    # Another host of the same run has a directory of its own.
    with workdir.Workdir(str(path)).of_host(1).held(config):
      pass
  assert not (tmp_path / 'a').exists()


def test_a_directory_that_was_deleted_is_made_again(tmp_path):
  """With the configuration and the lock; and not where another run is."""
  config = fakes.config()
  one, lines = workdir.Workdir(str(tmp_path / 'run')), []
  with one.held(config):
    one.create(config)
    one.keep(config, lines.append)
    one.config.with_name('.lock').unlink()
    one.keep(config, lines.append)
    assert lines == []
    shutil.rmtree(one.path)
    one.keep(config, lines.append)
    one.keep(config, lines.append)
    assert len(lines) == 1 and 'it is made again' in lines[0]
    one.check(config)

    shutil.rmtree(one.path)
    other = workdir.Workdir(str(one.path))
    with other.held(config):
      with pytest.raises(locks.LockedError, match='is that of a run in'):
        one.keep(config, lines.append)
      other.create(config)
    with pytest.raises(locks.LockedError, match='holds another run now'):
      one.keep(config, lines.append)


def test_the_version_is_on_record(tmp_path, monkeypatch):
  """Where the package is not installed, there is none, and no error."""
  directory = _created(tmp_path / 'run', fakes.config())
  versions = json.loads(directory.config.read_text())['versions']
  assert versions['r2i_tf'] == metadata.version('r2i_tf')

  def missing(name):
    raise metadata.PackageNotFoundError(name)

  monkeypatch.setattr(metadata, 'version', missing)
  directory = _created(tmp_path / 'other', fakes.config())
  versions = json.loads(directory.config.read_text())['versions']
  assert list(versions) == ['python']


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


@pytest.mark.parametrize('name', ['run [1]', 'a\\b'])
def test_a_path_that_tensorflow_takes_for_a_pattern_is_refused(tmp_path, name):
  """Its checkpoints would be written, and never found again."""
  with pytest.raises(errors.RunError, match='for a pattern'):
    workdir.Workdir(tmp_path / name).check_writable()


def test_checkpoints_of_an_unknown_run_are_refused(tmp_path):
  """Without config.json nobody knows what the checkpoints belong to."""
  (tmp_path / 'checkpoints').mkdir()
  with pytest.raises(errors.RunError, match='no config.json'):
    workdir.Workdir(str(tmp_path)).check(fakes.config())


def test_the_configuration_of_a_run_is_read_back(tmp_path):
  """As it was started; what came later has its default, or does not matter."""
  config = fakes.config()
  directory = _created(tmp_path / 'run', config)
  assert directory.read_config() == config
  record = json.loads(directory.config.read_text())
  record['config']['evaluation_of_tomorrow'] = 3
  record['config']['replay']['of_tomorrow'] = 3
  del record['config']['replay']['stride']
  directory.config.write_text(json.dumps(record))
  with pytest.raises(errors.RunError, match='another version of r2i_tf'):
    directory.read_config()
  del record['config']['evaluation_of_tomorrow']
  del record['config']['replay']['of_tomorrow']
  record['config']['pool']['of_tomorrow'] = 3
  directory.config.write_text(json.dumps(record))
  assert directory.read_config() == config
