"""Checks the specs of an environment before a model is built for it.

The agent calls this once, at construction: specs that pass are fit for every
encoder, decoder and action head of the project.
"""

import re
from typing import Any, NoReturn, Optional

import numpy as np
import tensorflow as tf
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts
import tree

from r2i_tf import config as agent_config
from r2i_tf import specs
from r2i_tf.world_model import layout

# An integer action with more choices than this has no bounds worth the name:
# specs made without bounds get those of their dtype.
_MAX_CHOICES = 2**31 - 1

_SPEC_TYPES = (array_spec.ArraySpec, tf.TensorSpec)


def check_specs(
    time_step_spec: ts.TimeStep,
    action_spec: Any,
    config: Optional[agent_config.WorldModelConfig] = None,
) -> None:
  """Checks that R2I can learn from, and act in, an environment.

  Accepted are: nested observations of uint8 images [height, width, channels],
  and of numbers (or booleans) of any shape, up to `specs.MAX_VECTOR` in a part;
  one action, a scalar or a vector, either integers within bounds (the minimum
  may be other than 0) or floats within finite bounds; and a scalar float32
  reward.

  Args:
    time_step_spec: The environment's `TimeStep` of array or tensor specs,
      without a batch dimension.
    action_spec: The environment's action spec.
    config: Names the parts of the observation that the agent does not look at,
      which may be anything, and those that are images or vectors whatever their
      size; None for the defaults, which name none.

  Raises:
    UnsupportedSpecError: Anything else; the sentence names the part.
  """
  observations = tree.flatten_with_path(time_step_spec.observation)
  if not observations:
    raise specs.UnsupportedSpecError('the observation holds no spec at all.')
  config = config or agent_config.WorldModelConfig()
  seen = [
      (path, spec)
      for path, spec in observations
      if not layout.is_ignored(path, config)
  ]
  sizes = [_check_observation(path, spec, config) for path, spec in seen]
  if seen and not any(sizes):
    raise specs.UnsupportedSpecError(
        'the observation of the environment has no number in any of its parts,'
        ' but R2I takes one with something to see.'
    )
  _check_action(action_spec)
  _check_reward(time_step_spec.reward)


def _check_observation(
    path: tuple, spec: Any, config: agent_config.WorldModelConfig
) -> int:
  """Checks one leaf of the observation; returns how many numbers it has."""
  name = specs.part('observation', path)
  dtype = _checked_dtype(name, spec)
  size = int(np.prod(spec.shape, dtype=np.int64))
  key = specs.key_of(path) or 'observation'
  named = any(
      pattern is not None and re.fullmatch(pattern, key)
      for pattern in (config.image_keys, config.vector_keys)
  )
  if named:
    return size
  found = f'{dtype.name} of shape {_shape(spec)}'
  if len(spec.shape) == 2 and specs.is_uint8(dtype) and size > specs.MAX_VECTOR:
    _refuse(
        name,
        f'is {found}, which is {size:,} numbers',
        f'vectors of at most {specs.MAX_VECTOR:,}: name this part in'
        ' world_model.image_keys if it is a gray image, or in'
        ' world_model.vector_keys if so many numbers are meant',
    )
  if not specs.is_image(spec.shape, dtype):
    specs.check_vector(name, found, size, 'world_model')
  elif spec.shape[0] < spec.shape[-1]:
    # 64 channels of 3 x 64 pixels would be learned from without a word.
    _refuse(
        name,
        f'is {found}, whose channels seem to be the first axis',
        'images [height, width, channels]: move the axis in the environment, or'
        ' name this part in world_model.image_keys if it is meant so',
    )
  return size


def _check_action(action_spec: Any) -> None:
  """Checks the action: one bounded scalar or vector."""
  if tree.is_nested(action_spec):
    leaves = tree.flatten_with_path(action_spec)
    names = ', '.join(specs.part('action', path) for path, _ in leaves)
    _refuse('action', f'is nested ({names})', 'one scalar or vector')
  dtype = _checked_dtype('action', action_spec)
  if len(action_spec.shape) > 1:
    _refuse('action', f'has the shape {_shape(action_spec)}', 'up to rank 1')
  if dtype == tf.bool:
    _refuse('action', 'has the dtype bool', 'an integer with bounds 0 and 1')
  if not hasattr(action_spec, 'minimum'):
    _refuse(
        'action',
        f'is {dtype.name} without bounds',
        'a BoundedArraySpec or BoundedTensorSpec',
    )
  minimum = np.asarray(action_spec.minimum)
  maximum = np.asarray(action_spec.maximum)
  found = f'is {dtype.name} from {minimum.tolist()} to {maximum.tolist()}'
  if np.any(minimum > maximum):
    _refuse('action', found, 'a minimum that is not above the maximum')
  if dtype.is_integer:
    # In Python's integers: the difference can overflow the dtype's.
    choices = maximum.astype(object) - minimum.astype(object) + 1
    if np.any(choices >= _MAX_CHOICES):
      _refuse('action', found, 'bounds that limit the number of choices')
  else:
    # A bound at the limit of the dtype is how a spec writes "none".
    limit = np.finfo(np.float32).max
    bounded = (minimum > -limit) & (maximum < limit)
    if not np.all(bounded):
      _refuse('action', found, 'finite bounds on every component')


def _check_reward(spec: Any) -> None:
  """Checks that the reward is one float32."""
  dtype = _checked_dtype('reward', spec)
  if dtype != tf.float32 or len(spec.shape):
    _refuse(
        'reward',
        f'is {dtype.name} of shape {_shape(spec)}',
        'a float32 scalar',
    )


def _checked_dtype(name: str, spec: Any) -> tf.DType:
  """Returns the dtype of a dense, numeric spec of static shape."""
  if not isinstance(spec, _SPEC_TYPES):
    _refuse(
        name,
        f'is a {type(spec).__name__}',
        'dense arrays of one shape (ArraySpec or TensorSpec)',
    )
  if not tf.TensorShape(spec.shape).is_fully_defined():
    _refuse(name, f'has the shape {_shape(spec)}', 'shapes known in full')
  dtype = tf.as_dtype(spec.dtype)
  if not (dtype.is_integer or dtype.is_floating or dtype.is_bool):
    _refuse(name, f'has the dtype {dtype.name}', 'integers and floats')
  return dtype


def _refuse(name: str, found: str, accepted: str) -> NoReturn:
  raise specs.UnsupportedSpecError(
      f'the {name} of the environment {found}, but R2I takes {accepted}.'
  )


def _shape(spec: Any) -> str:
  shape = tf.TensorShape(spec.shape)
  return 'unknown' if shape.rank is None else str(shape.as_list())
