"""A policy without its agent."""

import re

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.trajectories import time_step as ts

from r2i_tf import config as agent_config
from r2i_tf.agents import acting
from tests.agents import small


def _policies():
  agent = small.agent()
  policy = acting.collect_policy(
      agent.time_step_spec, agent.action_spec, small.config()
  )
  return agent, policy


def test_it_acts_as_the_agent_whose_weights_it_has():
  """Step by step, with its memory, given the same draws."""
  agent, policy = _policies()
  for mine, theirs in zip(
      policy.acting_variables, agent.collect_policy.acting_variables
  ):
    assert mine.shape == theirs.shape
    mine.assign(theirs + 0.1)
    theirs.assign(mine)
  rng = np.random.default_rng(0)
  results = []
  steps = [rng.normal(size=[2, 3]).astype(np.float32) for _ in range(4)]
  for one in (policy, agent.collect_policy):
    state, actions = one.get_initial_state(2), []
    for index, observation in enumerate(steps):
      step = ts.TimeStep(
          tf.constant([min(index, 1)] * 2),
          tf.zeros([2]),
          tf.ones([2]),
          tf.constant(observation),
      )
      tf.random.set_seed(index)
      found = one.action(step, state)
      state = found.state
      actions.append(found.action.numpy())
    results.append((actions, tf.nest.map_structure(np.array, state)))
  tf.nest.map_structure(np.testing.assert_array_equal, *results)


def test_it_has_the_variables_of_acting_alone():
  """No decoder, no heads, no critic, no moments."""
  agent, policy = _policies()
  names = [v.name for v in policy.acting_variables]
  assert len({v.ref() for v in policy.variables()}) == len(names)
  assert len(names) < len(agent.collect_policy.variables())
  assert len(names) == len(agent.collect_policy.acting_variables)


def test_a_copy_is_as_old_as_its_last_update():
  """A train step alone does not change how it acts."""
  agent = small.agent()
  copy = acting.HostCopy(agent.collect_policy, small.config())
  mine, theirs = copy.policy.acting_variables, (
      agent.collect_policy.acting_variables
  )

  def are_equal():
    return all(np.array_equal(a, b) for a, b in zip(mine, theirs))

  assert are_equal()
  for variable in theirs:
    variable.assign(variable + 0.1)
  assert not are_equal()
  copy.update()
  assert are_equal()


def _step(batch, t, is_first=None):
  """A time step [batch] with observations of its own."""
  rng = np.random.default_rng([batch, t])
  kind = [ts.StepType.MID] * batch
  for index in range(batch):
    if t == 0 or is_first == index:
      kind[index] = ts.StepType.FIRST
  return ts.TimeStep(
      tf.constant(np.array(kind)),
      tf.zeros([batch]),
      tf.ones([batch]),
      tf.constant(rng.normal(size=[batch, 3]), tf.float32),
  )


def _played(policy, batch):
  """Actions and states along some steps, one environment reset on the way."""
  found, state = [], policy.get_initial_state(batch)
  for t in range(5):
    tf.random.set_seed(t)
    step = policy.action(_step(batch, t, is_first=1 if t == 3 else None), state)
    state = step.state
    found.append((step.action, state))
  return found


def _close(actual, expected):
  tf.nest.map_structure(
      lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), actual, expected
  )


def _is_compiled(policy, batch):
  """Whether a step [batch] has a part that must be an XLA program."""

  def specs(nest):
    return tf.nest.map_structure(
        lambda spec: tf.TensorSpec([batch, *spec.shape], spec.dtype), nest
    )

  traced = tf.function(policy.action, autograph=False).get_concrete_function(
      specs(policy.time_step_spec), specs(policy.policy_state_spec)
  )
  return any(
      function.attr['_XlaMustCompile'].b
      for function in traced.graph.as_graph_def().library.function
  )


@pytest.mark.parametrize('action_spec', [small.DISCRETE, small.BOX])
@pytest.mark.parametrize('kind', agent_config.SequenceModelKind)
def test_a_program_acts_as_its_operations_do(kind, action_spec):
  """Given the same draws, the same actions and states, resets included.

  In batches of any size, and from discretised parameters that are stored.
  """
  policy = small.agent(action_spec=action_spec, kind=kind).collect_policy
  for batch in (3, 1, 3):
    expected = _played(policy.plain(), batch)
    _close(_played(policy, batch), expected)
  _close(_played(policy.frozen(), batch), expected)


def test_a_step_is_compiled_for_one_size_of_the_batch():
  """And not for any: each size that came would be compiled anew.

  Nor with bfloat16, at which XLA is slow on the CPUs that policies act on.
  """
  policy = small.agent().collect_policy
  assert _is_compiled(policy, 3) and not _is_compiled(policy, None)
  assert not _is_compiled(policy.plain(), 3)
  assert _is_compiled(policy.frozen(), None)
  half = small.agent(precision=agent_config.Precision.MIXED_BFLOAT16)
  assert not _is_compiled(half.collect_policy, 3)
  assert not _is_compiled(half.collect_policy.frozen(), None)


def test_a_step_reads_the_weights_of_now():
  """Whichever is changed after the step was traced and compiled."""
  policy = small.agent(action_spec=small.BOX).collect_policy
  action = tf.function(policy.action, autograph=False)
  plain = tf.function(policy.plain().action, autograph=False)
  state = tf.nest.map_structure(lambda x: x + 0.5, policy.get_initial_state(3))
  step = _step(3, 1, is_first=1)

  def seen(function):
    tf.random.set_seed(0)
    found = function(step, state)
    return found.action, found.state['memory']

  before, unchanged = seen(action), []
  for variable in policy.acting_variables:
    variable.assign(1.5 * variable + 0.1)
    after = seen(action)
    _close(after, seen(plain))
    if all(np.array_equal(new, old) for new, old in zip(after, before)):
      unchanged.append(variable.name)
    before = after
  # Another posterior may draw the same latents.
  assert all(re.match('encoder|posterior', name) for name in unchanged)
