"""The tensors of an exported policy by name.

A signature of a SavedModel is flat: each input and each output has a name, of
letters, digits and underscores, which no other has in any case. Keys of
observations may be anything, so they are named here:

  {'robot/pos', 'robot_pos', '@x'}
  -> observation_robot_pos, observation_robot_pos_2, observation_x
"""

from collections.abc import Callable
import re
from typing import Any
import unicodedata

import tensorflow as tf
from tf_agents.policies import tf_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
import tree

from r2i_tf import specs

SERVING = 'serving_default'
ASSESSING = 'assess'
_NEXT = 'next_'
# A function of (is_first, policy state before a step, that after it).
Assess = Callable[[tf.Tensor, Any, Any], dict[str, tf.Tensor]]


def names_of(root: str, nest: Any) -> list[str]:
  """Returns a name for each leaf of a nest, in the order of `tf.nest.flatten`.

  Args:
    root: What the nest is; the names start with it.
    nest: Of specs.
  """
  names: list[str] = []
  taken: set[str] = set()
  for path, _ in tree.flatten_with_path(nest):
    words = [root, *(_valid(str(word)) for word in path)]
    base = name = '_'.join(word for word in words if word)
    count = 1
    while name.lower() in taken:
      count += 1
      name = f'{base}_{count}'
    taken.add(name.lower())
    names.append(name)
  return names


def by_key(root: str, nest: Any) -> dict[str, str]:
  """Returns the name of each leaf by its key, '' where there is no nest.

  Args:
    root: As for `names_of`.
    nest: As there.
  """
  keys = [specs.key_of(path) for path, _ in tree.flatten_with_path(nest)]
  return dict(zip(keys, names_of(root, nest)))


def named(root: str, nest: Any) -> Any:
  """Returns a nest of specs under the names of `names_of`.

  Args:
    root: As there.
    nest: Of tensor specs.
  """
  return tf.nest.pack_sequence_as(
      nest,
      [
          _renamed(spec, name)
          for spec, name in zip(tf.nest.flatten(nest), names_of(root, nest))
      ],
  )


def serving_function(
    policy: tf_policy.TFPolicy,
) -> Callable[..., dict[str, tf.Tensor]]:
  """Returns a step of a policy as what serves: flat, and nothing but needed.

  Args:
    policy: Its specs are `named`.

  Returns:
    A function of the observation's leaves, [B, ...], `is_first`, bool [B], and
    the leaves of the policy state, to a dict of the leaves of the action and of
    the state, by their names. Where `is_first`, the state may be anything.
  """
  time_step_spec = policy.time_step_spec
  parts = (
      time_step_spec.observation,
      tf.TensorSpec([], tf.bool, 'is_first'),
      policy.policy_state_spec,
  )
  inputs = [
      tf.TensorSpec([None, *spec.shape], spec.dtype, spec.name)
      for spec in tf.nest.flatten(parts)
  ]

  @tf.function(input_signature=inputs, autograph=False)
  def serve(*flat: tf.Tensor) -> dict[str, tf.Tensor]:
    observation, is_first, state = tf.nest.pack_sequence_as(parts, flat)
    kind = tf.where(is_first, ts.StepType.FIRST, ts.StepType.MID)

    def constant(spec: tf.TensorSpec, value: int) -> tf.Tensor:
      shape = tf.concat([tf.shape(is_first), spec.shape], 0)
      return tf.fill(shape, tf.constant(value, spec.dtype))

    step = policy.action(
        ts.TimeStep(
            kind,
            constant(time_step_spec.reward, 0),
            constant(time_step_spec.discount, 1),
            observation,
        ),
        state,
    )
    outputs = (policy.action_spec, policy.policy_state_spec)
    return {
        spec.name: value
        for spec, value in zip(
            tf.nest.flatten(outputs), tf.nest.flatten((step.action, step.state))
        )
    }

  return serve


def assessing_function(
    assess: Assess, state_spec: Any
) -> Callable[..., dict[str, tf.Tensor]]:
  """Returns what an agent thinks of the steps of its policy, flat.

  Args:
    assess: As `R2IAgent.assess`.
    state_spec: Of the policy state; `named`.

  Returns:
    A function of `is_first`, bool [B], the leaves of the state before the step,
    by their names, and those of the state after it, by the same names with
    `next_` before them.
  """
  nests = [state_spec, _next(state_spec)]
  flat_specs = [tf.TensorSpec([], tf.bool, 'is_first'), *tf.nest.flatten(nests)]
  inputs = [
      tf.TensorSpec([None, *spec.shape], spec.dtype, spec.name)
      for spec in flat_specs
  ]

  @tf.function(input_signature=inputs, autograph=False)
  def function(is_first: tf.Tensor, *flat: tf.Tensor) -> dict[str, tf.Tensor]:
    before, after = tf.nest.pack_sequence_as(nests, flat)
    return assess(is_first, before, after)

  return function


def assessing_inputs(
    is_first: Any, before: Any, after: Any
) -> dict[str, tf.Tensor]:
  """Returns the arguments of such a function.

  Args:
    is_first: bool [B].
    before: The policy state before the step, leaves [B, ...].
    after: That after it.
  """
  names = names_of('state', before)
  leaves = zip(names, tf.nest.flatten(before), tf.nest.flatten(after))
  inputs = {'is_first': tf.constant(is_first)}
  for name, value, next_value in leaves:
    inputs[name] = tf.convert_to_tensor(value)
    inputs[_NEXT + name] = tf.convert_to_tensor(next_value)
  return inputs


def _next(state_spec: Any) -> Any:
  return tf.nest.map_structure(
      lambda spec: _renamed(spec, _NEXT + spec.name), state_spec
  )


def _valid(word: str) -> str:
  """Returns what is left of a part of a key in letters and digits."""
  letters = unicodedata.normalize('NFKD', word).encode('ascii', 'ignore')
  return re.sub('[^A-Za-z0-9]+', '_', letters.decode()).strip('_')


def _renamed(spec: tf.TensorSpec, name: str) -> tf.TensorSpec:
  if isinstance(spec, tensor_spec.BoundedTensorSpec):
    return tensor_spec.BoundedTensorSpec(
        spec.shape, spec.dtype, spec.minimum, spec.maximum, name
    )
  return tf.TensorSpec(spec.shape, spec.dtype, name)
