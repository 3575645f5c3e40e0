"""The page on exported policies, where tf2onnx is installed."""

import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import random_py_environment
from tf_agents.specs import tensor_spec

from r2i_tf import environments
from r2i_tf.training import export
from tests.agents import small

pytest.importorskip('tf2onnx')
onnxruntime = pytest.importorskip('onnxruntime')

_ROOT = pathlib.Path(__file__).parents[2]


def test_onnx_acts_as_the_policy(tmp_path):
  """The program of the page converts; a few steps give the same actions."""
  agent = small.agent(small.VECTOR, small.BOX)
  environment = random_py_environment.RandomPyEnvironment(
      tensor_spec.to_nest_array_spec(small.VECTOR),
      tensor_spec.to_nest_array_spec(small.BOX),
  )
  options = environments.SuiteOptions()
  export.export(agent, environment, 'mine', options, tmp_path, True)
  text = (_ROOT / 'docs' / 'policies.md').read_text(encoding='utf-8')
  section = text[text.index('## With ONNX') :]
  program = re.findall(r'^```python\n(.*?)^```', section, re.M | re.S)[0]
  path = str(tmp_path / 'policy.onnx')
  program = program.replace('policy.onnx', path)
  program = program.replace('runs/first/policies/greedy', f'{tmp_path}/greedy')
  # A tf.function reads its own source.
  file = tmp_path / 'program.py'
  file.write_text(program, encoding='utf-8')
  names = {}
  exec(compile(program, str(file), 'exec'), names)
  act = names['act']
  state = {
      name: np.zeros([1, *spec.shape[1:]], np.float32)
      for name, spec in names['inputs'].items()
      if name.startswith('state_')
  }
  session = onnxruntime.InferenceSession(path)
  outputs = [output.name for output in session.get_outputs()]
  rng = np.random.default_rng(0)
  for t in range(4):
    inputs = {
        'observation': rng.normal(size=[1, 3]).astype(np.float32),
        'is_first': np.array([t == 0]),
        **state,
    }
    found = dict(zip(outputs, session.run(outputs, inputs)))
    expected = act(**{name: tf.constant(x) for name, x in inputs.items()})
    np.testing.assert_allclose(found['action'], expected['action'], atol=1e-5)
    state = {name: found[f'next_{name}'] for name in state}
