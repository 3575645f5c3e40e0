"""What is timed acts, and carries its state."""

import numpy as np

from benchmarks import acting
from benchmarks import agents


def test_measures_the_policy_and_its_export():
  """Compiled, plain and both ways of the SavedModel, at every batch size."""
  setting = agents.vector_setting('smallest', agents.smallest_config())
  record = acting.measure({'smallest': setting}, [1, 3], 0.0)
  rows = [(row['how'], row['batch_size']) for row in record['rows']]
  hows = [
      'tf.function',
      'tf.function, plain operations',
      'SavedModel, action',
      'SavedModel, serving_default',
  ]
  assert rows == [
      *((how, size) for size in (1, 3) for how in hows[:2]),
      *((how, size) for size in (1, 3) for how in hows[2:]),
  ]
  for row in record['rows']:
    speed = 1e3 * row['batch_size'] / row['median_ms']
    assert np.isclose(row['steps_per_second'], speed, rtol=1e-3)
    assert row['first_seconds'] > 0
    if row['how'] in (hows[1], hows[3]):
      assert row['over_plain'] == 1
  table = acting.tables(record)['acting']
  assert '| smallest | SavedModel, action | 1 |' in table


def test_an_actor_goes_on_from_its_own_state():
  """Else each call would time the first step of an episode."""

  class Policy:
    """Counts the steps."""

    def action(self, time_step, state):
      return type('Step', (), {'action': time_step, 'state': state + 1})

  policy = Policy()
  seen = []
  actor = acting.Actor(
      policy,
      lambda time_step, state: seen.append(state)
      or policy.action(time_step, state),
      'time step',
      0,
  )
  assert [actor(), actor()] == ['time step', 'time step']
  assert seen == [0, 1]
