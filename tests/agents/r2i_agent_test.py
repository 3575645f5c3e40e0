"""Tests of r2i_tf.agents.r2i_agent: one train step, and what it promises."""

import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.compiler.xla.service import hlo_pb2
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from r2i_tf import R2IAgent
from r2i_tf import config as agent_config
from r2i_tf.agents import replicas
from r2i_tf.specs import UnsupportedSpecError
from tests.agents import small

_MULTI = tensor_spec.BoundedTensorSpec([2], tf.int32, [0, -1], [1, 2])
_NESTED = {
    'camera': tf.TensorSpec([8, 8, 3], tf.uint8),
    'state': [tf.TensorSpec([3], tf.float32), tf.TensorSpec([], tf.float32)],
}


@pytest.fixture(name='run', scope='module')
def _run():
  """An agent that all tests share, and the results of its first steps."""
  agent = small.agent()
  return agent, _train(agent, 5)


@pytest.fixture(name='agent')
def _agent(run):
  return run[0]


def _all_variables(agent):
  """Variables of the networks, normaliser and optimisers, by their order."""
  optimizers = agent._train_step.updates.optimizers.values()
  return (
      small.values(agent.world_model)
      + small.values(agent.behavior)
      + [v.numpy() for optimizer in optimizers for v in optimizer.slots]
  )


def _train(agent, steps, **changes):
  """Trains on a batch after the other; the losses and scalars of each step."""
  results = []
  for step in range(steps):
    info = agent.train(small.trajectories(seed=step, **changes))
    results.append({'loss': info.loss.numpy()})
    results[-1].update({k: v.numpy() for k, v in info.extra.items()})
  return results


def test_same_seed_same_run(run):
  """A run is repeated bit for bit by its seed, and only by its seed."""
  _, results = run
  again = small.agent()
  assert results == _train(again, 5)
  assert all(np.isfinite(list(step.values())).all() for step in results)
  batch = small.trajectories()
  other, same = small.agent(seed=1), small.agent()
  same.train_step_counter.assign(again.train_step_counter)
  other.train_step_counter.assign(again.train_step_counter)
  for agent in (other, same):
    for variable, value in zip(
        agent.world_model.variables, again.world_model.variables
    ):
      variable.assign(value)
  assert same.loss(batch).loss == again.loss(batch).loss
  assert other.loss(batch).loss != again.loss(batch).loss
  step = again.loss(batch).loss
  again.train_step_counter.assign_add(1)
  assert again.loss(batch).loss != step


def test_learns(agent):
  """On one batch over and over the world model's loss falls by a third."""
  batch = small.trajectories(seed=41)
  losses = [
      float(agent.train(batch).extra['world_model/loss']) for _ in range(60)
  ]
  assert np.mean(losses[-5:]) < 0.67 * np.mean(losses[:5])


def test_every_network_moves(agent):
  """One step moves all networks, the slow critic and the normaliser."""
  groups = {
      'ssm': agent.world_model.parameter_groups[0].variables,
      'world model': agent.world_model.other_variables,
      'actor': agent.behavior.actor_variables,
      'critic': agent.behavior.critic_variables,
      'slow critic': agent.behavior._slow_critic.variables,
      'normalizer': agent.behavior.normalizer.variables,
  }
  before = {k: [v.numpy() for v in group] for k, group in groups.items()}
  agent.train(small.trajectories(seed=11))
  for name, group in groups.items():
    assert any(np.any(a != b) for a, b in zip(before[name], group)), name


def test_bad_batch_is_refused(agent):
  """A NaN changes nothing but the count of steps; the next batch is learned."""
  _train(agent, 1)
  before, step = _all_variables(agent), agent.train_step_counter.numpy()
  batch = small.trajectories(seed=21)
  reward = batch.reward.numpy()
  reward[1, 0] = np.nan
  info = agent.train(batch.replace(reward=tf.constant(reward)))
  assert info.extra['train/refused'] == 1
  for a, b in zip(_all_variables(agent), before):
    np.testing.assert_array_equal(a, b)
  assert agent.train_step_counter == step + 1
  info = agent.train(batch)
  assert info.extra['train/refused'] == 0 and np.isfinite(info.loss)
  after = _all_variables(agent)
  assert all(np.all(np.isfinite(x)) for x in after)
  assert any(np.any(a != b) for a, b in zip(after, before))


def test_compiles_once(agent):
  """Batches of one shape share one compilation."""
  _train(agent, 1)
  program = agent._train_step.program
  count = program.experimental_get_tracing_count()
  _train(agent, 3)
  assert program.experimental_get_tracing_count() == count == 1


def test_is_one_xla_program(agent):
  """The whole step is one program, which never asks the host for anything."""
  arguments = (small.trajectories(), None, tf.constant([0, 0]))
  function = agent._train_step.program
  concrete = function.get_concrete_function(*arguments)
  assert concrete.function_def.attr['_XlaMustCompile'].b
  names = {
      node.op
      for function in (
          concrete.graph.as_graph_def(),
          *concrete.graph.as_graph_def().library.function,
      )
      for node in getattr(function, 'node', None) or function.node_def
  }
  assert not {n for n in names if 'PyFunc' in n or 'Summary' in n}
  assert not names & {'HostSend', 'Assert', 'PrintV2', 'ReadFile'}
  program = function.experimental_get_compiler_ir(*arguments)('hlo')
  assert program.startswith('HloModule')
  for operation in ('outfeed(', 'infeed(', 'send(', 'recv('):
    assert operation not in program


def test_a_cache_can_know_the_program():
  """The seed is no part of it, nor is anything that differs by chance.

  Constants that TensorFlow folds it names in the order of their addresses.
  """
  seed = 1234567
  function = small.agent(seed=seed)._train_step.program
  program = function.experimental_get_compiler_ir(
      small.trajectories(), None, tf.constant([seed, 0])
  )('hlo')
  assert str(seed) not in program
  assert not re.findall(r'op_name="[^"]*/_[0-9]+"', program)


def test_program_of_the_train_step(agent):
  """Others see the step as it is: this batch, and memory that is reused."""
  program = hlo_pb2.HloModuleProto.FromString(agent.train_step_hlo(3, 7))
  parameters = program.host_program_shape.parameters
  results = program.host_program_shape.result.tuple_shapes
  observation = [3, 7, *small.VECTOR.shape]
  assert [list(p.dimensions) for p in parameters].count(observation) == 1
  aliases = program.input_output_alias.entries
  # Loss and scalars are new; all else is the next value of a variable.
  [scalars] = _train(agent, 1)
  assert len(results) == len(scalars) + len(aliases)
  for alias in aliases:
    [index] = alias.output_shape_index
    assert results[index] == parameters[alias.parameter_number]


def test_program_of_one_of_several_replicas(agent):
  """What cannot be lowered here stands in it as calls, each with its shape."""
  program = hlo_pb2.HloModuleProto.FromString(agent.train_step_hlo(1, 7, 4))
  calls = {}
  for computation in program.computations:
    for instruction in computation.instructions:
      if instruction.opcode == 'custom-call':
        calls.setdefault(instruction.custom_call_target, []).append(
            tuple(instruction.shape.dimensions)
        )
  assert calls.keys() == {replicas.INDEX, replicas.ADD, replicas.GATHER}
  # Returns of 3 steps from each start, and whether they count.
  assert calls[replicas.GATHER] == [(4 * 7 * 3,)] * 2
  gradients = [shape for shape in calls[replicas.ADD] if shape]
  assert len(gradients) == len(agent._train_step.updates.optimizers)
  assert 'custom-call' not in str(agent.train_step_hlo(1, 7))


def test_extra_is_flat_and_scalar(agent):
  """What is reported can go into any logger as it is."""
  [result] = _train(agent, 1)
  assert result.keys() >= {
      'world_model/loss',
      'actor/loss',
      'critic/loss',
      'returns/scale',
      'train/refused',
  }
  assert all(x.shape == () and x.dtype == np.float32 for x in result.values())
  total = sum(result[f'{k}/loss'] for k in ('world_model', 'actor', 'critic'))
  np.testing.assert_allclose(result['loss'], total, rtol=1e-5)


def test_weight_zero_takes_a_sequence_out(agent):
  """What a sequence of weight 0 holds does not matter to the world model."""
  batch = small.trajectories(seed=31)
  other = tf.nest.map_structure(
      lambda a, b: tf.stack([a[0], b[1]]),
      batch,
      small.trajectories(seed=32),
  )
  weights = tf.constant([1.0, 0.0])
  np.testing.assert_allclose(
      agent.loss(batch, weights).loss,
      agent.loss(other, weights).loss,
      rtol=1e-6,
  )
  assert agent.loss(batch).loss != agent.loss(other).loss


def test_loss_changes_nothing(agent):
  """Asking for the loss, as a Learner may, trains nothing."""
  before = _all_variables(agent)
  agent.loss(small.trajectories())
  for a, b in zip(_all_variables(agent), before):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    'observation_spec, action_spec, changes',
    [
        (
            _NESTED,
            _MULTI,
            {
                'precision': agent_config.Precision.MIXED_BFLOAT16,
                'starts_per_sequence': 2,
                'policy_input': agent_config.PolicyInput.OUTPUT,
            },
        ),
        (
            small.VECTOR,
            small.BOX,
            {
                'kind': agent_config.SequenceModelKind.GRU,
                'posterior': agent_config.Posterior.NON_RECURRENT,
                'policy_input': agent_config.PolicyInput.HIDDEN,
            },
        ),
        (
            small.VECTOR,
            small.DISCRETE,
            {
                'kind': agent_config.SequenceModelKind.GRU,
                'precision': agent_config.Precision.MIXED_BFLOAT16,
            },
        ),
        (
            _NESTED,
            small.BOX,
            {'posterior': agent_config.Posterior.RECURRENT},
        ),
        (
            _NESTED,
            small.DISCRETE,
            {
                'kind': agent_config.SequenceModelKind.GRU,
                'norm': agent_config.Norm.RMS,
                'starts_per_sequence': 2,
                'replay_critic_scale': 0.3,
                'optimizer': {
                    'adaptive_clip': 0.3,
                    'warmup_steps': 2,
                    'update_clip': 1.0,
                },
            },
        ),
    ],
    ids=[
        'nested-multidiscrete-bfloat16',
        'continuous-gru',
        'gru-bfloat16',
        'continuous-recurrent-posterior',
        'newer-dreamerv3',
    ],
)
def test_variants_train(observation_spec, action_spec, changes):
  """Each kind of spec and option trains: finite, not refused, and moving."""
  agent = small.agent(observation_spec, action_spec, **changes)
  # The slow critic has no optimiser, and follows.
  moving = [
      *agent.trainable_variables,
      *agent.behavior._slow_critic.variables,
  ]
  before = [v.numpy() for v in moving]
  results = _train(
      agent, 4, observation_spec=observation_spec, action_spec=action_spec
  )
  for result in results:
    assert np.isfinite(list(result.values())).all(), result
    assert result['train/refused'] == 0
  assert all(np.all(np.isfinite(x)) for x in _all_variables(agent))
  for variable, value in zip(moving, before):
    assert np.any(variable != value), variable.name
  assert all(v.dtype in (tf.float32, tf.int64) for v in agent.variables)
  _check_policy(agent, observation_spec, action_spec)


def _check_policy(agent, observation_spec, action_spec):
  """Both policies act within the spec, their states as their specs say."""
  batch = small.trajectories(observation_spec, action_spec, batch=3, length=2)
  for policy in (agent.policy, agent.collect_policy):
    state = policy.get_initial_state(3)
    for t, step_type in enumerate((ts.StepType.FIRST, ts.StepType.MID)):
      observation = tf.nest.map_structure(
          lambda x, t=t: x[:, t], batch.observation
      )
      step = policy.action(
          ts.TimeStep(
              tf.fill([3], tf.constant(step_type)),
              tf.zeros([3]),
              tf.ones([3]),
              observation,
          ),
          state,
      )
      state = step.state
      assert step.action.dtype == action_spec.dtype
      assert np.all(step.action >= action_spec.minimum)
      assert np.all(step.action <= action_spec.maximum)
      for x, spec in zip(
          tf.nest.flatten(state), tf.nest.flatten(policy.policy_state_spec)
      ):
        assert x.dtype == spec.dtype and x.shape == (3, *spec.shape)
        assert np.all(np.isfinite(x))


@pytest.mark.parametrize(
    'observation_spec, action_spec, sentence',
    [
        (
            small.VECTOR,
            {'move': small.DISCRETE, 'turn': small.DISCRETE},
            r"is nested \(action 'move', action 'turn'\)",
        ),
        (small.VECTOR, tf.TensorSpec([2], tf.float32), 'without bounds'),
        (
            tf.TensorSpec([64, 64, 3], tf.float32),
            small.DISCRETE,
            '12,288 numbers',
        ),
        (tf.TensorSpec([], tf.string), small.DISCRETE, 'has the dtype string'),
    ],
)
def test_unsupported_specs(observation_spec, action_spec, sentence):
  """An environment that cannot be learned is refused in a sentence."""
  with pytest.raises(UnsupportedSpecError, match=sentence):
    R2IAgent(ts.time_step_spec(observation_spec), action_spec, small.config())


def test_what_is_ignored_may_be_of_any_kind():
  """A part that the configuration leaves out need not be one R2I can take."""
  depth = tf.TensorSpec([80, 80, 1], tf.float32)
  spec = {'depth': depth, 'state': small.VECTOR}
  config = small.config()
  with pytest.raises(UnsupportedSpecError, match='depth'):
    R2IAgent(ts.time_step_spec(spec), small.DISCRETE, config)
  world_model = dataclasses.replace(config.world_model, ignored_keys='depth')
  config = dataclasses.replace(config, world_model=world_model)
  R2IAgent(ts.time_step_spec(spec), small.DISCRETE, config)
