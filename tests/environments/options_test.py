"""Tests of the options of the suites."""

import json

import pytest

from r2i_tf import environments
from r2i_tf import schema
from r2i_tf.environments import options


def test_options_arrive_in_every_form():
  """A dataclass, its fields, or all suites' options mean the same."""
  wanted = environments.AtariOptions(action_repeat=2)
  assert options.of_suite('atari', wanted) == wanted
  assert options.of_suite('atari', {'action_repeat': 2}) == wanted
  group = environments.SuiteOptions(atari=wanted)
  assert options.of_suite('atari', group) == wanted
  assert options.of_suite('dmc', group) == environments.DmcOptions()
  assert options.of_suite('memory_maze', group) is None
  assert options.of_suite('atari', None) == environments.AtariOptions()


def test_options_come_from_a_configuration():
  """A run's nested mapping becomes the options of all suites, and back."""
  mapping = {'dmc': {'observations': 'vision', 'camera': 1}}
  group = schema.from_mapping(environments.SuiteOptions, mapping)
  assert group.dmc.observations == environments.DmcObservations.VISION
  assert group.dmc.action_repeat == 2
  back = schema.from_mapping(
      environments.SuiteOptions, schema.to_mapping(group)
  )
  assert back == group


def test_keywords_are_a_mapping_of_any_names():
  """They survive a configuration file, where tuples are lists."""
  mapping = {'gymnasium': {'kwargs': {'a': (1, 'b', None), 'c': {'d': 0.5}}}}
  group = schema.from_mapping(environments.SuiteOptions, mapping)
  assert group.gymnasium.kwargs == {'a': [1, 'b', None], 'c': {'d': 0.5}}
  plain = json.loads(json.dumps(schema.to_mapping(group)))
  assert schema.from_mapping(environments.SuiteOptions, plain) == group
  changed = schema.replace(group, {'gymnasium.kwargs.e': True})
  assert changed.gymnasium.kwargs['e'] is True
  assert hash(group) == hash(environments.SuiteOptions())


def test_defaults_are_the_papers():
  """Atari 100K and the control suite are set up as published."""
  atari = environments.AtariOptions()
  assert (atari.action_repeat, atari.sticky_probability) == (4, 0.0)
  assert (atari.noops, atari.image_size, atari.grayscale) == (30, 64, False)
  assert not (atari.full_actions or atari.life_loss_ends)
  dmc = environments.DmcOptions()
  assert (dmc.action_repeat, dmc.image_size) == (2, 64)


@pytest.mark.parametrize(
    'suite,given,words',
    [
        ('atari', {'repeat': 2}, ["'atari.repeat'", "'atari.action_repeat'"]),
        ('atari', {'grayscale': 1}, ["'atari.grayscale' is 1", 'a bool']),
        ('atari', environments.DmcOptions(), ['AtariOptions']),
        ('atari', 3, ['AtariOptions', 'found 3']),
        ('memory_maze', {'size': 2}, ['memory_maze have no options']),
        ('dmc', {'observations': 'visoin'}, ["mean 'vision'"]),
    ],
)
def test_wrong_options_are_refused(suite, given, words):
  """Nothing is ignored in silence."""
  with pytest.raises(schema.ConfigError) as caught:
    options.of_suite(suite, given)
  for word in words:
    assert word in str(caught.value)


@pytest.mark.parametrize(
    'cls,field,value,words',
    [
        ('AtariOptions', 'action_repeat', 0, 'atari.action_repeat is 0'),
        ('AtariOptions', 'sticky_probability', 1, 'must lie in'),
        ('AtariOptions', 'noops', -1, 'noops is -1'),
        ('BsuiteOptions', 'image_size', 0, 'bsuite.image_size is 0'),
        ('DmcOptions', 'camera', -1, 'camera is -1'),
        ('GymnasiumOptions', 'image_size', 0, 'gymnasium.image_size is 0'),
        ('GymnasiumOptions', 'one_hot_classes', 0, 'one_hot_classes is 0'),
        ('GymnasiumOptions', 'vector_keys', '(', 'is no regular expression'),
        ('PoolOptions', 'max_restarts', -1, 'max_restarts is -1'),
        ('PoolOptions', 'timeout_seconds', 0, 'pool.timeout_seconds is 0'),
        ('PoolOptions', 'timeout_seconds', 1e7, 'at most 1e'),
    ],
)
def test_values_out_of_range_are_refused(cls, field, value, words):
  """A value that cannot be meant is named with its field."""
  with pytest.raises(schema.ConfigError, match=words):
    getattr(environments, cls)(**{field: value})
