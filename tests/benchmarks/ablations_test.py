"""Every choice that is timed is one, and the train step is the agent's."""

import pytest

from benchmarks import ablations
from benchmarks import agents
from r2i_tf import config as agent_config
from r2i_tf import schema


@pytest.mark.parametrize('preset', ['debug', 'small'])
def test_every_choice_is_another_valid_config(preset):
  """None is refused, and no two are the same."""
  config = agent_config.R2IConfig.preset(preset)
  configs = [
      schema.replace(config, change)
      for change in ablations.changes(8, 16).values()
  ]
  assert configs[0] == config
  assert len(set(configs)) == len(configs)


def test_measures_a_train_step():
  """The published choice is what the others are held against."""
  setting = agents.vector_setting(
      'smallest', agents.plain_config(8, 1, 8, 2, 2)
  )
  choices = ablations.changes(2, 3)
  names = ['published', 's3m.attention_window=3']
  record = ablations.measure(
      setting, {name: choices[name] for name in names}, (2, 4), 0.0
  )
  published, attention = record['rows']
  assert published['over'] == 1
  assert published['refused'] == attention['refused'] == 0
  assert published['memory_numbers'] == 2 * 2 * 8
  # Keys and values of two steps, and how many there are.
  assert attention['memory_numbers'] == 2 * 2 * 8 + 2 * 2 * 8 + 1
  assert attention['parameters'] > published['parameters']
  assert '| `published` |' in ablations.tables(record)['ablations']
