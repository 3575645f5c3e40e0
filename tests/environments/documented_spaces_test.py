"""What docs/environments.md says of spaces is what the code does."""

import pathlib
import re

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf import specs
from r2i_tf.agents import spec_checks

spaces = pytest.importorskip('gymnasium.spaces')
fakes = pytest.importorskip('tests.environments.gymnasium_fakes')

_DOCUMENT = pathlib.Path(__file__).parents[2] / 'docs' / 'environments.md'


def rows(table):
  """Returns the cells of each row of a table of the document."""
  pattern = rf'<!-- table:{table} -->\n(.*?)<!-- end -->'
  text = re.search(pattern, _DOCUMENT.read_text('utf-8'), re.S)[1]
  _, _, *lines = [line for line in text.splitlines() if line.startswith('|')]
  found = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
  return [[cell.strip('`') for cell in row] for row in found]


def evaluated(text):
  """Returns what an expression of the document stands for."""
  return eval(text, {**vars(spaces), 'np': np, 'nan': np.nan})


def described(spec):
  """Returns specs as the document writes them."""
  if isinstance(spec, dict):
    parts = ', '.join(f'{key!r}: {described(s)}' for key, s in spec.items())
    return f'{{{parts}}}'
  if isinstance(spec, tuple):
    return f'({", ".join(map(described, spec))})'
  return f'{spec.dtype} {list(spec.shape)}'


@pytest.mark.parametrize('space,array,_', rows('observation_spaces'))
def test_observations_become_what_the_table_says(space, array, _):
  """Each row is a space and the arrays of its elements."""
  env = environments.load(fakes.Fake(evaluated(space)), 0)
  spec_checks.check_specs(env.time_step_spec(), env.action_spec())
  assert described(env.observation_spec()) == array
  env.reset()


@pytest.mark.parametrize('space,array,low,high', rows('action_spaces'))
def test_actions_become_what_the_table_says(space, array, low, high):
  """Each row is a space, the array of an action, and its bounds."""
  env = environments.load(fakes.Fake(action_space=evaluated(space)), 0)
  spec = env.action_spec()
  spec_checks.check_specs(env.time_step_spec(), spec)
  assert described(spec) == array
  found = (spec.minimum.tolist(), spec.maximum.tolist())
  assert found == (evaluated(low), evaluated(high))


@pytest.mark.parametrize('kind,space,sentence', rows('refused_spaces'))
def test_spaces_are_refused_as_the_table_says(kind, space, sentence):
  """Each row is a space and the sentence that refuses it."""
  given = {f'{kind}_space': evaluated(space)}
  with pytest.raises(specs.UnsupportedSpecError) as caught:
    env = environments.load(fakes.Fake(**given), 0)
    spec_checks.check_specs(env.time_step_spec(), env.action_spec())
  assert str(caught.value) == sentence


@pytest.mark.parametrize('space,given,sentence', rows('faults'))
def test_faults_are_told_as_the_table_says(space, given, sentence):
  """Each row is a space, an observation or a reward, and the sentence."""
  if space == 'reward':
    fake = fakes.Fake(reward=evaluated(given))
  else:
    fake = fakes.Fake(evaluated(space), evaluated(given))
  env = environments.load(fake, 0)
  with pytest.raises(environments.FaultyEnvironmentError) as caught:
    env.reset()
    env.step(np.int32(0))
  assert str(caught.value) == f'Fake: {sentence}'


def test_the_documented_example_runs():
  """An environment of one's own, and a batch of them."""
  pattern = r'<!-- example: own -->\n```python\n(.*?)```'
  text = re.search(pattern, _DOCUMENT.read_text('utf-8'), re.S)[1]
  found = {'environments': environments}
  exec(text, found)
  assert found['pole'].reset().observation.shape == (4,)
  assert found['lakes'].reset().observation.shape == (8, 16)
