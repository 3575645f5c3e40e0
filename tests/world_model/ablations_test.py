"""The options of the sequence model, each in a whole world model or agent."""

import dataclasses
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.policies import policy_saver
from tf_agents.trajectories import time_step as ts

from r2i_tf import config as agent_config
from r2i_tf import draws
from r2i_tf import schema
from r2i_tf import ssm
from r2i_tf.agents import R2IAgent
from r2i_tf.world_model import WorldModel
from r2i_tf.world_model import latents
from r2i_tf.world_model import losses
from tests.agents import small as small_agents
from tests.world_model import small

_VECTOR = tf.TensorSpec([3], tf.float32)
_SEED = draws.Seed([1, 2])
_RESETS = [[1, 0, 0, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 1, 0]]
_GRU = agent_config.SequenceModelKind.GRU
_ZERO_ORDER_HOLD = ssm.Discretization.ZERO_ORDER_HOLD
_CONVOLUTION = ssm.Computation.CONVOLUTION
# Fields of `sequence_model`, and of its `s3m`.
_OPTIONS = {
    'siso': ({}, {'kind': ssm.StateSpaceKind.SISO, 'state_size': 3}),
    'dplr': ({}, {'kind': ssm.StateSpaceKind.SISO_DPLR, 'state_size': 3}),
    'selective': (
        {},
        {
            'kind': ssm.StateSpaceKind.SELECTIVE,
            'state_size': 3,
            'discretization': _ZERO_ORDER_HOLD,
        },
    ),
    'pre-norm': ({}, {'norm': ssm.NormPosition.PRE}),
    'conjugate': ({}, {'conjugate_symmetry': True, 'eigenvalue_clip': -1e-4}),
    'attention': ({}, {'attention_window': 3, 'attention_heads': 2}),
    'no resets': ({'resets': False}, {}),
    'no resets, gru': ({'resets': False, 'kind': _GRU}, {}),
    'no resets, attention': ({'resets': False}, {'attention_window': 3}),
    'convolution': ({'resets': False}, {'computation': _CONVOLUTION}),
}
_EVERY = pytest.mark.parametrize('name', _OPTIONS)


def _with_options(name, config):
  """A config of a world model with the options of a name."""
  changes, s3m = _OPTIONS[name]
  model = config.sequence_model
  model = dataclasses.replace(
      model, s3m=dataclasses.replace(model.s3m, **s3m), **changes
  )
  return dataclasses.replace(config, sequence_model=model)


def _model(name):
  """A model whose variables are all off their zeros."""
  tf.keras.utils.set_random_seed(1)
  model = WorldModel(_VECTOR, 2, _with_options(name, small.config()))
  for variable in model.trainable_variables:
    if not np.any(variable):
      variable.assign(0.5 * tf.random.normal(variable.shape))
  return model


@pytest.fixture(name='smooth_latents')
def _smooth_latents(monkeypatch):
  """Latents are the probabilities: no chance, and no steps in the way."""

  def sample(self, distribution, noise):
    del self, noise
    probs = distribution.distribution.probs_parameter()
    return tf.reshape(probs, [*probs.shape[:-2], -1])

  monkeypatch.setattr(latents.Latents, 'drawn_with', sample)


def _steps(model, experience, carry):
  """The step form along a sequence: a list of (state, carry)."""
  steps = []
  for t in range(experience.is_first.shape[1]):
    state, carry = model.observe_step(
        carry,
        experience.previous_action[:, t],
        experience.observation[:, t],
        experience.is_first[:, t],
        model.latent_noise(experience.is_first.shape[0]),
    )
    steps.append((state, carry))
  return steps


@_EVERY
@pytest.mark.usefixtures('smooth_latents')
def test_parallel_and_step_forms_agree(name):
  """The agent acts on the states that it was trained on, memory and all."""
  model = _model(name)
  experience = small.experience(_VECTOR, _RESETS)
  observed = model.observe(experience, _SEED)
  # As a policy starts, whatever the initial memory is.
  carry = tf.nest.map_structure(tf.zeros_like, model.initial(2))
  for t, step in enumerate(_steps(model, experience, carry)):
    tf.nest.map_structure(
        lambda a, b, t=t: np.testing.assert_allclose(a, b[:, t], atol=1e-4),
        step,
        (observed.state, observed.carry),
    )


def _reaches(model, before, after):
  """Whether what is seen at step `before` tells at step `after`."""
  experience = small.experience(_VECTOR, _RESETS)
  with tf.GradientTape() as tape:
    tape.watch(experience.observation)
    states = model.observe(experience, _SEED).state
    loss = tf.reduce_sum(states.output[0, after] ** 2)
  gradient = tape.gradient(loss, experience.observation)
  return np.abs(gradient[0, before]).max() > 0


@_EVERY
@pytest.mark.usefixtures('smooth_latents')
def test_memory_passes_an_end_only_without_resets(name):
  """The first episode of the sequence, of 3 steps, tells later or does not."""
  model = _model(name)
  assert _reaches(model, 5, 7)
  assert _reaches(model, 0, 2)
  assert _reaches(model, 0, 6) == (not _OPTIONS[name][0].get('resets', True))


@_EVERY
def test_a_program_serves_every_step(name):
  """No variable and no observation is a constant of what XLA compiles.

  Else every train step is compiled anew.
  """
  model = _model(name)
  experience = small.experience(_VECTOR, _RESETS)

  @tf.function(jit_compile=True)
  def gradients(observation):
    with tf.GradientTape() as tape:
      loss, _, _ = losses.loss(
          model, experience._replace(observation=observation), _SEED
      )
    return tape.gradient(loss, model.trainable_variables)

  program = gradients.experimental_get_compiler_ir(experience.observation)
  _, _, entry = program(stage='hlo').partition('ENTRY ')
  inputs = gradients.get_concrete_function(experience.observation).inputs
  assert entry.count(' parameter(') == len(inputs)


@_EVERY
def test_gradients_of_a_new_model_are_of_usual_size(name):
  """No option brings back LayerNorms that blow up zeros."""
  tf.keras.utils.set_random_seed(1)
  config = _with_options(name, small.config(layers=4))
  model = WorldModel(_VECTOR, 2, config)
  experience = small.experience(_VECTOR, _RESETS)
  with tf.GradientTape() as tape:
    loss, _, _ = losses.loss(model, experience, _SEED)
  gradients = tape.gradient(
      loss, model.trainable_variables, unconnected_gradients='zero'
  )
  assert tf.linalg.global_norm(gradients) < 100


def _agent(name):
  config = small_agents.config()
  # Two layers, for what stands between them.
  world_model = dataclasses.replace(
      config.world_model, sequence_model=small.config().sequence_model
  )
  tf.keras.utils.set_random_seed(1)
  return R2IAgent(
      ts.time_step_spec(small_agents.VECTOR),
      small_agents.DISCRETE,
      dataclasses.replace(config, world_model=_with_options(name, world_model)),
  )


@pytest.mark.parametrize(
    'name',
    ['siso', 'dplr', 'selective', 'attention', 'no resets', 'convolution'],
)
def test_an_agent_trains_with_it(name):
  """A compiled train step, imagination included, moves all of the memory."""
  agent = _agent(name)
  variables = agent.world_model._sequence_model.trainable_variables
  before = [v.numpy() for v in variables]
  info = agent.train(small_agents.trajectories())
  assert info.extra['train/refused'] == 0 and np.isfinite(info.loss)
  for variable, value in zip(variables, before):
    assert np.any(variable != value), variable.name


@pytest.mark.parametrize('name', ['attention', 'no resets, attention'])
def test_policy_saver_exports_a_memory_of_several_parts(name, tmp_path):
  """An exported policy carries the cache, and acts as the policy does."""
  agent = _agent(name)
  path = str(tmp_path / 'policy')
  policy_saver.PolicySaver(agent.policy, batch_size=None).save(path)
  exported = tf.saved_model.load(path)
  state = agent.policy.get_initial_state(2)
  exported_state = exported.get_initial_state(batch_size=2)
  memory = state['memory'].get('memory', state['memory'])
  assert memory['keys'].shape == (2, 2, 1, 8)
  rng = np.random.default_rng(1)
  for step_type in (0, 1, 1, 1, 2, 0, 1, 1):
    time_step = ts.TimeStep(
        tf.fill([2], tf.constant(step_type)),
        tf.zeros([2]),
        tf.ones([2]),
        tf.constant(rng.normal(size=[2, 3]), tf.float32),
    )
    # The same latents and actions, so that the states may be compared.
    state['latent'] = exported_state['latent'] = tf.zeros([2, 6])
    step = agent.policy.action(time_step, state)
    exported_step = exported.action(time_step, exported_state)
    tf.nest.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4),
        exported_step.state['memory'],
        step.state['memory'],
    )
    state, exported_state = step.state, exported_step.state
    exported_state['action'] = state['action']


_S3M = agent_config.S3MConfig


@pytest.mark.parametrize(
    'changes, message',
    [
        (
            lambda: _S3M(kind=ssm.StateSpaceKind.SELECTIVE),
            's3m.discretization is bilinear.* set it to zoh',
        ),
        (
            lambda: _S3M(
                kind=ssm.StateSpaceKind.SISO_DPLR,
                discretization=_ZERO_ORDER_HOLD,
            ),
            's3m.discretization is zoh.* set it to bilinear',
        ),
        (lambda: _S3M(eigenvalue_clip=0.1), 's3m.eigenvalue_clip is 0.1'),
        (lambda: _S3M(attention_window=1), 'attention_window is 1'),
        (lambda: _S3M(attention_window=4, layers=1), 's3m.layers is 1'),
        (lambda: _S3M(attention_heads=0), 's3m.attention_heads is 0'),
        (
            lambda: agent_config.SequenceModelConfig(
                s3m=_S3M(computation=_CONVOLUTION)
            ),
            'set sequence_model.resets to False',
        ),
        (
            lambda: agent_config.WorldModelConfig(
                agent_config.SequenceModelConfig(
                    resets=False, s3m=_S3M(computation=_CONVOLUTION)
                ),
                posterior=agent_config.Posterior.RECURRENT,
            ),
            'set that to non_recurrent',
        ),
        (
            lambda: agent_config.SequenceModelConfig(
                width=10, s3m=_S3M(attention_window=4)
            ),
            'must divide sequence_model.width = 10',
        ),
    ],
)
def test_what_does_not_go_together_is_refused(changes, message):
  """One sentence, before TensorFlow is asked for anything."""
  with pytest.raises(schema.ConfigError, match=message) as error:
    changes()
  assert '\n' not in str(error.value)


def test_the_page_lists_every_option():
  """docs/ablations.md has each field and its default."""
  text = (pathlib.Path(__file__).parents[2] / 'docs/ablations.md').read_text()
  told = dict(re.findall(r'^\| `([\w.]+)` \| ([\w.-]+)', text, re.M))
  config = schema.to_mapping(agent_config.SequenceModelConfig())
  fields = {**config, **{f's3m.{k}': v for k, v in config['s3m'].items()}}
  for name in ('output_size', 'width', 's3m'):
    del fields[name]  # Sizes.
  for name in (
      *('state_size', 'layers', 'blocks', 'min_step', 'max_step'),
      *('learning_rate', 'rematerialize'),
  ):
    del fields[f's3m.{name}']  # Sizes, and what is no choice of a model.
  listed = {name: default for name, default in told.items() if name in fields}
  assert listed == {name: str(default) for name, default in fields.items()}


def test_blocks_are_of_one_kind():
  """A state that no block divides is refused of the kind that has blocks."""
  with pytest.raises(schema.ConfigError, match='blocks'):
    _S3M(state_size=5)
  assert _S3M(state_size=5, kind=ssm.StateSpaceKind.SISO).state_size == 5
