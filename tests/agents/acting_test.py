"""A policy without its agent."""

import numpy as np
import tensorflow as tf
from tf_agents.trajectories import time_step as ts

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
