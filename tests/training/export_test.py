"""Policies as others load them: their names, their signatures, no chance."""

import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import random_py_environment
from tf_agents.policies import py_tf_eager_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from r2i_tf import config as agent_config
from r2i_tf import environments
from r2i_tf import errors
from r2i_tf.training import export
from r2i_tf.training import signatures
from r2i_tf.world_model import Carry
from tests.agents import small
from tests.training import fakes

_KEYS = (
    'robot/pos',
    'robot_pos',
    'robot_pos_2',
    '@x',
    'ü',
    'u',
    '目',
    'my key',
    'a.b',
    '1',
    'A',
    'a',
)
_SPEC = {
    **{key: tf.TensorSpec([2], tf.float32, 'same') for key in _KEYS},
    'camera': {'left': tf.TensorSpec([8, 8, 3], tf.uint8, 'same')},
}
_ROOT = pathlib.Path(__file__).parents[2]
_OPTIONS = environments.SuiteOptions()


@pytest.fixture(name='agent', scope='module')
def _agent():
  return small.agent(_SPEC, small.BOX)


@pytest.fixture(name='policies', scope='module')
def _policies(agent, tmp_path_factory):
  """Policies for awkward keys, the greedy one without chance."""
  directory = tmp_path_factory.mktemp('export') / 'policies'
  environment = random_py_environment.RandomPyEnvironment(
      tensor_spec.to_nest_array_spec(_SPEC),
      tensor_spec.to_nest_array_spec(small.BOX),
  )
  export.export(agent, environment, 'mine', _OPTIONS, directory, True)
  return directory


def _observations(batch, seed=0):
  rng = np.random.default_rng(seed)

  def draw(spec):
    shape = [batch, *spec.shape]
    if spec.dtype == tf.uint8:
      return tf.constant(rng.integers(0, 256, shape), tf.uint8)
    return tf.constant(rng.normal(size=shape), tf.float32)

  return tf.nest.map_structure(draw, _SPEC)


def _serve(serving, names, observation, is_first, state):
  flat = dict(zip(names, tf.nest.flatten(observation)))
  return serving(is_first=tf.constant(is_first), **flat, **state)


def _names(policies):
  task = json.loads((policies / 'greedy' / 'task.json').read_text())
  return task['names']


def _zeros(signature, batch):
  """Returns a state before the first step, as the signature declares it."""
  return {
      name: tf.zeros([batch, *spec.shape[1:]], spec.dtype)
      for name, spec in signature.structured_input_signature[1].items()
      if name.startswith('state_')
  }


def test_names_are_valid_and_no_two_are_alike():
  """Letters, digits and underscores, different even in one case."""
  names = signatures.names_of('observation', _SPEC)
  assert all(re.fullmatch('observation(_[A-Za-z0-9]+)*', n) for n in names)
  assert len({name.lower() for name in names}) == len(names) == len(_KEYS) + 1
  assert signatures.names_of('action', small.BOX) == ['action']


def test_task_json_says_which_key_has_which_name(policies):
  """Every key of the observation is there, under a name of the signature."""
  names = _names(policies)
  assert sorted(names['observation']) == sorted([*_KEYS, 'camera/left'])
  assert names['action'] == {'': 'action'}
  loaded = tf.saved_model.load(str(policies / 'greedy'))
  serving = loaded.signatures['serving_default']
  assert set(serving.structured_input_signature[1]) == {
      *names['observation'].values(),
      *names['state'].values(),
      'is_first',
  }
  assert set(serving.structured_outputs) == {
      'action',
      *names['state'].values(),
  }


@pytest.mark.parametrize('name', ['greedy', 'collect'])
def test_tf_agents_loads_any_key(policies, name):
  """`SavedModelPyTFEagerPolicy` takes observations under their own keys."""
  policy = py_tf_eager_policy.SavedModelPyTFEagerPolicy(
      str(policies / name), load_specs_from_pbtxt=True
  )
  observation = tf.nest.map_structure(lambda x: x[0].numpy(), _observations(1))
  step = policy.action(ts.restart(observation), policy.get_initial_state(1))
  assert step.action.shape == (2,) and np.all(np.isfinite(step.action))


def test_serving_is_the_policy(agent, policies):
  """A few steps and a reset by the flat signature, as by the policy itself."""
  serving = tf.saved_model.load(str(policies / 'greedy')).signatures[
      'serving_default'
  ]
  names = signatures.names_of('observation', _SPEC)
  state = _zeros(serving, 3)
  policy = agent.deterministic_policy()
  policy_state = policy.get_initial_state(3)
  for t, is_first in enumerate(
      [[True] * 3, [False] * 3, [False, True, False], [False] * 3]
  ):
    observation = _observations(3, seed=t)
    time_step = ts.TimeStep(
        tf.where(is_first, ts.StepType.FIRST, ts.StepType.MID),
        tf.zeros([3]),
        tf.ones([3]),
        observation,
    )
    step = policy.action(time_step, policy_state)
    policy_state = step.state
    served = dict(_serve(serving, names, observation, is_first, state))
    np.testing.assert_allclose(
        served.pop('action'), step.action, rtol=1e-4, atol=1e-5
    )
    state = served


def test_action_and_serving_are_one_policy_in_two_forms(agent, policies):
  """`action` an XLA program, and what servers and converters read none.

  Both have stored what discretisation makes of the parameters.
  """
  loaded = tf.saved_model.load(str(policies / 'greedy'))
  serving = loaded.signatures['serving_default']
  names = signatures.names_of('observation', _SPEC)
  state = loaded.get_initial_state(batch_size=3)
  served = _zeros(serving, 3)
  for t in range(3):
    time_step = ts.TimeStep(
        tf.fill([3], ts.StepType.MID if t else ts.StepType.FIRST),
        tf.zeros([3]),
        tf.ones([3]),
        _observations(3, seed=t),
    )
    step = loaded.action(time_step, state)
    state = step.state
    served = dict(
        _serve(serving, names, time_step.observation, [t == 0] * 3, served)
    )
    np.testing.assert_allclose(
        served.pop('action'), step.action, rtol=1e-4, atol=1e-5
    )
  acting = loaded.signatures['action']
  for signature, is_program in ((acting, True), (serving, False)):
    functions = list(_called(signature.graph.as_graph_def()))
    assert is_program == any(f.attr['_XlaMustCompile'].b for f in functions)
    nodes = [node for f in functions for node in f.node_def]
    assert not {'Exp', 'Sin', 'Cos'} & {node.op for node in nodes}
  assert agent.collect_policy.prepared is None  # Which learns on.


def _called(graph):
  """The functions that a graph calls, and those that they call."""
  library = {f.signature.name: f for f in graph.library.function}
  nodes, seen = list(graph.node), set()
  while nodes:
    for attribute in nodes.pop().attr.values():
      name = attribute.func.name
      if name in library and name not in seen:
        seen.add(name)
        nodes.extend(library[name].node_def)
        yield library[name]


@pytest.mark.parametrize('recurrent', [False, True])
def test_thoughts_of_an_export_are_the_agent_s(recurrent, tmp_path):
  """By the states around each step, which draws nothing; in any batch."""
  agent = small.agent(
      action_spec=small.BOX,
      posterior=agent_config.Posterior.RECURRENT if recurrent else None,
      policy_input=agent_config.PolicyInput.FULL,
  )
  for variable in agent.behavior.critic_variables:
    variable.assign(tf.random.stateless_normal(variable.shape, [1, 2]))
  environment = random_py_environment.RandomPyEnvironment(
      tensor_spec.to_nest_array_spec(small.VECTOR),
      tensor_spec.to_nest_array_spec(small.BOX),
  )
  export.export(agent, environment, 'mine', _OPTIONS, tmp_path)
  assess = tf.saved_model.load(str(tmp_path / 'greedy')).signatures['assess']
  policy, model = agent.collect_policy, agent.world_model
  state = policy.get_initial_state(3)
  features = model.policy_features(agent_config.PolicyInput.FULL)
  for is_first in ([True] * 3, [False] * 3, [False, True, False]):
    time_step = ts.TimeStep(
        tf.where(is_first, ts.StepType.FIRST, ts.StepType.MID),
        tf.zeros([3]),
        tf.ones([3]),
        tf.random.normal([3, 3]),
    )
    after = policy.action(time_step, state).state
    found = assess(**signatures.assessing_inputs(is_first, state, after))
    seen, _ = model.observe_step(
        Carry(state['memory'], state['latent']),
        state['action'],
        time_step.observation,
        tf.constant(is_first),
    )
    # What the policy has drawn, in place of another draw.
    seen = features.of(seen._replace(latent=after['latent']))
    value = agent.behavior.value(seen).mean()
    entropy = agent.behavior.policy(seen).entropy()
    np.testing.assert_allclose(found['value'], value, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found['entropy'], entropy, rtol=1e-4, atol=1e-5)
    assert np.ptp(value) > 1e-3
    state = after


def test_the_page_on_policies_asks_for_thoughts(tmp_path):
  """Its program for that, after its program for TensorFlow alone."""
  text = (_ROOT / 'docs' / 'policies.md').read_text(encoding='utf-8')
  programs = re.findall(r'^```python\n(.*?)^```', text, re.M | re.S)
  (asking,) = [text for text in programs if 'assess' in text]
  agent = small.agent(action_spec=small.DISCRETE)
  environment = random_py_environment.RandomPyEnvironment(
      tensor_spec.to_nest_array_spec(small.VECTOR),
      tensor_spec.to_nest_array_spec(small.DISCRETE),
  )
  export.export(agent, environment, 'mine', _OPTIONS, tmp_path)
  directory = str(tmp_path / 'greedy')
  acting = programs[0].replace('runs/first/policies/greedy', directory)
  names = {'observation': np.zeros([3], np.float32), 'is_first': True}
  exec(acting + asking, names)
  assert names['value'].shape == names['entropy'].shape == (1,)
  assert 0 < names['entropy'][0] <= np.log(3) + 1e-5


def test_a_policy_that_draws_nothing_has_no_thoughts(policies):
  """With the agent's variables beside its own, it would be twice as large."""
  loaded = tf.saved_model.load(str(policies / 'greedy'))
  assert 'assess' not in loaded.signatures


def test_a_state_that_means_nothing_is_forgotten_at_the_first_step(policies):
  """Where `is_first`, the state may be anything."""
  serving = tf.saved_model.load(str(policies / 'greedy')).signatures[
      'serving_default'
  ]
  names = signatures.names_of('observation', _SPEC)
  zeros = _zeros(serving, 1)
  ones = {name: tf.ones_like(value) for name, value in zeros.items()}
  after = [
      _serve(serving, names, _observations(1), [True], state)
      for state in (zeros, ones)
  ]
  for name, value in after[0].items():
    np.testing.assert_array_equal(value, after[1][name])


def test_tensorflow_alone_acts(policies):
  """No other package is imported to load an export and to act by it."""
  program = """
import sys
import tensorflow as tf
policy = tf.saved_model.load(sys.argv[1])
serve = policy.signatures['serving_default']
inputs = {
    name: tf.zeros([size or 4 for size in spec.shape], spec.dtype)
    for name, spec in serve.structured_input_signature[1].items()
}
assert serve(**inputs)['action'].shape == [4, 2]
state = policy.get_initial_state(batch_size=4)
assert sorted(state) == ['action', 'latent', 'memory'], state
packages = {'r2i_tf', 'tf_agents', 'tensorflow_probability', 'keras', 'tree'}
assert not packages - {'keras'} & set(sys.modules)
"""
  for name in ('greedy', 'collect'):
    subprocess.run(
        [sys.executable, '-c', program, policies / name],
        check=True,
        capture_output=True,
        text=True,
    )


def test_a_deterministic_policy_draws_nothing(policies):
  """Its graph has no operation that draws; that of the collect policy has."""
  for name, draws in (('greedy', False), ('collect', True)):
    loaded = tf.saved_model.load(str(policies / name))
    graph = loaded.signatures['serving_default'].graph.as_graph_def()
    operations = {
        node.op
        for nodes in (graph.node, *(f.node_def for f in graph.library.function))
        for node in nodes
    }
    assert any('Random' in op for op in operations) == draws, operations


def test_tensorflow_lite_acts_as_the_policy(policies):
  """The serving signature converts with the builtin operations alone."""
  path = str(policies / 'greedy')
  converter = tf.lite.TFLiteConverter.from_saved_model(
      path, signature_keys=['serving_default']
  )
  assert converter.target_spec.supported_ops == {tf.lite.OpsSet.TFLITE_BUILTINS}
  interpreter = tf.lite.Interpreter(model_content=converter.convert())
  lite = interpreter.get_signature_runner('serving_default')
  serving = tf.saved_model.load(path).signatures['serving_default']
  names = signatures.names_of('observation', _SPEC)
  state = _zeros(serving, 1)
  for t in range(4):
    inputs = (names, _observations(1, seed=t), [t == 0], state)
    expected = dict(_serve(serving, *inputs))
    found = _serve(lambda **tensors: lite(**tensors), *inputs)
    for name, value in expected.items():
      np.testing.assert_allclose(
          found[name], value, rtol=1e-4, atol=1e-5, err_msg=name
      )
    expected.pop('action')
    state = expected


def test_a_trial_leaves_and_says_nothing(agent, tmp_path, caplog):
  """Neither the trial itself nor the directory of the policies stays."""
  export.try_export(agent, tmp_path / 'policies', deterministic=False)
  assert not list(tmp_path.iterdir()) and not caplog.records


def test_a_trial_finds_what_the_end_would_find(agent, tmp_path, monkeypatch):
  """What cannot be saved, and where it cannot, is one sentence."""

  def refuse(*unused_arguments, **unused_options):
    raise ValueError('more than one argument is named x.\nMore.')

  monkeypatch.setattr(tf.saved_model, 'save', refuse)
  monkeypatch.setattr(tf.compat.v2.saved_model, 'save', refuse)
  with pytest.raises(errors.RunError, match='cannot be exported.*named x.$'):
    export.try_export(agent, tmp_path / 'policies', deterministic=False)
  assert not list(tmp_path.iterdir())


def test_who_has_no_deterministic_policy_is_told(tmp_path):
  """An agent of one's own without one is refused before the run."""
  spec = ts.time_step_spec(tf.TensorSpec([1], tf.float32))
  other = fakes.CountingAgent(
      spec,
      tensor_spec.BoundedTensorSpec([], tf.int32, 0, 1),
      tf.Variable(0, dtype=tf.int64),
  )
  with pytest.raises(errors.RunError, match='deterministic_export.*Counting'):
    export.try_export(other, tmp_path / 'policies', deterministic=True)
