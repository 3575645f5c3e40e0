"""Tests of the specs that R2I accepts from an environment."""

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import wrappers as tf_wrappers
from tf_agents.specs import array_spec
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from r2i_tf import config as agent_config
from r2i_tf import environments
from r2i_tf import specs
from r2i_tf.agents import spec_checks

VECTOR = array_spec.ArraySpec([3], np.float32)
IMAGE = array_spec.BoundedArraySpec([64, 64, 3], np.uint8, 0, 255)
BUTTON = array_spec.BoundedArraySpec([], np.int32, 0, 4)


def bounded(shape, dtype, low, high):
  return array_spec.BoundedArraySpec(shape, dtype, low, high)


@pytest.mark.parametrize(
    'observation',
    [
        VECTOR,
        array_spec.ArraySpec([], np.int64),
        array_spec.ArraySpec([1, 3], np.float64),
        array_spec.ArraySpec([4], np.bool_),
        array_spec.ArraySpec([28, 28], np.uint8),
        array_spec.ArraySpec([8, 8, 3], np.float32),
        array_spec.ArraySpec([3, 4, 8, 8], np.int32),
        array_spec.ArraySpec([64, 64], np.uint8),
        IMAGE,
        {'camera': IMAGE, 'state': (VECTOR, VECTOR)},
        tf.TensorSpec([3], tf.bfloat16),
    ],
)
def test_observations_that_are_accepted(observation):
  """Numbers of any shape, images and nests of them can be learned from."""
  spec_checks.check_specs(ts.time_step_spec(observation), BUTTON)


@pytest.mark.parametrize(
    'action',
    [
        BUTTON,
        bounded([], np.int64, -2, 5),
        bounded([3], np.int32, [0, 1, 0], [4, 2, 1]),
        bounded([], np.uint8, 0, 255),
        bounded([2], np.float32, -1.0, [1.0, 3.0]),
        bounded([], np.float64, 0.0, 1.0),
        tensor_spec.BoundedTensorSpec([2], tf.float32, -1.0, 1.0),
    ],
)
def test_actions_that_are_accepted(action):
  """Bounded scalars and vectors, from any minimum, can be acted with."""
  spec_checks.check_specs(ts.time_step_spec(VECTOR), action)


@pytest.mark.parametrize(
    'observation,words',
    [
        (array_spec.ArraySpec([], np.str_), ['observation', 'string']),
        (tf.TensorSpec([], tf.string), ['string']),
        (array_spec.ArraySpec([2], np.complex64), ['complex64']),
        (tf.RaggedTensorSpec([2, None]), ['RaggedTensorSpec']),
        (tf.TensorSpec([None, 2]), ['[None, 2]']),
        (tf.TensorSpec(None), ['unknown']),
        (
            array_spec.ArraySpec([64, 64, 3], np.float32),
            [
                'float32 of shape [64, 64, 3]',
                '12,288',
                'at most 4,096',
                'uint8',
            ],
        ),
        (
            array_spec.ArraySpec([4, 64, 64, 3], np.uint8),
            ['[4, 64, 64, 3]', 'stack of frames as its channels'],
        ),
        (array_spec.ArraySpec([4097], np.float64), ['4,097']),
        (array_spec.ArraySpec([84, 84], np.uint8), ['if it is a gray image']),
        (
            array_spec.ArraySpec([12, 84, 84], np.uint8),
            ['channels seem to be the first axis', 'world_model.image_keys'],
        ),
        ({}, ['no spec']),
        ({'a': array_spec.ArraySpec([0], np.float32)}, ['no number in any']),
        (
            {'ok': VECTOR, 'inner': {'text': tf.TensorSpec([], tf.string)}},
            ["observation 'inner/text' of"],
        ),
    ],
)
def test_observations_that_are_refused(observation, words):
  """A part that no encoder can take is named, with its place in the nest."""
  time_step_spec = ts.time_step_spec(VECTOR)._replace(observation=observation)
  _expect_refusal(time_step_spec, BUTTON, words)


@pytest.mark.parametrize(
    'action,words',
    [
        (array_spec.ArraySpec([], np.int32), ['int32 without bounds']),
        (array_spec.ArraySpec([2], np.float32), ['float32 without bounds']),
        (bounded([], np.int32, None, None), ['number of choices']),
        (bounded([], np.int64, None, None), ['number of choices']),
        (bounded([2], np.int64, 0, [3, 2**62]), ['number of choices']),
        (bounded([], np.float32, None, None), ['finite bounds']),
        (bounded([2], np.float32, -1.0, [1.0, np.inf]), ['finite bounds']),
        (bounded([], np.float32, -np.inf, 1.0), ['finite bounds']),
        (bounded([2, 2], np.float32, -1.0, 1.0), ['[2, 2]']),
        (bounded([2, 2], np.int32, 0, 1), ['[2, 2]']),
        (array_spec.ArraySpec([], np.bool_), ['bool']),
        (tf.TensorSpec([], tf.string), ['string']),
        (tf.TensorSpec([2], tf.complex64), ['complex64']),
        ({'move': BUTTON, 'jump': BUTTON}, ["action 'jump'"]),
    ],
)
def test_actions_that_are_refused(action, words):
  """An action that no head can produce is named with the bounds it has."""
  _expect_refusal(ts.time_step_spec(VECTOR), action, words)


@pytest.mark.parametrize(
    'reward,words',
    [
        (array_spec.ArraySpec([2], np.float32), ['float32 of shape [2]']),
        (array_spec.ArraySpec([], np.float64), ['float64']),
    ],
)
def test_rewards_that_are_refused(reward, words):
  """The reward is one float32: there is one reward head."""
  _expect_refusal(ts.time_step_spec(VECTOR, reward), BUTTON, words)


def _expect_refusal(time_step_spec, action_spec, words):
  with pytest.raises(specs.UnsupportedSpecError) as caught:
    spec_checks.check_specs(time_step_spec, action_spec)
  for word in words:
    assert word in str(caught.value)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'field,spec',
    [
        ('ignored_keys', array_spec.ArraySpec([], np.str_)),
        ('ignored_keys', array_spec.ArraySpec([64, 65], np.float32)),
        ('vector_keys', array_spec.ArraySpec([64, 65], np.float32)),
        ('image_keys', array_spec.ArraySpec([84, 84], np.uint8)),
        ('image_keys', array_spec.ArraySpec([9, 12, 12], np.uint8)),
    ],
)
def test_what_the_configuration_names_is_meant(field, spec):
  """A part that nobody sees may be anything, and one that is named, large."""
  spec = ts.time_step_spec(VECTOR)._replace(
      observation={'depth': spec, 'state': VECTOR}
  )
  with pytest.raises(specs.UnsupportedSpecError, match="'depth'"):
    spec_checks.check_specs(spec, BUTTON)
  config = agent_config.WorldModelConfig(**{field: 'dep.*'})
  spec_checks.check_specs(spec, BUTTON, config)


def test_history_of_observations_is_a_vector():
  """TF-Agents' own wrapper makes rank 3 of a matrix, and R2I takes it."""
  history = tf_wrappers.HistoryWrapper(environments.load('bsuite/catch/0', 0))
  spec_checks.check_specs(history.time_step_spec(), history.action_spec())
  assert history.observation_spec().shape == (3, 10, 5)
