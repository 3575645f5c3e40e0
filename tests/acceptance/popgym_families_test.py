"""POPGym's families, each with its own observations and actions, in training.

Nothing is compiled here, which for one step of a tiny agent is quicker;
`python -m tests.acceptance.popgym_families` does the same with the compiler.
"""

import pytest
import tensorflow as tf

from tests.acceptance import popgym_families

pytest.importorskip('popgym')


@pytest.fixture(name='eagerly')
def _eagerly():
  tf.config.run_functions_eagerly(True)
  yield
  tf.config.run_functions_eagerly(False)


def test_every_family_is_collected_replayed_and_trained_on(eagerly):
  """No observation, action or reward of theirs stops an agent."""
  tasks = popgym_families.easy_tasks()
  assert len(tasks) >= 14
  for task in tasks:
    popgym_families.train(task)
