"""The programs of examples/, as a user starts them, at the smallest size.

The pipeline is started by the tests of the README, which explains it.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from tf_agents.policies import py_tf_eager_policy

_ROOT = pathlib.Path(__file__).parents[2]


def _run(directory, *arguments):
  """Runs Python in `directory` and returns what it printed."""
  environment = {**os.environ, 'PYTHONPATH': str(_ROOT)}
  process = subprocess.run(
      [sys.executable, *arguments],
      cwd=directory,
      env=environment,
      capture_output=True,
      text=True,
      check=False,
  )
  assert process.returncode == 0, process.stderr
  return process.stdout


def _example(directory, name, *flags):
  return _run(directory, str(_ROOT / 'examples' / f'{name}.py'), *flags)


@pytest.mark.parametrize('agent', ['sac', 'r2i'])
def test_pendulum(tmp_path, agent):
  """Both ends of the tutorial collect, train, and leave a policy."""
  pytest.importorskip('popgym')
  name = f'pendulum_{agent}'
  output = _example(tmp_path, name, '--iterations=2', '--policy=saved')
  assert re.search(r'iteration 2: loss -?\d+\.\d\d, mean return', output)
  policy = py_tf_eager_policy.SavedModelPyTFEagerPolicy(
      str(tmp_path / 'saved'), load_specs_from_pbtxt=True
  )
  assert bool(policy.get_initial_state(3)) == (agent == 'r2i')


def test_custom_environment(tmp_path):
  """A maze of one's own makes a run with a record and an evaluated policy."""
  output = _example(
      tmp_path, 'custom_environment', '--workdir=run', '--steps=2100'
  )
  assert re.search(r'after 2,1\d\d steps', output)
  result = tmp_path / 'run' / 'policies' / 'greedy' / 'evaluation.json'
  assert json.loads(result.read_text())['task'] == 't_maze'


_MAZE = """
from examples import custom_environment as example

mazes = [example.TMaze(seed) for seed in (1, 1, 2)]
signs = [[] for _ in mazes]
for episode in range(20):
  for maze, seen in zip(mazes, signs):
    time_step = maze.reset()
    sign = example.LEFT + int(time_step.observation['sign'].argmax())
    seen.append(sign)
    for _ in range(example.LENGTH - 1):
      time_step = maze.step(example.FORWARD)
      assert not time_step.observation['sign'].any()
    assert time_step.observation['distance'] == 0.0
    is_right = episode % 2 == 0
    wrong = example.LEFT + example.RIGHT - sign
    time_step = maze.step(sign if is_right else wrong)
    assert time_step.last() and time_step.discount == 0.0
    assert time_step.reward == (1.0 if is_right else -1.0)
assert signs[0] == signs[1] != signs[2]

time_step, steps = maze.reset(), 0
while not time_step.last():
  time_step, steps = maze.step(example.LEFT), steps + 1
assert steps == example.TIME_LIMIT and time_step.discount == 1.0
assert maze.step(example.LEFT).first()
"""


def test_maze():
  """The maze asks for memory, and follows the rules that it explains."""
  _run(_ROOT, '-c', _MAZE)


def test_sequence_classification(tmp_path):
  """A Keras model trains around the layers; its two forms agree."""
  output = _example(
      tmp_path,
      'sequence_classification',
      '--epochs=2',
      '--steps_per_epoch=2',
      '--length=12',
  )
  assert len(re.findall(r'loss: .* accuracy: ', output)) == 2
  at_once, by_symbol = re.findall(r': ([\d.]+)%', output)
  assert at_once == by_symbol
  assert float(re.search(r'of a logit: (.*)', output)[1]) < 1e-3
