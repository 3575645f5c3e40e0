"""The agent in pipelines of TF-Agents' own classes, without an adapter."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.drivers import dynamic_episode_driver
from tf_agents.drivers import dynamic_step_driver
from tf_agents.drivers import py_driver
from tf_agents.environments import parallel_py_environment
from tf_agents.environments import tf_py_environment
from tf_agents.metrics import tf_metrics
from tf_agents.policies import greedy_policy
from tf_agents.policies import policy_saver
from tf_agents.policies import py_tf_eager_policy
from tf_agents.replay_buffers import tf_uniform_replay_buffer
from tf_agents.specs import tensor_spec
from tf_agents.system.default import multiprocessing_core
from tf_agents.train import actor
from tf_agents.train import learner as learner_lib
from tf_agents.train import triggers
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import common

from r2i_tf import R2IAgent
from r2i_tf import config as agent_config
from r2i_tf import environments
from tests.agents import small

_TASK = 'bsuite/memory_len/0'


def _agent(config):
  environment = _environment()
  tf.keras.utils.set_random_seed(1)
  return R2IAgent(
      environment.time_step_spec(),
      environment.action_spec(),
      config,
      train_step_counter=tf.Variable(0, dtype=tf.int64, trainable=False),
  )


def _environment(count=1):
  return tf_py_environment.TFPyEnvironment(
      environments.load_batch(_TASK, 1, count)
  )


@pytest.fixture(name='agent', scope='module')
def _shared_agent():
  return _agent(small.config())


def _replay(agent, count):
  return tf_uniform_replay_buffer.TFUniformReplayBuffer(
      agent.collect_data_spec, batch_size=count, max_length=100
  )


def _collect(agent, count=2, steps=40):
  environment, replay = _environment(count), _replay(agent, count)
  driver = dynamic_step_driver.DynamicStepDriver(
      environment,
      agent.collect_policy,
      observers=[replay.add_batch],
      num_steps=steps,
  )
  return driver, replay, driver.run()


def _check_experience(experience, agent):
  """Recorded steps follow one another as the agent expects them to."""
  step_type = experience.step_type.numpy()
  np.testing.assert_array_equal(
      experience.next_step_type[:, :-1], step_type[:, 1:]
  )
  assert {0, 2} <= set(step_type.reshape(-1).tolist())
  spec = agent.action_spec
  assert np.all(experience.action >= spec.minimum)
  assert np.all(experience.action <= spec.maximum)


def test_dynamic_step_driver(agent):
  """A driver fills a replay buffer, and carries the policy's state on."""
  driver, replay, (time_step, state) = _collect(agent)
  experience = replay.gather_all()
  _check_experience(experience, agent)
  np.testing.assert_array_equal(
      state['action'],
      agent.behavior.actions.encode(experience.action[:, -1]),
  )
  frames = experience.step_type.shape[1]
  driver.run(time_step, state)
  assert replay.gather_all().step_type.shape[1] > frames


def test_dynamic_episode_driver(agent):
  """Whole episodes are collected, and counted by TF-Agents' metrics."""
  environment = _environment()
  episodes = tf_metrics.NumberOfEpisodes()
  replay = _replay(agent, 1)
  dynamic_episode_driver.DynamicEpisodeDriver(
      environment,
      agent.policy,
      observers=[replay.add_batch, episodes],
      num_episodes=3,
  ).run()
  experience = replay.gather_all()
  _check_experience(experience, agent)
  assert episodes.result() == 3
  assert np.sum(experience.next_step_type == ts.StepType.LAST) == 3


def test_py_driver(agent):
  """Environments of plain Python are driven through an eager policy."""
  environment = environments.load(_TASK, 1)
  policy = py_tf_eager_policy.PyTFEagerPolicy(agent.collect_policy)
  steps = []
  driver = py_driver.PyDriver(
      environment, policy, observers=[steps.append], max_episodes=3
  )
  driver.run(environment.reset(), policy.get_initial_state(1))
  experience = tf.nest.map_structure(
      lambda *x: tf.constant(np.stack(x)[np.newaxis]), *steps
  )
  _check_experience(experience, agent)
  assert np.sum(experience.next_step_type == ts.StepType.LAST) == 3


def test_actor(agent, tmp_path):
  """An Actor goes on collecting from run to run, with its metrics."""
  environment = environments.load(_TASK, 1)
  steps = []
  collector = actor.Actor(
      environment,
      py_tf_eager_policy.PyTFEagerPolicy(
          agent.collect_policy, use_tf_function=True
      ),
      agent.train_step_counter,
      steps_per_run=7,
      observers=[steps.append],
      metrics=actor.collect_metrics(10),
      summary_dir=str(tmp_path),
  )
  collector.run()
  first = len(steps)
  collector.run()
  experience = tf.nest.map_structure(
      lambda *x: tf.constant(np.stack(x)[np.newaxis]), *steps
  )
  assert first >= 7 and len(steps) > first
  _check_experience(experience, agent)
  lengths = {m.name: m.result() for m in collector.metrics}
  assert lengths['EnvironmentSteps'] == 14


def test_parallel_py_environment(agent):
  """Environments in processes of their own are collected from in one batch."""
  if not multiprocessing_core.initialized():
    multiprocessing_core.enable_interactive_mode()
  processes = parallel_py_environment.ParallelPyEnvironment(
      [lambda seed=seed: environments.load(_TASK, seed) for seed in (1, 2)]
  )
  try:
    replay = _replay(agent, 2)
    dynamic_step_driver.DynamicStepDriver(
        tf_py_environment.TFPyEnvironment(processes),
        agent.collect_policy,
        observers=[replay.add_batch],
        num_steps=20,
    ).run()
    experience = replay.gather_all()
  finally:
    processes.close()
  assert experience.step_type.shape[0] == 2
  _check_experience(experience, agent)


@pytest.fixture(name='trained', scope='module')
def _trained(agent, tmp_path_factory):
  """The agent after a Learner trained it, with what the Learner returned."""
  root = tmp_path_factory.mktemp('learner')
  _, replay, _ = _collect(agent)
  step = agent.train_step_counter
  learner = learner_lib.Learner(
      str(root),
      step,
      agent,
      experience_dataset_fn=lambda: replay.as_dataset(
          sample_batch_size=2, num_steps=6
      ),
      summary_interval=1,
      triggers=[
          triggers.PolicySavedModelTrigger(
              str(root / 'policies'), agent, step, interval=3
          ),
          triggers.StepPerSecondLogTrigger(step, interval=2),
      ],
      checkpoint_interval=3,
  )
  before = small.values(agent.world_model)
  infos = [learner.run(iterations=2), learner.run(iterations=1)]
  return agent, root, infos, before


def test_learner(trained):
  """A Learner trains: steps counted, losses finite, the networks moving."""
  agent, _, infos, before = trained
  assert agent.train_step_counter == 3
  for info in infos:
    assert np.isfinite(info.loss) and info.extra['train/refused'] == 0
  assert infos[0].loss != infos[1].loss
  after = small.values(agent.world_model)
  assert any(np.any(a != b) for a, b in zip(before, after))


def test_learner_writes(trained):
  """The Learner's triggers export policies that follow the training."""
  agent, root, _, _ = trained
  [checkpoint] = root.glob('policies/**/policy_checkpoint_0000000003')
  for name in ('policy', 'collect_policy', 'greedy_policy'):
    [path] = root.glob(f'policies/**/{name}/saved_model.pb')
    policy = py_tf_eager_policy.SavedModelPyTFEagerPolicy(
        str(path.parent), load_specs_from_pbtxt=True
    )
    policy.update_from_checkpoint(str(checkpoint))
    assert policy.get_train_step() == 3
    exported = {np.sum(np.abs(v)) for v in policy.variables()}
    for variable in agent.behavior.actor.trainable_variables:
      assert np.sum(np.abs(variable)) in exported, variable.name
  assert list(root.glob('train/**/ckpt-3.index'))


def test_learner_summaries(trained):
  """A Learner's TensorBoard shows every scalar of the loss."""
  _, root, infos, _ = trained
  events = b''.join(p.read_bytes() for p in root.glob('train/**/events*'))
  for name in infos[0].extra:
    assert name.encode() in events, name


@pytest.mark.parametrize('wrapped', ['policy', 'collect_policy'])
def test_greedy_policy(agent, wrapped):
  """TF-Agents' GreedyPolicy keeps in its state the action that it took."""
  policy = greedy_policy.GreedyPolicy(getattr(agent, wrapped))
  time_step = ts.restart(
      tensor_spec.sample_spec_nest(
          agent.time_step_spec.observation, outer_dims=(5,)
      ),
      batch_size=5,
  )
  step = policy.action(time_step, policy.get_initial_state(5))
  expected = agent.behavior.actions.encode(step.action)
  np.testing.assert_array_equal(step.state['action'], expected)


def test_checkpointer(trained, tmp_path):
  """A restored agent is the saved one: networks, moments, normaliser, step."""
  agent, _, _, _ = trained

  def checkpointer():
    return common.Checkpointer(
        str(tmp_path), max_to_keep=1, agent=agent, policy=agent.policy
    )

  moments = [
      v
      for optimizer in agent._train_step.updates.optimizers.values()
      for v in optimizer.slots
  ]
  assert len(moments) == 4 * 3, 'not two moments and a count of each group'
  everything = [
      *agent.variables,
      *agent.behavior.normalizer.variables,
      *moments,
      agent.train_step_counter,
  ]
  saved = [variable.numpy() for variable in everything]
  checkpointer().save(agent.train_step_counter)
  for variable in everything:
    variable.assign(variable + tf.ones_like(variable))
  checkpointer().initialize_or_restore()
  for variable, value in zip(everything, saved):
    np.testing.assert_array_equal(variable, value, err_msg=variable.name)


@pytest.fixture(
    name='certain', scope='module', params=agent_config.SequenceModelKind
)
def _certain(request, tmp_path_factory):
  """An agent without chance in its latents, and its exported policy.

  Of either kind, each with the posterior that belongs to it.
  """
  config = small.config(kind=request.param)
  latent = agent_config.LatentConfig(2, 3, unimix=0.0)
  agent = _agent(
      dataclasses.replace(
          config,
          world_model=dataclasses.replace(config.world_model, latent=latent),
      )
  )
  kernel = agent.world_model._posterior._output.kernel
  kernel.assign(1e5 * kernel)
  path = str(tmp_path_factory.mktemp('policy'))
  policy_saver.PolicySaver(agent.policy, batch_size=None).save(path)
  return agent, path


def _time_steps(agent, batch):
  """Eight random time steps with an episode's end among them."""
  rng = np.random.default_rng(batch)
  spec = agent.time_step_spec.observation
  for step_type in (0, 1, 1, 2, 0, 1, 1, 1):
    yield ts.TimeStep(
        tf.fill([batch], tf.constant(step_type)),
        tf.zeros([batch]),
        tf.ones([batch]),
        tf.constant(rng.normal(size=[batch, *spec.shape]), spec.dtype),
    )


def _close(actual, expected):
  tf.nest.map_structure(
      lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4),
      actual,
      expected,
  )


@pytest.mark.parametrize('batch', [1, 3])
def test_policy_saver(certain, batch):
  """One exported policy serves any batch, and acts as the policy does."""
  agent, path = certain
  exported = tf.saved_model.load(path)
  state = agent.policy.get_initial_state(batch)
  exported_state = exported.get_initial_state(batch_size=batch)
  _close(exported_state, state)
  for time_step in _time_steps(agent, batch):
    step = agent.policy.action(time_step, state)
    exported_step = exported.action(time_step, exported_state)
    np.testing.assert_array_equal(step.action, exported_step.action)
    _close(exported_step.state, step.state)
    state, exported_state = step.state, exported_step.state
  assert np.abs(state['memory']).max() > 1e-3


def test_saved_model_eager_policy(certain):
  """A Python program drives the export: memory carried, and reset at FIRST."""
  agent, path = certain
  exported = py_tf_eager_policy.SavedModelPyTFEagerPolicy(
      path, load_specs_from_pbtxt=True
  )
  state = agent.policy.get_initial_state(1)
  exported_state = exported.get_initial_state(1)
  hidden = []
  for time_step in _time_steps(agent, 1):
    step = agent.policy.action(time_step, state)
    single = tf.nest.map_structure(lambda x: x[0].numpy(), time_step)
    exported_step = exported.action(single, exported_state)
    np.testing.assert_array_equal(step.action[0], exported_step.action)
    _close(exported_step.state, step.state)
    state, exported_state = step.state, exported_step.state
    hidden.append(np.asarray(exported_state['memory']))
  np.testing.assert_allclose(hidden[0], hidden[4], atol=1e-6)
  assert np.abs(hidden[3] - hidden[4]).max() > 1e-3
