"""The command of a page makes the run that the page is of."""

import shlex
import sys

from absl import flags
import pytest

from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf.programs import config_flag
from r2i_tf.reports import command


def _read_back(text, monkeypatch):
  """Returns the configuration that r2i-train would have."""
  argv = shlex.split(text.replace('\\\n', ' '))
  assert argv[0] == 'r2i-train' and argv[-1] == '--workdir=runs/my run'
  monkeypatch.setattr(sys, 'argv', argv)
  config_flag.check(argv)
  values = flags.FlagValues()
  holder = config_flag.define(values)
  flags.DEFINE_string('task', None, '', flag_values=values)
  flags.DEFINE_string('workdir', None, '', flag_values=values)
  values(argv)
  return config_flag.run_config(holder.value, values.task)


@pytest.mark.parametrize(
    'recipe, changes',
    [
        ('quickstart', {}),
        (
            'quickstart',
            {
                'seed': 3,
                'task': 'bsuite/memory_len/9',
                'agent.world_model.sequence_model.kind': 'gru',
                'stop_at_return': None,
            },
        ),
        (
            'learning:cartpole_balance',
            {'agent.world_model.vector_keys': "a b|'c'", 'train_ratio': 12.5},
        ),
        ('memory_maze:debug', {'environment.gymnasium.kwargs': {'size': 9}}),
        (
            'quickstart',
            {
                'agent.world_model.image_keys': 'None',
                'environment.gymnasium.kwargs': {'version': '3'},
            },
        ),
    ],
)
def test_the_flags_are_read_back(recipe, changes, monkeypatch):
  """Every field, and the nearest recipe."""
  run = schema.replace(run_config.RunConfig.preset(*recipe.split(':')), changes)
  config = schema.to_mapping(run)
  assert command.recipe(config) == recipe
  text = command.lines(config, 'runs/my run')
  assert _read_back(text, monkeypatch) == run
